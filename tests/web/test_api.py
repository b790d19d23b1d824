"""The API: the same calls as JSON, described by OpenAPI, never a 500."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.web.pages import address

import isoflop
from isoflop.report import dumps, plan_json, schema
from isoflop.report.schemas import schema_of
from isoflop.web.api import KINDS
from isoflop.web.views import all_views

VIEWS = all_views()
QUICK = [name for name in VIEWS if name != "accuracy"]


def test_a_plan_is_that_of_the_library(page: TestClient) -> None:
    answer = page.get(address("/api/v1/plan", budget="$4k", on="tpu-v4", commitment="3y"))
    assert answer.headers["content-type"] == "application/json"
    own = json.loads(dumps(plan_json(isoflop.plan(budget="$4k", on="tpu-v4", commitment="3y"))))
    assert answer.json()["answers"]["params"]["value"] == own["answers"]["params"]["value"]
    assert set(answer.json()) == set(own)


def test_answers_follow_the_published_schema(page: TestClient) -> None:
    answer = page.get(address("/api/v1/solve", target="train_flops", knowns="params=7B\ntokens=2T")).json()
    jsonschema.validate(answer, schema())
    assert answer["value"] == 8.4e22


@pytest.mark.parametrize("name", KINDS)
def test_answers_are_of_the_kind_that_the_description_names(page: TestClient, name: str) -> None:
    words = dict(VIEWS[name].examples[0][1])
    answer = (
        page.get(f"/api/v1/{name}?{urlencode(words)}")
        if not VIEWS[name].posts
        else page.post(f"/api/v1/{name}", json=words)
    )
    assert answer.status_code == 200
    jsonschema.validate(answer.json(), schema_of(KINDS[name][0]))


def test_a_post_says_what_a_get_says(page: TestClient) -> None:
    words = {"model": "llama-3.1-8b", "context": "32k"}
    got, posted = page.get(address("/api/v1/model", **words)), page.post("/api/v1/model", json=words)
    assert got.json() == posted.json()
    assert got.json()["params"]["total"] == 8_030_261_248


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/v1/plan?on=tpu-v9&budget=$4k", 400, "UnknownName"),
        ("/api/v1/plan?budgte=$4k", 400, "UnknownName"),
        ("/api/v1/plan?budget=$4k&budget=$5k", 400, "BadInput"),
        ("/api/v1/solve?target=params&knowns=tokens%3D4T", 422, "Undetermined"),
        ("/api/v1/solve", 400, "BadInput"),
        ("/api/v1/training?model=gpt2", 400, "BadInput"),
        ("/api/v1/training?model=gpt2&on=8xh100-sxm&tp=x", 400, "BadInput"),
        ("/api/v1/prices?device=h100-sxm-80gb&provider=nobody", 422, "MissingData"),
        (f"/api/v1/audit?{urlencode({**VIEWS['audit'].first, 'mfu': '0%'})}", 400, "BadInput"),
        ("/api/v1/nothing", 404, "NotFound"),
    ],
)
def test_an_error_is_an_object(page: TestClient, path: str, status: int, kind: str) -> None:
    answer = page.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == kind
    assert answer.json()["error"]["message"]


def test_an_unknown_field_says_which_there_are(page: TestClient) -> None:
    error = page.get("/api/v1/plan?budgte=$4k").json()["error"]
    assert error["matches"] == ["budget"]
    assert "There are: as-of, budget" in error["message"]


def test_the_description_names_every_call_and_field(page: TestClient) -> None:
    found = page.get("/api/v1/openapi.json").json()
    assert set(found["paths"]) == {f"/api/v1/{name}" for name in VIEWS}
    for name, view in VIEWS.items():
        call = found["paths"][f"/api/v1/{name}"]["get"]
        assert [one["name"] for one in call["parameters"]] == [one.name for one in view.fields if one.kind != "file"]
        assert ("post" in found["paths"][f"/api/v1/{name}"]) == view.posts
        assert {"200", "400", "422"} <= set(call["responses"])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"[1]", "application/json"),
        (b'{"text": 1}', "application/json"),
        (b'{"text": "a", "text": "b"}', "application/json"),
        (b'{"x": ' + b"[" * 100_000, "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"text=x", "text/plain"),
        (b"--x\r\n", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"%ff%fe=%00", "application/x-www-form-urlencoded"),
    ],
)
def test_broken_bodies_are_refused(page: TestClient, content: bytes, kind: str) -> None:
    for name in ("audit", "model", "laws"):
        answer = page.post(f"/api/v1/{name}", content=content, headers={"content-type": kind})
        assert answer.status_code in ({200, 400} if name == "laws" else {400})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("runs.pkl", b"\x80\x04\x95"),
        ("runs.csv", b"\x80\x04\x95"),
        ("runs.zip", b"PK\x03\x04"),
        ("runs.csv", b"\xff\xfe\x00"),
        ("runs.csv", b""),
        ("runs.csv", b"a,b\n1\n"),
        ("runs.csv", b"a,a\n1,2\n"),
        ("runs.csv", b"params,tokens\n1,2\n"),
        ("runs.csv", b"params,tokens,loss\n1e8,1e9,3\n"),
        ("runs.csv", b"params,tokens,loss\nnan,inf,-1\nx,y,z\n"),
        ("runs.json", b"[" * 50_000),
        ("runs.json", b'[{"a": ' + b"9" * 10_000 + b"}]"),
        ("runs.jsonl", b"{}\n3\n"),
        ("runs.parquet", b"PAR1"),
        ("../../etc/passwd", b"params,tokens,loss\n"),
        ("a" * 5000, b"x"),
    ],
)
def test_uploads_that_are_no_runs_are_refused(page: TestClient, name: str, data: bytes) -> None:
    answer = page.post("/laws", files={"runs": (name, data)}, headers={"x-fragment": "answer"})
    assert answer.status_code in ({200, 400, 422} if not data else {400, 422})
    assert "Traceback" not in answer.text


WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["7B", "$4k", "8xh100-sxm", "tpu-v4", "gpt2", "1T", "30 days", "40%", "-1", "0", "1e400", "nan", "inf"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_asked_is_answered_or_refused(page: TestClient, name: str, data: st.DataObject) -> None:
    view = VIEWS[name]
    fields = [one for one in view.fields if one.kind != "file"]
    some = data.draw(st.lists(st.sampled_from(fields), max_size=3, unique_by=lambda one: one.name))
    words = dict(view.first) if data.draw(st.booleans()) else {}
    for one in some:
        words[one.name] = data.draw(st.sampled_from(one.choices) if one.choices else WORDS)
    answer = page.get(f"/api/v1/{name}?{urlencode(words)}")
    assert answer.status_code in {200, 400, 422}, answer.text[:500]
    assert isinstance(answer.json(), dict)
