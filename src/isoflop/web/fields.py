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

    `blocks` are its rows; `links` says which part or step derives a row (by label), `hovers` what to say of a step
    before it is opened; `charts` draw on demand.
    """

    blocks: tuple[Blocks, ...]
    json: Callable[[], dict[str, Json]]
    parts: tuple[Part, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hovers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    charts: Mapping[str, Callable[[Mode, int], alt.TopLevelMixin]] = field(default_factory=lambda: MappingProxyType({}))
    page: Callable[[], str] | None = None
    csv: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page of its own and a call of the API: what it asks, in words of people, and what answers."""

    name: str
    title: str
    lead: str
    groups: tuple[Group, ...]
    answer: Callable[[Mapping[str, str]], Shown]
    charts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    examples: tuple[tuple[str, Mapping[str, str]], ...] = ()
    first: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    posts: bool = False
    button: str = "Work it out"
    slow: bool = False

    @property
    def needs(self) -> bool:
        """Whether nothing can be answered before something is said."""
        return bool(self.first)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields in the order of the page."""
        return tuple(one for group in self.groups for one in group.fields)
