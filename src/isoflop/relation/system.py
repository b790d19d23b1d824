"""The relations a question may use, indexed by the quantities they tie together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.relation.relation import Relation


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Relations and what follows from them: `touching[q]` are those that hold q, `defaults` the named assumptions."""

    relations: tuple[Relation[...], ...]
    touching: Mapping[str, tuple[Relation[...], ...]] = field(init=False)
    defaults: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        touching: dict[str, list[Relation[...]]] = {}
        defaults: dict[str, float] = {}
        assert len({relation.name for relation in self.relations}) == len(self.relations), "two relations of one name"
        for relation in self.relations:
            for key in relation.quantities:
                touching.setdefault(key, []).append(relation)
            for key, value in relation.defaults.items():
                assert defaults.setdefault(key, value) == value, (
                    f"{relation.name}: another relation assumes another {key}"
                )
        object.__setattr__(self, "touching", {key: tuple(found) for key, found in touching.items()})
        object.__setattr__(self, "defaults", defaults)

    def with_relations(self, extra: Iterable[Relation[...]]) -> System:
        """This system and more relations (a law bound to this question, a policy)."""
        return System((*self.relations, *extra))
