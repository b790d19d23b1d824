"""Schemathesis reads the API's description and asks what it allows: no call ends in a 500, none beyond its words."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="asking all that the description allows needs schemathesis")

from hypothesis import HealthCheck, Phase, settings  # noqa: E402 - where it is installed

from isoflop.web import Door, create_app  # noqa: E402 - where it is installed

APP = create_app(Door(hosts=frozenset({"127.0.0.1", "localhost", "testserver"})), seconds=60.0)
SLOW = ["/api/v1/accuracy", "/api/v1/laws", "/api/v1/laws/design", "/api/v1/cost"]
"""Calls whose examples take seconds each; test_api.py asks them too."""
SCHEMA = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APP).exclude(path=SLOW)
NAMES = ("not_a_server_error", "status_code_conformance", "content_type_conformance")
schemathesis.checks.load_all_checks()
CHECKS = [schemathesis.checks.CHECKS.get_one(name) for name in NAMES]


@SCHEMA.parametrize()
@settings(
    max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True,
    phases=(Phase.generate,),  # every example of the description is a test of test_pages.py
)  # fmt: skip
def test_every_call_keeps_to_its_description(case: schemathesis.Case) -> None:
    answer = case.call(timeout=120)
    assert answer.status_code != 421, "asked under a name that is let in"
    case.validate_response(answer, checks=CHECKS)
