"""A quantisation scheme as data: which weights it takes, in which format, and what it leaves as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from isoflop.model.storage.formats import Format, plain
from isoflop.model.storage.modules import MATRICES, Kind, is_elsewhere

if TYPE_CHECKING:
    from isoflop.model.storage.modules import Module
    from isoflop.model.storage.patterns import Patterns

FP32 = plain("fp32")
EVERY: frozenset[Kind] = MATRICES | {"router", "joint", "head", "outer"}
"""What can be quantised at all: matrices."""


class Rule(NamedTuple):
    """Weights of these kinds whose module one of `targets` names (None: every module) are stored in `form`."""

    form: Format
    kinds: frozenset[Kind]
    targets: Patterns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a checkpoint stores weights: the first rule that takes one holds, what none takes is stored in `rest`.

    `words` says it in a line. `kept` names modules that stay in `rest`. `kv` is the number format of the cache that the
    scheme asks for, "" where it asks for none. `correction`: what vectors that are stored but not trained are in.
    `routers_doubted`: a matrix that routes is left as it was though no list says so, which some tools do and some not.
    `tables`: what look-up tables are in, None for `rest`.
    """

    words: str
    rest: Format
    rules: tuple[Rule, ...] = ()
    kept: Patterns | None = None
    correction: Format = FP32
    kv: str = ""
    doubts: tuple[str, ...] = ()
    routers_doubted: bool = False
    tables: Format | None = None

    def patterns(self) -> tuple[str, ...]:
        """All names and patterns of modules in it."""
        lists = (self.kept, *(rule.targets for rule in self.rules))
        return tuple(text for one in lists if one is not None for text in one.texts)

    def form_of(self, module: Module) -> Format:
        """The format of a weight."""
        if not module.weight.trained:
            return self.correction
        if module.kind == "embedding" and self.tables is not None:
            return self.tables
        named = self.kept is not None and self.kept.hit(module.paths)
        taken = [rule for rule in self.rules if rule.targets is None or rule.targets.hit(module.paths)]
        if named or module.kind not in EVERY:
            return self.rest
        return next((rule.form for rule in taken if module.kind in rule.kinds), self.rest)

    def leaves(self, module: Module) -> bool:
        """Whether a list of what stays as it was names the module."""
        return self.kept is not None and self.kept.hit(module.paths)

    def all_doubts(self) -> tuple[str, ...]:
        """Doubts of its own, and patterns that meant nothing known here; complete once every module was asked for."""
        lists = [one for one in (self.kept, *(rule.targets for rule in self.rules)) if one is not None]
        strange = [text for one in lists for text in one.unmatched() if not is_elsewhere(text)]
        unread = [text for one in lists for text in one.unread]
        return (
            *self.doubts,
            *_listing(strange, "of its names of modules match nothing that is known here"),
            *_listing(unread, "of its patterns are not understood and were left out"),
        )


def unquantised(dtype: str, *, correction: str | None = None) -> Scheme:
    """Every weight in one number format; `correction` is another for what is stored but not trained."""
    form = plain(dtype)
    return Scheme(words=form.words, rest=form, correction=plain(correction) if correction else form)


def _listing(texts: list[str], what: str) -> tuple[str, ...]:
    if not texts:
        return ()
    shown = ", ".join(f"'{text[:60]}'" for text in dict.fromkeys(texts[:3]))
    more = ", ..." if len(texts) > 3 else ""
    return (f"{len(texts):,} {what}: {shown}{more}",)
