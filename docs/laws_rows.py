"""The table of docs/laws_fit.md that holds printed figures against what one command gives: tests/golden/laws_rows.toml.

python docs/laws_rows.py            print it
python docs/laws_rows.py --write    put it into docs/laws_fit.md
"""

from __future__ import annotations

import json
import shlex
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "golden" / "laws_rows.toml"
PAGE = ROOT / "docs" / "laws_fit.md"
BEGIN, END = "<!-- rows: python docs/laws_rows.py --write -->", "<!-- end of rows -->"


def answer(command: str) -> object:
    """The JSON that a command prints."""
    from isoflop.cli import main

    words = [str(ROOT / word) if word.startswith("tests/") else word for word in shlex.split(command)[1:]]
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        try:
            main([*words, "--json"])
        except SystemExit as left:
            if left.code:
                raise
    return json.loads(out.getvalue())


def found(held: object, path: str) -> float:
    """The number at a path: of a fit (constants.E), of a table of figures (FIGURE.LAW), or of a single row (COLUMN)."""
    assert isinstance(held, dict)
    if "rows" not in held:
        first, _, second = path.partition(".")
        return float(held[first][second])
    if len(held["rows"]) == 1:
        return float(held["rows"][0][path])
    figure, law = next(
        (row["figure"], law)
        for row in held["rows"]
        for law in row
        if path == f"{row['figure']}.{law}" and law not in {"figure", "unit"}
    )
    return float(next(row[law] for row in held["rows"] if row["figure"] == figure))


def like(value: float, printed: str) -> str:
    """A value with the digits that `printed` has."""
    number, letter, power = printed.partition("e")
    decimals = len(number.partition(".")[2])
    if not letter:
        return f"{value:.{decimals}f}"
    return f"{value / 10.0 ** int(power):.{decimals}f}e{power}"


def rows() -> list[tuple[str, str, str, str, str, str]]:
    """What, name, ours, printed, command, oddity; one tuple a row of the table."""
    told = []
    for table in tomllib.loads(CASES.read_text(encoding="utf-8"))["table"]:
        held = answer(table["command"])
        for row in table["rows"]:
            ours = like(found(held, row["path"]), row["printed"])
            told.append((table["what"], row["name"], ours, row["printed"], table["command"], row.get("odd", "")))
    return told


def page() -> str:
    """The table in Markdown: a heading and a command for each group, then its rows."""
    lines: list[str] = []
    last = ""
    for what, name, ours, printed, command, odd in rows():
        if what != last:
            lines += ["", f"{what}: `{command}`", "", "| figure | ours | printed | |", "|---|---|---|---|"]
            last = what
        lines.append(f"| {name} | {ours} | {printed} | {'equal' if ours == printed else odd or 'DIFFERS'} |")
    return "\n".join([*lines[1:], ""])


def main() -> None:
    """Print the table, or write it into the page."""
    text = page()
    if "--write" not in sys.argv:
        sys.stdout.write(text)
        return
    held = PAGE.read_text(encoding="utf-8")
    before, after = held.split(BEGIN)[0], held.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
