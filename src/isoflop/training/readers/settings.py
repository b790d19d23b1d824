"""What a settings file of another tool says of a run, in our words; and what of it was not understood."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, BadFile
from isoflop.model import preset
from isoflop.model.presets import find_preset
from isoflop.training.spec import Layout, Recipe, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.spec import ModelSpec
    from isoflop.training.spec import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run as far as one file describes it.

    `sizes` are fields of `Layout` as stated, dp among them only where it is. `batch` are sequences a step; where the
    tool counts micro-batches instead, `accumulation` of them on each rank. `chips` is the world size where it is said.
    `model` is the shape where the file gives it or names a preset, `model_name` what it calls it. `not_understood` are
    keys that nobody here knows, `not_modelled` those whose effect is left out, `assumed` what the file leaves open.
    """

    tool: str
    file: str
    sizes: Mapping[str, int | float] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    sequence: int | None = None
    batch: int | None = None
    accumulation: int | None = None
    chips: int | None = None
    model: ModelSpec | None = None
    model_name: str = ""
    schedule: Schedule = "1f1b"
    split: tuple[int, ...] = ()
    ends: int = 0
    not_understood: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def layout(self, chips: int | None = None) -> Layout:
        """The layout on `chips` ranks, or on as many as the file names; what the degrees leave is data parallelism.

        Raises: BadFile where the degrees do not divide that number, or the file's own says otherwise.
        """
        degrees = {name: int(self.sizes.get(name, 1)) for name in ("tp", "pp", "cp")}
        inner = degrees["tp"] * degrees["pp"] * degrees["cp"]
        world = chips if chips is not None else self.chips
        dp = int(self.sizes.get("dp", 0)) or (world // inner if world else 1)
        if world is not None and dp * inner != world:
            said = " x ".join(f"{name} {value}" for name, value in degrees.items())
            own = f" x dp {dp}" if "dp" in self.sizes else ""
            raise BadFile(f"{self.file}: {said}{own} does not divide up a world of {world} ranks.")
        return Layout(**{**self.sizes, "dp": dp})  # type: ignore[arg-type]

    def batch_on(self, layout: Layout) -> int | None:
        """Sequences a step under this layout."""
        if self.batch is not None:
            return self.batch
        return None if self.accumulation is None else self.accumulation * layout.micro_batch * layout.dp

    def run(self, chips: int | None = None, **instead: object) -> tuple[Run, Layout]:
        """The run and its layout; `instead` gives what the file leaves open (model, sequence, batch)."""
        layout = self.layout(chips)
        given: dict[str, object] = {
            "model": self.model,
            "sequence": self.sequence,
            "batch": self.batch_on(layout) or layout.dp * layout.micro_batch,
        }
        given |= {name: value for name, value in instead.items() if value is not None}
        lacking = [name for name, value in given.items() if value is None]
        if lacking:
            raise BadFile(f"{self.file}: says nothing of {' or '.join(lacking)}; give it beside the file.")
        rest = {"schedule": self.schedule, "split": self.split, "ends": self.ends}
        return Run(recipe=self.recipe, **given, **rest), layout  # type: ignore[arg-type]

    def with_model(self, model: ModelSpec) -> Settings:
        """The same settings for another model."""
        return replace(self, model=model)


def named(name: str) -> ModelSpec | None:
    """The preset that a name of the Hub or of a tool means, None for none; nothing is looked up elsewhere."""
    short = name.rstrip("/").rpartition("/")[2]
    if not short:
        return None
    try:
        found = find_preset(short)
    except AmbiguousInput:
        return None
    return None if found is None else preset(found).spec


def check_world(file: str, key: str, world: int | None, inner: int) -> None:
    """The world size is a multiple of the other degrees, or the file is wrong."""
    if world is not None and world % inner:
        raise BadFile(
            f"{file}: {key} = {world} ranks does not divide by {inner} (tensor x pipeline x context parallel)."
        )
