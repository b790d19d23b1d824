"""What a view is made of: fields to fill in, what comes back, and how the two are named. No view draws itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.report import Blocks
    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json

FILES = {
    "methods": ("Methods paragraph", "md"),
    "latex": ("LaTeX", "tex"),
    "bibtex": ("BibTeX", "bib"),
    "card": ("Model card", "md"),
    "mermaid": ("Mermaid", "mmd"),
    "study": ("Cells for the laboratory", "toml"),
    "megatron": ("Megatron-LM", "sh"),
    "torchtitan": ("torchtitan", "toml"),
    "deepspeed": ("DeepSpeed", "json"),
    "accelerate": ("accelerate", "yaml"),
}
"""Forms of an answer beside JSON, CSV and HTML: what people call them, and how their files end."""

Kind = Literal["text", "choice", "flag", "area", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """A range that writes into its field: over `low` to `high`, by decades where `log`; `unit` stands around it.

    `form` holds one `{}` for the number: "${}" or "{}%".
    """

    low: float
    high: float
    form: str = "{}"
    log: bool = False
    start: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that may be said: `name` as the flag has it, `label` for people, `hint` what to write."""

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    example: str = ""
    choices: tuple[str, ...] = ()
    listed: str = ""
    slider: Slider | None = None
    needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields that belong together; folded away at first unless `open`."""

    title: str
    fields: tuple[Field, ...]
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section under the answer that folds out: HTML of `report`, reached by `#anchor`."""

    title: str
    anchor: str
    html: str
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer, ready to be shown.

    `blocks` are its rows; `links` says which part or step derives a row (by label), `says` its formula and source (by
    label), `hovers` those of a step or part (by anchor). `charts` and the parts that come `later` are made on demand.
    `files` are further forms of the answer by name, one of `FILES`.
    """

    blocks: tuple[Blocks, ...]
    json: Callable[[], dict[str, Json]]
    parts: tuple[Part, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hovers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    says: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    later: Callable[[], tuple[Part, ...]] | None = None
    charts: Mapping[str, Callable[[Mode, int], alt.TopLevelMixin]] = field(default_factory=lambda: MappingProxyType({}))
    page: Callable[[], str] | None = None
    csv: Callable[[], str] | None = None
    files: Mapping[str, Callable[[], str]] = field(default_factory=lambda: MappingProxyType({}))

    def all_parts(self) -> tuple[Part, ...]:
        """Every part, those that are made on demand too."""
        return (*self.parts, *(self.later() if self.later is not None else ()))

    def said(self, label: str) -> str:
        """Formula and source of a row; "" where it leads nowhere."""
        anchor = self.links.get(label, "")
        return self.says.get(label) or self.hovers.get(anchor, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page of its own and a call of the API: what it asks, in words of people, and what answers.

    One that stands `under` another, by name, is a tab of that one's and not in the menu; `tab` is what the tab says.
    Of an answer's charts the first `charts_open` are drawn at once, the rest when they are unfolded.
    """

    name: str
    title: str
    lead: str
    groups: tuple[Group, ...]
    answer: Callable[[Mapping[str, str]], Shown]
    charts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    charts_open: int = 3
    examples: tuple[tuple[str, Mapping[str, str]], ...] = ()
    first: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    posts: bool = False
    button: str = "Work it out"
    slow: bool = False
    under: str = ""
    tab: str = ""

    @property
    def texts(self) -> frozenset[str]:
        """Fields whose values are documents: read as such, and never a name."""
        held = {one.name for one in self.fields if one.kind == "area"}
        return frozenset(held | {name for one in self.uploads.values() for name in one})

    @property
    def uploads(self) -> dict[str, tuple[str, str]]:
        """File fields: the words that the text and the name of what is sent become."""
        found = [one.name for one in self.fields if one.kind == "file"]
        return {name: (name.replace("runs", "table"), f"{name.replace('runs', 'table')}-name") for name in found}

    @property
    def needs(self) -> bool:
        """Whether nothing can be answered before something is said."""
        return bool(self.first)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields in the order of the page."""
        return tuple(one for group in self.groups for one in group.fields)
