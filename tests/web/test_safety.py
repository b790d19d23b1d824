"""Who may ask, from where, how much: the page is safe beside any page of the web that a browser has open."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.web.pages import client

from isoflop.web import Door
from isoflop.web.safety import MOST_BYTES, POLICY

TOKEN = "0123456789abcdef0123"  # noqa: S105 - of this test alone


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.", "[::2]"]
)
def test_a_name_that_is_not_ours_is_refused(page: TestClient, host: str) -> None:
    assert page.get("/plan", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:80", "[::1]:8765"])
def test_loopback_is_answered_under_each_of_its_names(page: TestClient, host: str) -> None:
    assert page.get("/plan", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:81", "file://"])
def test_another_origin_is_refused(page: TestClient, origin: str) -> None:
    assert page.get("/api/v1/solve", headers={"origin": origin}).status_code == 403
    assert page.post("/audit", data={"text": "x"}, headers={"origin": origin}).status_code == 403


def test_the_page_itself_may_send_forms(page: TestClient) -> None:
    sent = page.post("/audit", data={"text": "7B x 2T x 6 = 8.4e22"}, headers={"origin": "http://127.0.0.1"})
    assert sent.status_code == 200


def test_a_form_from_another_site_is_refused_without_an_origin_too(page: TestClient) -> None:
    assert page.post("/audit", data={"text": "x"}, headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/plan", "/static/page.js", "/nowhere", "/api/v1/plan?on=no-such-chip"])
def test_every_answer_says_what_the_browser_may_load(page: TestClient, path: str) -> None:
    answer = page.get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "cache-control" in answer.headers


def test_refusals_carry_the_same_headers(page: TestClient) -> None:
    assert page.get("/plan", headers={"host": "evil.example"}).headers["content-security-policy"] == POLICY


def test_five_megabytes_are_the_most(page: TestClient) -> None:
    large = "x" * (MOST_BYTES + 1)
    assert page.post("/api/v1/audit", content=large, headers={"content-type": "application/json"}).status_code == 413


def test_a_body_whose_length_is_not_said_is_counted(page: TestClient) -> None:
    def endless() -> object:
        for _ in range(100):
            yield b"x" * 100_000

    answer = page.post("/audit", content=endless(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_and_forms_are_answered(page: TestClient, method: str) -> None:
    assert page.request(method, "/plan").status_code == 405


def test_there_are_no_pages_that_load_from_outside(page: TestClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert page.get(path).status_code == 404


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e%2fapp.py", "..%5capp.py", "page.css%00", "/etc/passwd", "views"])
def test_static_files_go_by_name(page: TestClient, name: str) -> None:
    assert page.get(f"/static/{name}").status_code == 404


# --- another address than loopback -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> TestClient:
    return client(Door(hosts=frozenset({"127.0.0.1", "box.lan"}), token=TOKEN))


def test_without_its_token_nothing_is_answered(guarded: TestClient) -> None:
    for path in ("/", "/plan", "/api/v1/plan", "/static/page.js", "/nowhere", "/plan?token=wrong", "/plan?token="):
        assert guarded.get(path).status_code == 401


def test_the_token_may_be_a_header(guarded: TestClient) -> None:
    assert guarded.get("/plan", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/plan", headers={"authorization": f"Bearer {TOKEN}x"}).status_code == 401


def test_a_token_in_the_address_moves_to_a_cookie() -> None:
    with client(Door(token=TOKEN)) as fresh:
        moved = fresh.get(f"/plan?token={TOKEN}&budget=$4k", follow_redirects=False)
        assert moved.status_code == 303
        assert moved.headers["location"] == "/plan?budget=%244k"
        cookie = moved.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert fresh.get("/plan").status_code == 200


def test_the_redirect_stays_on_the_page() -> None:
    with client(Door(token=TOKEN)) as fresh:
        moved = fresh.get(f"http://127.0.0.1//evil.example/?token={TOKEN}", follow_redirects=False)
        assert moved.headers["location"].startswith("/evil")
