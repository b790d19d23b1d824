"""`/api/v1/...`: every view as a call that answers in JSON, described by OpenAPI from the same fields as the form."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation

from isoflop.errors import IsoflopError, UnknownName
from isoflop.report import dumps, schema
from isoflop.web.kitchen import TooSlow
from isoflop.web.request import words_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from isoflop.report.json import Json
    from isoflop.web.fields import Field, View
    from isoflop.web.kitchen import Kitchen

STATUS = {2: 400, 3: 422, 4: 422}
"""HTTP status by exit code: what cannot be read; not determined, or data missing; infeasible."""

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "exit_code": {"type": "integer"},
                "matches": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}


KINDS: dict[str, tuple[str, ...]] = {
    "plan": ("answers",), "solve": ("answer",), "check": ("reconciliation",), "model": ("model",),
    "dtype": ("stored", "formats"), "training": ("training",), "cost": ("cost", "table"), "serving": ("serving",),
    "audit": ("audit",), "laws/allocate": ("laws-allocate",), "laws/compare": ("laws-compare",),
    "laws/design": ("laws-design",), "laws/running": ("laws-running",), "devices": ("table",), "prices": ("table",),
}  # fmt: skip
"""What a call answers with, of the kinds of `isoflop schema`: the same objects as --json prints."""


def describe(app: FastAPI) -> None:
    """Put the published schemas of answers into the description of the API."""
    plain = app.openapi

    def whole() -> dict[str, object]:
        made = plain()
        held = made.setdefault("components", {}).setdefault("schemas", {})
        held.update(_published())
        return made

    app.openapi = whole  # type: ignore[method-assign]  # FastAPI says to


@cache
def _published() -> dict[str, Json]:
    """Every kind of answer, with references as OpenAPI has them."""
    kinds = schema()["$defs"]
    assert isinstance(kinds, dict)
    text = json.dumps(kinds).replace('"#/$defs/', '"#/components/schemas/')
    made: dict[str, Json] = json.loads(text)
    return made


def add_call(app: FastAPI, view: View, kitchen: Kitchen) -> None:
    """The call of a view."""

    async def call(request: Request) -> Response:
        shown = await kitchen.answer(view, await words_of(request, view))
        return Response(await kitchen.work(lambda: dumps(shown.json())), media_type="application/json")

    for method in ("GET", "POST") if view.posts else ("GET",):
        app.add_api_route(
            f"/api/v1/{view.name}",
            call,
            methods=[method],
            name=view.title,
            summary=view.lead,
            operation_id=f"{method.lower()}_{view.name.replace('/', '_')}",
            response_class=Response,
            responses=_responses(view),
            openapi_extra=_described(view, method),
        )


def _responses(view: View) -> dict[int | str, dict[str, object]]:
    error = {"content": {"application/json": {"schema": _ERROR}}}
    kinds = [{"$ref": f"#/components/schemas/{name}"} for name in KINDS.get(view.name, ())]
    one_of: object = {"anyOf": kinds} if len(kinds) > 1 else kinds[0] if kinds else {"type": "object"}
    plain = {"content": {"application/json": {"schema": one_of}}}
    return {
        200: {"description": "The answer, in base units.", **plain},
        400: {"description": "Something cannot be read; the message says what would be.", **error},
        413: {"description": "More than 5 MB.", **error},
        422: {"description": "Not determined, data missing, or infeasible.", **error},
        503: {"description": "Over the time budget.", **error},
    }  # fmt: skip


def _described(view: View, method: str) -> dict[str, object]:
    """Parameters of a GET, or the body of a POST, with the view's example."""
    fields = [one for one in view.fields if one.kind != "file"]
    if method == "POST":
        schema = {
            "type": "object",
            "properties": {one.name: {**_schema(one), "description": _words(one)} for one in fields},
            "additionalProperties": False,
        }
        content = {"application/json": {"schema": schema, "examples": _examples(view)}}
        return {"requestBody": {"required": True, "content": content}}
    example = view.first or dict(view.examples[0][1])
    parameters = [
        {
            "name": one.name,
            "in": "query",
            "required": False,
            "description": _words(one),
            "schema": _schema(one),
            **({"example": example[one.name]} if one.name in example else {}),
        }
        for one in fields
    ]
    return {"parameters": parameters}


def _examples(view: View) -> dict[str, object]:
    """Every example of the page, by its number."""
    return {
        f"example-{place}": {"summary": label, "value": dict(words)}
        for place, (label, words) in enumerate(view.examples, start=1)
    }


def _schema(one: Field) -> dict[str, object]:
    if one.kind == "choice":
        return {"type": "string", "enum": list(one.choices)}
    if one.kind == "flag":
        return {"type": "string", "enum": ["1"]}
    return {"type": "string"}


def _words(one: Field) -> str:
    return ". ".join(part.rstrip(".") for part in (one.label, one.hint) if part) + "."


def said_of(error: Exception) -> tuple[str, str, int]:
    """(kind, message, HTTP status) of an error."""
    if isinstance(error, IsoflopError):
        return type(error).__name__, str(error), STATUS.get(error.exit_code, 400)
    if isinstance(error, TooSlow):
        return "TooSlow", "this takes longer than the page waits; ask for less, or use the command line", 503
    if isinstance(error, HTTPException):
        words = {404: "there is no such page", 405: "this page takes no such request"}
        return "NotFound", words.get(error.status_code, str(error.detail)), error.status_code
    raise error


def error_object(error: Exception) -> dict[str, Json]:
    """The same as JSON."""
    kind, message, _ = said_of(error)
    found: dict[str, Json] = {"type": kind, "message": message}
    if isinstance(error, IsoflopError):
        found["exit_code"] = error.exit_code
    if isinstance(error, UnknownName):
        found["matches"] = list(error.matches)
    return {"error": found}
