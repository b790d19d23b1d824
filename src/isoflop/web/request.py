"""What a request says: the words of a view, from its query or its body; the body is read in memory and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from isoflop.errors import BadFile, BadInput, UnknownName, shorten
from isoflop.web.safety import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from isoflop.web.fields import View

LONGEST_QUERY = 16_000


class _InMemory(MultiPartParser):
    """Starlette's parser, with no part ever spooled to a file on disk."""

    spool_max_size = 2 * MOST_BYTES


async def words_of(request: Request, view: View, aside: Iterable[str] = ()) -> dict[str, str]:
    """What is said in the fields of a view; empty fields say nothing, fields that it has not are refused.

    `aside` are words that belong to the page and not to the question. Raises: BadInput, BadFile.
    """
    if len(request.url.query) > LONGEST_QUERY:
        raise BadInput("the address is too long; send the form by POST")
    pairs: list[tuple[str, str]] = list(request.query_params.multi_items())
    if request.method == "POST":
        pairs += await _body(request, view)
    return known(view, pairs, aside)


def known(view: View, pairs: Iterable[tuple[str, str]], aside: Iterable[str] = ()) -> dict[str, str]:
    """The pairs as words of a view."""
    uploads = view.uploads
    names = {one.name for one in view.fields if one.kind != "file"} | {word for two in uploads.values() for word in two}
    words: dict[str, str] = {}
    for key, text in pairs:
        if key in set(aside) or not text.strip():
            continue
        name = key.replace("_", "-")
        if name not in names:
            shown = names - {word for _, word in uploads.values()}
            raise UnknownName(f"field of {view.name}", key, shown, hint=f"There are: {', '.join(sorted(shown))}.")
        if name in words and words[name] != text:
            raise BadInput(f"'{shorten(name)}' is given twice: {shorten(words[name])} and {shorten(text)}")
        words[name] = text if view.posts and name in view.texts else text.strip()
    return words


async def _body(request: Request, view: View) -> list[tuple[str, str]]:
    """The fields of a form, or of a JSON object of texts."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _json(await request.body())
    if kind == "multipart/form-data":
        try:
            form = await _InMemory(request.headers, request.stream(), max_files=2, max_fields=60,
                                   max_part_size=MOST_BYTES).parse()  # fmt: skip
        except (MultiPartException, KeyError) as error:
            raise BadInput(
                f"the form cannot be read: {getattr(error, 'message', 'its parts are not marked')}"
            ) from error
    elif kind == "application/x-www-form-urlencoded":
        form = await FormParser(request.headers, request.stream()).parse()
    else:
        raise BadInput("send a form (multipart/form-data), or a JSON object of texts (application/json)")
    pairs: list[tuple[str, str]] = []
    try:
        for key, value in form.multi_items():
            if not isinstance(value, UploadFile):
                pairs.append((key, value))
            elif value.filename:
                text, name = view.uploads.get(key, (key, key))
                pairs += [(text, _text(await value.read(), value.filename)), (name, value.filename)]
    finally:
        await form.close()
    return pairs


def _json(body: bytes) -> list[tuple[str, str]]:
    from isoflop.quantity.json_file import parse_json

    try:
        held: Mapping[str, object] = parse_json(body.decode("utf-8"), "the body")
    except UnicodeDecodeError as error:
        raise BadFile("the body is not UTF-8 text") from error
    for key, value in held.items():
        if not isinstance(value, str):
            raise BadInput(f"'{shorten(key)}' is no text; write values as on the page, in quotes")
    return [(key, str(value)) for key, value in held.items()]


def _text(data: bytes, name: str) -> str:
    if data[:2] in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"}:
        raise BadFile(f"{shorten(name)}: pickles and archives are not read; export CSV, JSON Lines or JSON.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{shorten(name)}: not UTF-8 text; save it as UTF-8 CSV or JSONL.") from error
