"""What stands before every request: who may ask, from where, how much; and what the browser may do with the answer.

The page answers on loopback. A browser on the same machine can be led there by any page of the web, so the Host must be
one of ours (else a foreign name that resolves to 127.0.0.1 could read answers), and an Origin, where one is sent, must
be the page itself. Another address than loopback is served only with a token.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 5_000_000
"""Bytes of a request's body."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
COOKIE = "isoflop_token"

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""What a page may load: its own files. `data:` are pictures inside the page, as the SVG of a chart."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may ask: the names that `Host` may hold, and the token that must be shown; "" for none."""

    hosts: frozenset[str] = LOOPBACK
    token: str = ""


class TooLarge(Exception):
    """A body that goes on beyond what is read."""


class Guard:
    """ASGI middleware: refuses what the door does not let in, and sets the headers of every response."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it may not pass."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no web sockets
        headers = Headers(scope=scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    held[name] = value
                if "cache-control" not in held:
                    held["cache-control"] = "no-store"
            await send(message)

        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, with_headers)
            return
        try:
            await self._app(scope, _counted(receive), with_headers)
        except TooLarge:
            await _no(413, "TooLarge", _LARGE)(scope, receive, with_headers)

    def _refused(self, scope: Scope, headers: Headers) -> JSONResponse | RedirectResponse | None:
        host = headers.get("host", "")
        if host_name(host) not in self._door.hosts:
            return _no(421, "WrongHost", "this name is not the page's; open it as http://127.0.0.1 with its port")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return _no(403, "WrongOrigin", "another site asked for this page; open it by its own address")
        if headers.get("sec-fetch-site") == "cross-site" and scope["method"] not in {"GET", "HEAD"}:
            return _no(403, "WrongOrigin", "another site sent this form; open the page by its own address")
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > MOST_BYTES:
            return _no(413, "TooLarge", _LARGE)
        return self._without_token(scope, headers) if self._door.token else None

    def _without_token(self, scope: Scope, headers: Headers) -> JSONResponse | RedirectResponse | None:
        """None where the token is shown; once given in the address, it moves to a cookie, out of sight."""
        shown = headers.get("authorization", "").removeprefix("Bearer ").strip()
        cookies = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
        held = next((value for name, _, value in cookies if name == COOKIE), "")
        if self._fits(shown) or self._fits(held):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and self._fits(query.get("token", [""])[0]):
            rest = urlencode([(key, value) for key, values in query.items() if key != "token" for value in values])
            away = RedirectResponse("/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else ""), status_code=303)
            away.set_cookie(COOKIE, self._door.token, httponly=True, samesite="strict")
            return away
        return _no(401, "NoToken", "a token is needed: open the address with ?token=... as isoflop web printed it")

    def _fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._door.token.encode())


def host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("LocalHost:8000"), host_name("[::1]:80")
    ('localhost', '[::1]')
    """
    plain = host.strip().lower()
    if plain.startswith("["):
        return plain.partition("]")[0] + "]"
    return plain.partition(":")[0]


_LARGE = f"more than {MOST_BYTES / 1e6:.0f} MB; send the final rows of each run, or use the command line"


def _no(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status_code=status)


def _counted(receive: Receive) -> Receive:
    """The same body; raises TooLarge once it goes on beyond what is read, whatever its headers said."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if seen > MOST_BYTES:
            raise TooLarge
        return message

    return counted
