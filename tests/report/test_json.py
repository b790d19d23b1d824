from __future__ import annotations

import json

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from tests.report.samples import ANSWER, LEDGERS, MEMORY, POINT, answers

from isoflop.errors import BadInput
from isoflop.quantity import quantities
from isoflop.relation.answer import Answer, Ledger
from isoflop.report import answer_json, answers_json, dumps, ledger_json, schema, table_json

VALIDATOR = Draft202012Validator(schema())


def check(made: dict[str, object]) -> dict[str, object]:
    """What a script reads: valid against the schema, and strict JSON."""
    VALIDATOR.validate(made)
    read: dict[str, object] = json.loads(dumps(made), parse_constant=pytest.fail)  # type: ignore[arg-type]
    assert read == made
    return read


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_answer() -> None:
    read = check(answer_json(ANSWER))
    assert {key: read[key] for key in ("schema_version", "quantity", "value", "unit", "low", "high", "interval")} == {
        "schema_version": 1,
        "quantity": "params",
        "value": 1.10e12,
        "unit": "param",
        "low": 0.86e12,
        "high": 1.43e12,
        "interval": 0.9,
    }
    assert [step["quantity"] for step in read["assumptions"]] == [  # type: ignore[attr-defined]
        "peak_rate",
        "price",
        "flops_per_param_token",
    ]
    assert read["sources"] == ["cloud.google.com/tpu/docs 2022-05-11", "kaplan2020 §2.1"]
    assert read["checks"] == [{"quantity": "tokens", "formula": "20 · params", "ratio": 0.18, "note": "rule of thumb"}]
    assert read["elasticities"] == {"train_cost": 1.0, "mfu": 1.0, "tokens": -1.0}
    assert [other["value"] for other in read["alternatives"]] == [28.4e9]  # type: ignore[attr-defined]


def test_a_step() -> None:
    step = check(answer_json(ANSWER))["steps"][8]  # type: ignore[index]
    assert step == {
        "number": 9,
        "quantity": "params",
        "kind": "identity",
        "formula": "train_flops / (flops_per_param_token · tokens)",
        "latex": r"\frac{C}{k\,D}",
        "inputs": [
            {"quantity": "train_flops", "step": 8},
            {"quantity": "flops_per_param_token", "step": 6},
            {"quantity": "tokens", "step": 2},
        ],
        "value": 1.10e12,
        "unit": "param",
        "low": 0.86e12,
        "high": 1.43e12,
        "sources": ["kaplan2020 §2.1"],
        "text": "",
        "note": "",
    }


def test_many_answers_stand_under_their_names() -> None:
    read = check(answers_json({"params": ANSWER, "mfu": POINT}))
    assert set(read) == {"schema_version", "answers"}
    assert set(read["answers"]) == {"params", "mfu"}  # type: ignore[call-overload]


def test_the_ledger() -> None:
    read = check(ledger_json(MEMORY))
    assert read["unit"] == "byte/chip"
    assert read["total"] == sum(term.value for term in MEMORY.terms)


def test_the_table() -> None:
    check(table_json(["device", "n"], [("h100", 8.0), ("tpu", None)]))


def test_every_field_is_in_the_schema() -> None:
    definitions: dict[str, dict[str, dict[str, object]]] = schema()["$defs"]  # type: ignore[assignment]
    amounts = set(definitions["amounts"]["properties"])
    assert set(answer_json(POINT)) == {"schema_version"} | amounts | set(definitions["answer"]["properties"])
    assert set(ledger_json(MEMORY)) == {"schema_version"} | set(definitions["ledger"]["properties"])


@pytest.mark.parametrize("broken", [{"value": "1"}, {"unit": None}, {"interval": 90}, {"schema_version": 2}])
def test_the_schema_refuses_what_is_no_answer(broken: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(answer_json(POINT) | broken)


@given(answers())
def test_any_answer_is_valid(answer: Answer) -> None:
    check(answer_json(answer))
    check(answers_json({answer.quantity: answer}))


@given(LEDGERS)
def test_any_ledger_is_valid(ledger: Ledger) -> None:
    check(ledger_json(ledger))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="params came out as"):
        answer_json(Answer(quantity="params", value=value, low=value, high=value))


def test_every_quantity_has_a_unit() -> None:
    for name in quantities():
        check(answer_json(Answer(quantity=name, value=0.5, low=0.5, high=0.5)))
