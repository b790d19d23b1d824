"""What each family's config class has where a config.json is silent: the table `src/isoflop/model/defaults.json`.

`python -m tests.oracle.model.defaults` writes it anew from the config classes of transformers.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from tests.oracle.model.zoo import library

from isoflop.model.inert import is_inert

TABLE = Path(__file__).parents[3] / "src/isoflop/model/defaults.json"


def of_class(config: type) -> dict[str, Any]:
    """Fields with a default that may matter: whole numbers, flags, texts, lists of them; not what is computed later.

    Where a class saves a field under another name, it stands under both.
    """
    found = {}
    for field in fields(config):
        value = field.default_factory() if field.default_factory is not MISSING else field.default
        listed = value if isinstance(value, list | tuple) else [value]
        told = all(isinstance(one, bool | int | str) for one in listed)
        if told and not is_inert(field.name) and not field.name.endswith(("_id", "_config")):
            saved = getattr(config, "attribute_map", {}).get(field.name, field.name)
            found[field.name] = found[saved] = list(value) if isinstance(value, tuple) else value
    return found


def table() -> dict[str, dict[str, Any]]:
    """model_type -> defaults, for every type that has a vocabulary of its own (not only inside, in a text part)."""
    configs = library().CONFIG_MAPPING
    found = {kind: of_class(configs[kind]) for kind in sorted(configs.keys())}
    return {kind: entry for kind, entry in found.items() if entry.keys() & {"vocab_size", "n_vocab", "src_vocab_size"}}


if __name__ == "__main__":
    lines = (f"{json.dumps(kind)}: {json.dumps(entry)}" for kind, entry in table().items())
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
