"""The notebooks of examples/notebooks, run without Jupyter, and drawn as pages of the site.

A cell is Python; its last expression is shown as Jupyter would show it: HTML where a value draws itself, a chart as a
picture, otherwise text. The files hold no outputs: those of the site are of the code that stands beside it.

    python docs/notebooks.py        run them all, say how long each takes
"""

from __future__ import annotations

import ast
import contextlib
import html
import io
import json
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "notebooks"


class Shown(NamedTuple):
    """What a cell printed, and its last value as HTML or text."""

    printed: str
    value: str
    is_html: bool


class Cell(NamedTuple):
    """A cell as the file has it."""

    kind: str
    source: str
    outputs: int


def notebooks() -> list[Path]:
    """Every notebook, in the order of their names."""
    return sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[Cell]:
    """The cells of a notebook."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [Cell(cell["cell_type"], "".join(cell["source"]), len(cell.get("outputs", []))) for cell in found]


def run(path: Path) -> list[tuple[Cell, Shown | None]]:
    """Run a notebook from top to bottom in an empty folder; what fails is raised."""
    from docs.console import empty_folder

    names: dict[str, object] = {"__name__": "__main__"}
    with empty_folder():
        return [(cell, _shown(cell, names, path) if cell.kind == "code" else None) for cell in cells(path)]


def _shown(cell: Cell, names: dict[str, object], path: Path) -> Shown:
    body = ast.parse(cell.source, filename=path.name)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    out, value = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        exec(compile(body, path.name, "exec"), names)  # noqa: S102 - our own notebooks
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)  # noqa: S307
    text, is_html = _drawn(value)
    return Shown(out.getvalue(), text, is_html)


def _drawn(value: object) -> tuple[str, bool]:
    """A value as HTML where it draws itself, a chart as SVG, otherwise its text."""
    if value is None:
        return "", False
    if type(value).__module__.startswith("altair"):
        from isoflop.report import chart_svg

        return chart_svg(value), True
    draw = getattr(value, "_repr_html_", None)
    if draw is not None:
        return re.sub(r"<style>.*?</style>", "", draw(), flags=re.DOTALL), True
    return repr(value), False


def pages(*, outputs: bool = True) -> dict[str, str]:
    """Every notebook as a page of the site, by its place there, and the page that lists them."""
    made = {f"notebooks/{path.stem}.md": page(path, outputs=outputs) for path in notebooks()}
    rows = [f"| [{title(path)}]({path.stem}.md) | `examples/notebooks/{path.name}` |" for path in notebooks()]
    intro = (ROOT / "examples" / "notebooks" / "README.md").read_text(encoding="utf-8")
    made["notebooks/index.md"] = "\n".join([intro.rstrip(), "", "| notebook | file |", "|---|---|", *rows, ""])
    return made


def title(path: Path) -> str:
    """The first heading of a notebook."""
    return cells(path)[0].source.splitlines()[0].removeprefix("# ")


def page(path: Path, *, outputs: bool = True) -> str:
    """A notebook with what its cells show; without outputs nothing is run."""
    parts: list[str] = []
    for cell, shown in run(path) if outputs else [(cell, None) for cell in cells(path)]:
        parts.append(cell.source if cell.kind == "markdown" else f"```python\n{cell.source}\n```")
        if shown is None:
            continue
        if shown.printed:
            parts.append(f"```text\n{shown.printed.rstrip()}\n```")
        if shown.value and shown.is_html:
            parts.append(f'<div class="answers">{_flat(shown.value)}</div>')
        elif shown.value:
            parts.append(f"```text\n{shown.value}\n```")
    return "\n\n".join([*parts, f"This page is `examples/notebooks/{html.escape(path.name)}`, run."]) + "\n"


def _flat(text: str) -> str:
    """HTML without empty lines, which would end it in Markdown."""
    return re.sub(r"\n\s*\n", "\n", text.strip())


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for found in notebooks():
        began = time.process_time()
        run(found)
        print(f"{found.name}: {time.process_time() - began:.1f} s")
