"""`isoflop web`: who it lets in, and that it serves."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient
from tests.architecture.house import ROOT

from isoflop.cli.web import command, door_of
from isoflop.errors import BadInput
from isoflop.web.safety import LOOPBACK
from isoflop.web.views import all_views

TOKEN = "0123456789abcdef"  # noqa: S105 - of this test alone


def test_loopback_needs_no_token() -> None:
    assert door_of("127.0.0.1", None, ()).hosts == LOOPBACK
    assert door_of("localhost", None, ()).token == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "box.lan", "::"])  # noqa: S104 - refused
def test_another_address_needs_a_token(host: str) -> None:
    with pytest.raises(BadInput, match=r"lets others in: give a --token of 16 characters or more"):
        door_of(host, None, ("box.lan",))
    assert door_of(host, TOKEN, ("box.lan",)).token == TOKEN


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(BadInput, match="has 6 characters; give at least 16"):
        door_of("127.0.0.1", "secret", ())


def test_every_address_needs_a_name() -> None:
    with pytest.raises(BadInput, match="say with --name under which name"):
        door_of("0.0.0.0", TOKEN, ())  # noqa: S104 - refused
    assert "box.lan" in door_of("0.0.0.0", TOKEN, ("Box.lan",)).hosts  # noqa: S104 - with a token and a name


def test_a_bad_port_is_refused() -> None:
    assert CliRunner().invoke(command, ["--port", "70000"]).exit_code == 2


def test_it_serves_and_stops() -> None:
    served = subprocess.Popen(
        [sys.executable, "-m", "isoflop", "web", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert served.stdout is not None
        where = served.stdout.readline().strip()
        assert where.startswith("http://127.0.0.1:")
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"{where}static/page.css", timeout=10) as answer:  # noqa: S310 - our own page
                    assert answer.status == 200
                    assert "server" not in answer.headers
                break
            except OSError:
                import time

                time.sleep(0.05)
        else:
            pytest.fail("it did not begin to answer")
    finally:
        served.terminate()
        served.communicate(timeout=20)


# --- docs/web.md -----------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
CALLS = [
    line.split("'")[1].removeprefix("http://127.0.0.1:8765") for line in PAGE.splitlines() if line.startswith("curl ")
]


def test_the_docs_name_every_view() -> None:
    for view in all_views().values():
        assert view.title in PAGE


@pytest.mark.parametrize("call", CALLS)
def test_the_calls_in_the_docs_answer(page: TestClient, call: str) -> None:
    answer = page.get(call)
    assert answer.status_code == 200
    assert answer.content


def test_there_are_calls_in_the_docs() -> None:
    assert len(CALLS) >= 4
