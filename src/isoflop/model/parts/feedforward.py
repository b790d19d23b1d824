"""Feed-forward parts: plain and gated, and mixtures of them behind a router."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.errors import BadInput
from isoflop.model.parts.weight import Linear, Saved, Weight, check_counts

Activation = Literal["gelu", "gelu-tanh", "relu", "squared-relu", "silu", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlp:
    """A feed-forward part: up, activation, down; `gated` adds a third matrix. `bias` holds for all of them."""

    width: int
    gated: bool
    activation: Activation
    bias: bool = False
    extras: tuple[Linear, ...] = ()

    def __post_init__(self) -> None:
        check_counts(self, "width")

    def weights(self, width: int, part: str = "mlp", copies: int = 1, active: int = 1) -> tuple[Weight, ...]:
        """Two or three matrices with their biases, `copies` times."""
        inward = ("gate", "up") if self.gated else ("up",)
        found = [Weight(part, name, width, self.width, "token", copies, active) for name in inward]
        found.append(Weight(part, "down", self.width, width, "token", copies, active))
        if self.bias:
            found += [Weight(part, f"{name} bias", self.width, 1, "never", copies, active) for name in inward]
            found.append(Weight(part, "down bias", width, 1, "never", copies, active))
        return (*found, *(weight for extra in self.extras for weight in extra.weights(part)))

    def saved(self, width: int, part: str = "mlp", times: float = 1) -> tuple[Saved, ...]:
        """Input, what enters the activation (both halves where gated), what leaves it; `times` experts a token.

        A plain ReLU needs what left it, and not what entered.
        """
        into = 2 * self.width if self.gated else 0 if self.activation == "relu" else self.width
        found = (
            Saved(part, "input", times * width),
            Saved(part, "inner", times * into, split="inner"),
            Saved(part, "activated", times * self.width, split="inner"),
        )
        return tuple(saved for saved in found if saved.elements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moe:
    """A mixture of experts: a router sends each token to `active` of `experts`; `shared` meets every token.

    `router_bias`: one value an expert: "parameter" is trained with the rest, "stored" is a correction of the scores
    that lies in the checkpoint but is no parameter. `shared_gate`: the shared expert is weighed by a learned gate (one
    vector). `inner_width`: experts work on vectors of this width, with a matrix on the way in and out. `idle`: choices
    of the router that compute nothing. `keys`: outputs of the router where it has not one an expert (product keys).
    `router_width`: width of what it scores, where `extras` make that of a token first.
    """

    experts: int
    active: int
    expert: Mlp
    shared: Mlp | None = None
    router_bias: Literal["none", "parameter", "stored"] = "none"
    shared_gate: bool = False
    inner_width: int | None = None
    idle: int = 0
    keys: int | None = None
    router_width: int | None = None
    extras: tuple[Linear, ...] = ()

    def __post_init__(self) -> None:
        given = [name for name in ("keys", "router_width") if getattr(self, name) is not None]
        check_counts(self, "experts", "active", *given)
        check_counts(self, "idle", least=0)
        if self.active > self.experts + self.idle:
            raise BadInput(f"{self.active} active experts of {self.experts}; at most all of them can be active")

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Router, routed experts, shared expert."""
        choices = self.keys or self.experts + self.idle
        found = [Weight("router", "router", self.router_width or width, choices, "token")]
        if self.router_bias != "none":
            found.append(Weight("router", "router bias", choices, trained=self.router_bias != "stored"))
        inner = self.inner_width or width
        if self.inner_width:
            found += [
                Weight("experts", "into experts", width, inner, "token"),
                Weight("experts", "out of experts", inner, width, "token"),
            ]
        found += self.expert.weights(inner, "experts", self.experts, min(self.active, self.experts))
        if self.shared is not None:
            found += self.shared.weights(width, "shared expert")
            if self.shared_gate:
                found.append(Weight("shared expert", "shared gate", width, 1, "token"))
        return (*found, *(weight for extra in self.extras for weight in extra.weights("experts")))

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Scores of the router, the tokens as sorted to their experts, the experts' own, and the shared expert's."""
        found = [
            Saved("router", "input", width),
            Saved("router", "scores", self.keys or self.experts + self.idle, "fp32"),
        ]
        found += self.expert.saved(self.inner_width or width, "experts", self.active)
        return (*found, *(self.shared.saved(width, "shared expert") if self.shared else ()))
