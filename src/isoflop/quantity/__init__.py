"""Words: quantities, units, spreads, and the grammar in which people write values.

Layers, lowest first: types, unit_words and unit_grammar, units, spread, glossary, read, write, toml_file.

    >>> from isoflop.quantity import quantity, read, write
    >>> read("3700 PF-days", quantity("train_flops")).spread.median
    3.1968e+23
    >>> write(3.1968e23, quantity("train_flops"))
    '3.2e23 FLOP'
"""

from __future__ import annotations

from isoflop.quantity.glossary import Domain, Quantity, quantities, quantity, unknown_quantity
from isoflop.quantity.read import Cluster, Value, read, read_cluster, read_tie
from isoflop.quantity.spread import Centred, Interval, Point, Range, Samples, Shape, Spread
from isoflop.quantity.toml_file import parse_toml, read_text, read_toml
from isoflop.quantity.types import FloatArray, Real
from isoflop.quantity.units import NUMBER, Unit, unit
from isoflop.quantity.write import write, write_centred, write_exact, write_interval, write_spread

__all__ = [
    "NUMBER",
    "Centred",
    "Cluster",
    "Domain",
    "FloatArray",
    "Interval",
    "Point",
    "Quantity",
    "Range",
    "Real",
    "Samples",
    "Shape",
    "Spread",
    "Unit",
    "Value",
    "parse_toml",
    "quantities",
    "quantity",
    "read",
    "read_cluster",
    "read_text",
    "read_tie",
    "read_toml",
    "unit",
    "unknown_quantity",
    "write",
    "write_centred",
    "write_exact",
    "write_interval",
    "write_spread",
]
