"""The application: routes to views, and how it is served."""

from __future__ import annotations

import gzip
from contextlib import suppress
from functools import cache, partial
from importlib.resources import files
from threading import Thread
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from isoflop import __version__
from isoflop.errors import BadInput, IsoflopError, MissingData
from isoflop.report import dumps, style
from isoflop.web import api, charts, compare, pages
from isoflop.web.fields import FILES
from isoflop.web.kitchen import SECONDS, Kitchen, TooSlow
from isoflop.web.request import words_of
from isoflop.web.safety import Door, Guard
from isoflop.web.views import all_views

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from isoflop.report.chart_theme import Mode
    from isoflop.web.fields import Shown, View

ASIDE = (compare.PIN, "width", "mode", "form-view")
SCRIPTS = {"page.js": "text/javascript", "page.css": "text/css"}
_DAY = "max-age=86400"


def create_app(door: Door | None = None, *, seconds: float = SECONDS) -> FastAPI:
    """The page and its API as an ASGI application behind `door` (loopback names, no token, where none is given).

    `seconds` is the time that one question may take.
    """
    app = FastAPI(
        title="isoflop",
        version=__version__,
        description="Plan, predict and prove LLM compute: the calls of the page as JSON, in base units.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from outside
        redoc_url=None,
    )
    kitchen = Kitchen(seconds)
    for view in all_views().values():
        methods = ["GET", "POST"] if view.posts else ["GET"]
        _route(app, f"/{view.name}", partial(_page, view, kitchen), methods)
        _route(app, f"/chart/{view.name}/{{kind}}.{{form}}", partial(_chart, view, kitchen), methods)
        _route(app, f"/download/{view.name}.{{form}}", partial(_download, view, kitchen), methods)
        api.add_call(app, view, kitchen)
    api.describe(app)
    _route(app, "/", _home, ["GET"])
    _route(app, "/api", _api, ["GET"])
    _route(app, "/static/{name}", _static, ["GET"])
    app.add_exception_handler(IsoflopError, _refused)
    app.add_exception_handler(TooSlow, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(GZipMiddleware, minimum_size=800, compresslevel=6)
    app.add_middleware(Guard, door=door or Door())
    return app


def _route(app: FastAPI, path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str]) -> None:
    """A route of the page: not part of the API's description."""

    async def called(request: Request) -> Response:
        return await endpoint(request)

    app.router.add_route(path, called, methods=methods, include_in_schema=False)


async def _home(request: Request) -> Response:
    del request
    return HTMLResponse(pages.home())


async def _api(request: Request) -> Response:
    del request
    return HTMLResponse(pages.api_page())


async def _page(view: View, kitchen: Kitchen, request: Request) -> Response:
    """A view: the whole page, or the answer (its rows alone, while a slider moves) for the page's own script."""
    wanted = request.headers.get("x-fragment", "")
    alone = wanted in {"answer", "rows"}
    words: Mapping[str, str] = {}
    status = 200
    try:
        words = await words_of(request, view, ASIDE)
        pins = compare.pins_of(view, request.query_params.multi_items())
        if words or not view.needs:
            answers = [await kitchen.answer(view, one) for one in (*pins, words)]
            if wanted == "rows" and not pins:
                return HTMLResponse(pages.rows(answers[-1]))
            svgs = (
                {} if alone or pages.query_of(words) or request.method == "GET" else await _svgs(kitchen, answers[-1])
            )
            beside = compare.side_by_side(view, words, pins, answers[:-1])
            answer = await kitchen.work(
                partial(pages.fragment, view, words, answers[-1], svgs=svgs, pinned=beside), slow=view.slow
            )
        else:
            answer = pages.waiting(view)
    except (IsoflopError, TooSlow) as error:
        kind, message, status = api.said_of(error)
        answer = pages.trouble(kind, message)
    return HTMLResponse(answer if alone else pages.page(view, words, answer), status_code=status)


async def _svgs(kitchen: Kitchen, shown: Shown) -> dict[str, str]:
    """Every chart as SVG in both modes: for a form whose charts no address can ask for."""

    def drawn() -> dict[str, str]:
        made = {}
        for kind in shown.charts:
            light, dark = charts.svg(shown, kind, "light"), charts.svg(shown, kind, "dark")
            made[kind] = f'<div class="by-day">{light}</div><div class="by-night">{dark}</div>'
        return made

    return await kitchen.work(drawn, slow=True)


async def _chart(view: View, kitchen: Kitchen, request: Request) -> Response:
    """A chart: Vega-Lite for the page's script, SVG for a page without one, or as a file."""
    words = await words_of(request, view, ASIDE)
    kind, form = request.path_params["kind"], request.path_params["form"]
    shown = await kitchen.answer(view, words)
    width = charts.width_of(request.query_params.get("width", ""))
    if form == "json":
        text = await kitchen.work(lambda: charts.spec_json(shown, kind, width), slow=view.slow)
        return Response(text, media_type="application/json")
    if form == "svg":
        mode: Mode = "dark" if request.query_params.get("mode") == "dark" else "light"
        text = await kitchen.work(lambda: charts.svg(shown, kind, mode, width), slow=view.slow)
        return Response(text, media_type="image/svg+xml")
    raise BadInput(f"a chart comes as svg or json, not as '{form[:20]}'")


async def _download(view: View, kitchen: Kitchen, request: Request) -> Response:
    """The answer as a file: json, csv, html, and the further forms that it has."""
    words = await words_of(request, view, ASIDE)
    form = request.path_params["form"]
    shown = await kitchen.answer(view, words)
    makers: dict[str, tuple[str, Callable[[], str] | None]] = {
        "json": ("application/json", lambda: dumps(shown.json())),
        "csv": ("text/csv", shown.csv),
        "html": ("text/html", shown.page),
    }
    kind, make = ("text/plain", shown.files[form]) if form in shown.files else makers.get(form, ("", None))
    if make is None:
        there = ", ".join([key for key, (_, one) in makers.items() if one is not None] + [*shown.files])
        raise MissingData(f"this answer does not come as '{form[:20]}'; it comes as {there}")
    text = await kitchen.work(make, slow=True)
    ending = FILES[form][1] if form in shown.files else form
    name = f'attachment; filename="isoflop-{view.name.replace("/", "-")}.{ending}"'
    return Response(text, media_type=kind, headers={"content-disposition": name})


async def _static(request: Request) -> Response:
    """Our own script and style, the style of `report`, and Vega from vl-convert's bundle; by name, never by path."""
    found = _files(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    body, packed, kind = found
    headers = {"cache-control": _DAY, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=kind, headers={**headers, "content-encoding": "gzip"})
    return Response(body, media_type=kind, headers=headers)


@cache
def _files(name: str) -> tuple[bytes, bytes, str] | None:
    if name in SCRIPTS:
        body, kind = files("isoflop.web").joinpath("static", name).read_bytes(), SCRIPTS[name]
    elif name == "report.css":
        body, kind = style().encode(), "text/css"
    elif name == "vega.js":
        body, kind = charts.script(), "text/javascript"
    else:
        return None
    return body, gzip.compress(body, 9, mtime=0), kind


async def _refused(request: Request, error: Exception) -> Response:
    """An error as the asker reads it: JSON for scripts, HTML for people."""
    kind, message, status = api.said_of(error)
    if request.url.path.startswith("/api/v1") or request.url.path.endswith(".json"):
        return JSONResponse(api.error_object(error), status_code=status)
    return HTMLResponse(pages.lost(kind, message), status_code=status)


def _warm() -> None:
    """Load the charts and the catalogues, and pack the script that draws, before somebody waits for them."""
    with suppress(IsoflopError):  # without the extra 'plot' there is nothing to load, and the page says so
        plan = all_views()["plan"]
        shown = plan.answer(plan.first)
        for kind in shown.charts:
            charts.spec_json(shown, kind, charts.USUAL)
        _files("vega.js")


def serve(door: Door, *, host: str, port: int) -> None:
    """Serve until interrupted. What the first question needs is loaded while the first page is read."""
    import uvicorn

    Thread(target=_warm, daemon=True).start()
    uvicorn.run(create_app(door), host=host, port=port, log_level="warning", server_header=False, ws="none")
