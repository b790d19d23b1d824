"""HTML of the page: templates filled with views and answers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isoflop.web.compare import MOST, address
from isoflop.web.fields import FILES
from isoflop.web.views import all_views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.web.compare import Pinned
    from isoflop.web.fields import Shown, View

LONGEST_SHARED = 6_000
"""Characters of a query that still make an address to share."""


@cache
def environment() -> Environment:
    """The templates; every value is escaped unless it is HTML of `report`."""
    made = Environment(
        loader=PackageLoader("isoflop.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["html_of"] = Markup  # only for what report has drawn and escaped
    made.filters["query"] = query_of
    made.globals["file_names"] = {form: name for form, (name, _) in FILES.items()}
    return made


def query_of(words: Mapping[str, str]) -> str:
    """The words as the query of an address; "" where they are too long to share."""
    made = urlencode(sorted(words.items()))
    return made if len(made) <= LONGEST_SHARED else ""


def menu() -> dict[str, View]:
    """The views of the menu: those that stand under no other."""
    return {name: one for name, one in all_views().items() if not one.under}


def tabs(view: View) -> list[View]:
    """The view with those that stand under the same one; none where it is alone."""
    first = view.under or view.name
    found = [one for one in all_views().values() if first in {one.name, one.under}]
    return found if len(found) > 1 else []


def page(view: View, words: Mapping[str, str], answer: str) -> str:
    """A whole page: menu, form, answer."""
    held = {"view": view, "words": words, "answer": Markup(answer), "lists": lists(view)}  # noqa: S704 - drawn by us
    return environment().get_template("view.html").render(views=menu(), tabs=tabs(view), **held)


def home() -> str:
    """The first page: what each view answers, with an example."""
    under = {name: tabs(view)[1:] for name, view in menu().items()}
    return environment().get_template("home.html").render(views=menu(), view=None, under=under)


def api_page() -> str:
    """The calls of the API with examples, in place of a page that loads scripts from outside."""
    return environment().get_template("api.html").render(views=menu(), calls=all_views(), view=None)


def rows(shown: Shown) -> str:
    """The rows of an answer alone: what is shown while a slider moves."""
    return environment().get_template("rows.html").render(shown=shown)


def fragment(
    view: View, words: Mapping[str, str], shown: Shown, *, svgs: Mapping[str, str], pinned: Sequence[Pinned] = ()
) -> str:
    """The answer alone. `svgs` are charts that no address can ask for, for a reader without JavaScript."""
    return (
        environment()
        .get_template("answer.html")
        .render(
            view=view,
            words=words,
            shown=shown,
            query=query_of(words),
            svgs={key: Markup(text) for key, text in svgs.items()},  # noqa: S704 - drawn by vl-convert, texts escaped
            pinned=pinned,
            compared=compared(shown, pinned),
            pin=pin_address(view, words, pinned),
            charts={kind: view.charts.get(kind, kind) for kind in shown.charts},
        )
    )


def compared(shown: Shown, pinned: Sequence[Pinned]) -> dict[str, list[str]]:
    """Row label -> what this answer and each pinned one say; labels in the order they first come."""
    own = {row.label: row.value for block in shown.blocks for row in block.rows}
    columns = [own, *(one.rows for one in pinned)]
    labels = dict.fromkeys(label for column in columns for label in column)
    return {label: [column.get(label, "") for column in columns] for label in labels}


def pin_address(view: View, words: Mapping[str, str], pinned: Sequence[Pinned]) -> str:
    """The address of this answer with itself pinned; "" where four are pinned, or it is among them."""
    pins = [one.words for one in pinned]
    if len(pins) >= MOST or dict(words) in map(dict, pins):
        return ""
    return address(view, words, [*pins, words])


def trouble(kind: str, message: str) -> str:
    """What is said where there is no answer."""
    return environment().get_template("trouble.html").render(kind=kind, message=message)


def lost(kind: str, message: str) -> str:
    """The same as a whole page, where there is no form to stand beside it."""
    told = Markup(trouble(kind, message))  # noqa: S704 - escaped by its template
    return environment().get_template("lost.html").render(views=menu(), view=None, answer=told)


def waiting(view: View) -> str:
    """What stands in the place of an answer before anything is asked."""
    return environment().get_template("waiting.html").render(view=view)


def lists(view: View) -> dict[str, Sequence[str]]:
    """The names that fields of a view offer."""
    wanted = {one.listed for one in view.fields if one.listed}
    return {name: names for name, names in _all_lists().items() if name in wanted}


@cache
def _all_lists() -> dict[str, Sequence[str]]:
    from isoflop.hardware import device_names, grid_names
    from isoflop.laws import published_laws
    from isoflop.model import model_names
    from isoflop.quantity import quantities

    return {
        "models": model_names(),
        "devices": device_names(),
        "grids": grid_names(),
        "laws": tuple(published_laws()),
        "quantities": tuple(quantities()),
    }
