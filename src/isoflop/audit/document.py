"""What an audit reads and what it says: the one model that every reader writes and the engine consumes.

A reader (napkin files: `napkin.py`; prose: `prose/`) turns a text into a `Document` of ordered `Step`s. It judges
nothing: it keeps what is written, where it stands, and with how many digits. The engine recomputes the steps into
`Evaluated` and gives `Finding`s; checks against the world (`world/`) are functions of the type `Check`.

Conventions, for readers:

- Values are `quantity.Value`s: spreads in base units, with the unit, the text, the digits and the slack as written.
- Nouns that the document counts stay dimensions of their own in every value ("slice" is no "32 chip" there). What they
  are made of stands in `Document.nouns` and is applied by the engine, which so can tell who forgot it. A price "for 64
  cores" is best read as `$/month/<noun>` with a noun of its own tied to `64 core`.
- Expressions are trees of `relation.expr` whose name leaves are the keys of `Step.inputs` ("a", "b", ...). An input
  refers to a step, holds a value written in that place, or both ("4T tokens *(7)*": both).
- `Step.number` is the document's own number ("16"), else "L" and the line it begins on ("L12"); numbers are unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from isoflop.quantity import Spread, Unit, Value
    from isoflop.relation.expr import Expr

Kind = Literal["statement", "assumption", "implication", "claim"]
"""What a step is: a source quoted; a value taken for granted; something computed; a figure in running text."""

Level = Literal["units", "arithmetic", "roots", "world", "inherits", "note"]
"""Where a finding comes from.

units       the units of the step's expression are not those of what it claims
arithmetic  the number claimed is not that of the step's own expression on its own inputs
roots       the step is right on its own inputs, but not forward from the roots, and no earlier finding explains it
world       the step contradicts what the library knows: a formula, a device, a published run, what is cited
inherits    right in itself; wrong only because a step it builds on is
note        nothing wrong, but worth knowing: a convention, a rounding, an assumption nobody stated
"""

Class = Literal[
    "unit_mismatch",
    "noun_left_out",
    "rate_for_amount",
    "arithmetic",
    "decimal_slip",
    "prefix",
    "time_unit",
    "bits_for_bytes",
    "gb_for_gib",
    "constant",
    "forward_for_training",
    "mac_for_flop",
    "input_missing",
    "input_doubled",
    "input_inverted",
    "wrong_row",
    "copied_wrong",
    "citation",
    "utilisation_missing",
    "utilisation_above_one",
    "sparse_for_dense",
    "active_for_total",
    "words_for_tokens",
    "information",
    "device_figure",
    "model_figure",
    "library_relation",
    "contradiction",
    "domain",
    "inherited",
    "rounding",
    "convention",
    "unsupported",
]
"""What kind of slip it is; docs/audit.md says each in a sentence.

unit_mismatch          what is left over is no noun: seconds, dollars, bytes do not cancel
noun_left_out          a counted noun does not cancel (per chip against per slice) or its number was left out
rate_for_amount        FLOP against FLOP/s, energy against power: a time is left over
arithmetic             the number is not what the expression gives, and no known slip explains the factor
decimal_slip           off by a power of ten that no prefix in the step explains
prefix                 a thousand or 1024 too often or too seldom: kWh for MWh, million for billion
time_unit              24, 60, 3600, 7, 30.4, 365: hours for days, a month left out
bits_for_bytes         8
gb_for_gib             1.024 to a power
constant               a constant written in the expression is not the one due (2 for 6)
forward_for_training   2 N where training takes 6 N, or the other way round
mac_for_flop           a multiply-accumulate is two FLOP
input_missing          one of the inputs was not multiplied in, or not divided by
input_doubled          one of the inputs was used twice
input_inverted         multiplied where division is due, or the other way round
wrong_row              another row of the source that is cited would give the number
copied_wrong           a value repeated beside a reference is not the value of that step
citation               an assumption is not what the statement it cites says
utilisation_missing    a peak rate used as if it were reached
utilisation_above_one  more work than the peak allows
sparse_for_dense       a peak for 2:4 sparsity where dense matrices are multiplied
active_for_total       active for total parameters of a mixture of experts, or the other way round
words_for_tokens       a word is about 4/3 token
information            tokens times vocabulary is no number of bits
device_figure          a rate, memory or price that the catalogue gives otherwise
model_figure           N, D or C of a named model that the catalogue gives otherwise
library_relation       what `is =` names is, by the library's formula, something else
contradiction          claims that cannot all be true together
domain                 a share above 1, a negative count, a number beyond floats, a division by zero
inherited              (level inherits)
rounding               digits cut off instead of rounded, or more digits than the inputs carry
convention             a stated or implied convention: which FLOP, which month, which parameters
unsupported            a figure for which the document gives nothing to compute it from
"""

LEVELS: tuple[Level, ...] = get_args(Level)
CLASSES: tuple[Class, ...] = get_args(Class)
WRONG: frozenset[Level] = frozenset({"units", "arithmetic", "roots", "world"})
"""Levels that make an audit end with exit code 1; `inherits` and `note` alone do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where something stands: 1-based `line`; 0-based `start` and `end` columns of that line, end exclusive."""

    line: int
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A leaf of a step's expression: the step it refers to ("" for none), the value written in its place, or both.

    Where both are there, the engine computes with what is written and holds it against the step referred to. `words`
    is how it reads in the document: "50k vocab size".
    """

    step: str = ""
    written: Value | None = None
    words: str = ""
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a document.

    `says` is the value claimed, None where there is none (a quoted opinion, an unknown). `also` are further values: the
    other forms of an implication's result ("2.65e13 parameters = 26T parameters"), or all other values of a statement
    (the rows of its price table), from which "cites the wrong row" is found. `expr` is set for what is computed.
    `quantity` is the glossary's name of what the step gives, "" where nobody knows. `cites` are the steps given as its
    source; `source` is the text or address of one outside. `subject` is the model, device or run that it is about, as
    written ("GPT-4", "A100"), for the checks against the world. `words` are its nouns and adjectives as written, which
    the checks read ("training tokens", "forward pass"). `alternatives` are other values that an assumption could take,
    by what they are called ("on demand"): the corrected chain is given for each.
    """

    number: str
    kind: Kind
    span: Span
    text: str
    label: str = ""
    says: Value | None = None
    also: tuple[Value, ...] = ()
    expr: Expr | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    quantity: str = ""
    cites: tuple[str, ...] = ()
    source: str = ""
    subject: str = ""
    words: str = ""
    alternatives: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A piece of the text that holds a number and was not understood, and why."""

    span: Span
    text: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was read, in its own order.

    `nouns` says what counted nouns are made of ({"slice": 32 chip}); `unread` what was not understood; `lines` is the
    text, for marking it up; `name` is the file's name or the document's title. `result` is the step that the document
    is after, "" for its last implication. `choices` are what a question to the library takes beside values ("device").
    """

    name: str
    steps: tuple[Step, ...]
    nouns: Mapping[str, Unit] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    lines: tuple[str, ...] = ()
    result: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)

    def by_number(self) -> dict[str, Step]:
        """The steps by their numbers; made anew at each call, so ask once."""
        return {step.number: step for step in self.steps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What the engine makes of one step, in base units with all nouns tied; None where it cannot be computed.

    `said` is what the step claims; `own` its expression on its own inputs as the document claims them, `unit` the unit
    that this has before nouns are tied; `roots` the same forward from the roots, every earlier step recomputed and none
    taken from the page. A step without an expression is a root: `own` is None and `roots` what it says.
    """

    said: float | None = None
    own: float | None = None
    roots: float | None = None
    unit: Unit | None = None


Evaluated = Mapping[str, Recomputed]
"""Every step of a document, by its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What a finding changes in the corrected chain: the value of `step` is multiplied by `factor`.

    A missing utilisation of 30 to 50 % multiplies the rate by that interval, 6 N for 2 N a count of FLOP by 3. `words`
    say it: "at an MFU of 40 % (30 to 50 %)". It applies to what the expression of `step` gives, or to the value of a
    root.
    """

    step: str
    factor: Spread
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing an audit has to say.

    `step` is the step's number and `span` where it stands. `kind` is its class. `factor` is says / recomputed, None
    where there is nothing to divide; `says` and `recomputed` are in base units of `unit`, nouns tied. `reason` is one
    sentence: what is wrong and, worded "likely", why. `others` is a second reason that fits as well. `amends` says how
    the corrected chain is to be changed, where recomputing alone does not mend it (findings of the level world).
    """

    step: str
    span: Span
    level: Level
    kind: Class
    reason: str
    factor: float | None = None
    says: float | None = None
    recomputed: float | None = None
    unit: Unit | None = None
    others: tuple[str, ...] = ()
    amends: tuple[Amendment, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether it says that something is wrong, and not only inherited or worth knowing."""
        return self.level in WRONG


Check = Callable[[Document, Evaluated], Iterable[Finding]]
"""A check against the world: it reads the document and what was recomputed, and gives findings of the levels world and
note. It never raises for what stands in a document, takes time linear in its steps, and reports each slip once, at the
step that makes it. The engine drops a second finding of the same step and class."""
