"""The tabs of Laws as people use them: fits chosen and held out, two studies or groups, next runs, a run under way."""

from __future__ import annotations

import json
import re

import pytest
from starlette.testclient import TestClient
from tests.web.pages import FRAGMENT, address
from tests.web.test_pages import RUNS, check

from isoflop.web.law_words import SAMPLES, table_of


def facts(text: str) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", text)


def test_every_sample_is_a_table() -> None:
    for name in SAMPLES:
        text, called = table_of({"sample": name})
        assert called == f"{name}.csv"
        assert text.splitlines()[0].count(",") >= 3


def test_runs_are_held_against_the_dearest(page: TestClient) -> None:
    words = {"table": RUNS, "train-below": "2e19", "by": "flops"}
    text = page.post("/laws", data=words, headers=FRAGMENT).text
    check(text)
    found = re.search(r"auto (\d+\.\d\d)% off", facts(text))
    assert found is not None
    assert float(found[1]) < 1.0, "the runs have no noise"
    assert "Held against the dearest runs" in text
    answer = page.post("/api/v1/laws", json=words).json()
    assert answer["backtest"]["train_below"] == 2e19
    assert {one["kind"] for one in answer["backtest"]["predictors"]} == {"auto", "form", "baseline"}


def test_all_forms_are_weighed_where_that_is_asked(page: TestClient) -> None:
    text = page.post("/laws", data={"table": RUNS, "form": "auto"}, headers=FRAGMENT).text
    assert "Forms that were weighed" in text
    assert "rolling error" in text
    assert page.post("/laws", data={"table": RUNS, "form": "none"}).status_code == 400


@pytest.mark.parametrize("law", [{"law": "besiroglu2024"}, {"table": RUNS}], ids=["published", "fitted"])
def test_a_budget_is_split(page: TestClient, law: dict[str, str]) -> None:
    answer = page.post("/api/v1/laws/allocate", json={**law, "flops": "1e21"}).json()
    params, tokens = (answer["answers"][name]["value"] for name in ("params", "tokens"))
    assert 6 * params * tokens == pytest.approx(1e21, rel=1e-3)
    assert bool(answer["approaches"]) == ("table" in law)
    refused = page.post("/api/v1/laws/allocate", json=law)
    assert refused.status_code == 400
    assert "may be spent" in refused.json()["error"]["message"]


def test_two_groups_of_one_table_are_told_apart(page: TestClient) -> None:
    head, *rows = RUNS.splitlines()
    worse = [",".join([*row.split(",")[:2], f"{1.05 * float(row.split(',')[2]):.6f}"]) for row in rows]
    table = "\n".join([f"{head},kind", *(f"{row},a" for row in rows), *(f"{row},b" for row in worse)])
    words = {"table": table, "by": "kind", "same-tokens": "1", "targets": "N=1e9,D=2e10", "flops": "1e20"}
    answer = page.post("/api/v1/laws/compare", json=words).json()
    assert answer["laws"] == ["kind a", "kind b"]
    loss = next(one for one in answer["differences"] if one["name"].startswith("loss at"))
    assert loss["second"]["value"] / loss["first"]["value"] == pytest.approx(1.05, abs=0.003)
    for wrong in ({"by": "nothing"}, {"first": "c"}):
        assert page.post("/api/v1/laws/compare", json={**words, **wrong}).status_code == 400


def test_two_tables_are_compared(page: TestClient) -> None:
    files = [("runs", ("ours.csv", RUNS)), ("runs-b", ("theirs.csv", RUNS))]
    text = page.post("/laws/compare", files=files, data={"flops": "1e20"}, headers=FRAGMENT).text
    check(text)
    assert "ours.csv and theirs.csv" in facts(text)


def test_next_runs_come_as_cells_for_the_laboratory(page: TestClient) -> None:
    head, *rows = RUNS.splitlines()
    noise = (f"{row.rpartition(',')[0]},{float(row.rpartition(',')[2]) * (1 + 0.003 * (-1) ** place):.6f}"
             for place, row in enumerate(rows))  # fmt: skip
    words = {"table": "\n".join([head, *noise]), "targets": "N=10B,D=200B", "allowance": "1e20", "form": "chinchilla"}
    assert "next runs" in page.post("/laws/design", data=words, headers=FRAGMENT).text
    for form, start in (("study", "["), ("csv", "params,")):
        cells = page.post(f"/download/laws/design.{form}", data=words)
        assert cells.text.lstrip().startswith(start) or start in cells.text
    assert 'filename="isoflop-laws-design.csv"' in cells.headers["content-disposition"]
    none = page.post("/laws/design", data={**words, "table": RUNS, "allowance": "1e17"}, headers=FRAGMENT)
    assert none.status_code == 200, "runs without noise leave nothing to narrow"
    assert "given more" in none.text or "allow more" in none.text


def test_the_log_of_a_trainer_is_looked_ahead(page: TestClient) -> None:
    log = [{"step": step, "loss": 2 + 0.5 * (step / 100) ** -0.5} for step in range(20, 2000, 20)]
    state = json.dumps({"log_history": log, "global_step": 1980})
    files = {"runs": ("trainer_state.json", state)}
    words = {"total": "4000", "schedule": "constant"}
    answer = page.post("/api/v1/laws/running", files=files, data=words)
    assert answer.status_code == 200
    assert answer.json()["final_loss"]["value"] == pytest.approx(2 + 0.5 * 40**-0.5, rel=0.01)
    assert page.post("/api/v1/laws/running", files=files, data={"schedule": "constant"}).status_code == 422


def test_laws_of_rate_and_batch_advise(page: TestClient) -> None:
    answer = page.get(address("/api/v1/laws/hyper", params="7B", tokens="2T")).json()
    rows = answer["laws"]["rows"]
    assert rows
    assert "learning rate" in page.get(address("/laws/hyper", params="7B", tokens="2T"), headers=FRAGMENT).text
