"""nanochat: norms without weights, a squared ReLU."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, plain, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def nanochat(fields: Fields) -> ModelSpec:
    """Norms without weights, queries and keys normalised too, a squared ReLU."""
    bare = replace(RMS, scale=False)
    mlp = plain(fields, bias=False, act="relu2")
    return uniform(fields, attention(fields), mlp, norms=(bare, bare), norm=bare)


READS = {"nanochat": nanochat}
