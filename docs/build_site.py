"""The site: the pages of docs/ and of the root, the notebooks run, formulas as MathML; then zensical draws it.

    python docs/build_site.py             build it into build/site, and look at every link and address in it
    python docs/build_site.py FOLDER      into another folder
    --quick                               with notebooks as they are written, not run

Nothing in it is loaded from outside, and nothing needs a script to be read: browsers draw MathML themselves. Everything
that is ours happens before the generator: mkdocs.yml and plain Markdown are read by mkdocs and its successors alike.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

BESIDE = {"CONTRIBUTING.md": "contributing.md", "VISION.md": "vision.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository's root, and where they stand in the site; the README is its home page."""

MATHEMATICAL = ("glossary.md", "formulas.md", "derivations.md", "course.md")
"""Pages in which $ ... $ is a formula; elsewhere it is money."""

CODE = re.compile(r"(^```.*?^```$|^<div class=\"highlight console\">.*?</div>$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?=\S)(?P<inline>[^$\n]+?)(?<=\S)\$(?!\w)", re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^<!-- not run: .*? -->\n", re.MULTILINE)
UNIT_IN_CELL = re.compile(r"(?<=\d) (?=(?:%|[A-Za-z]{1,5}(?:/[a-z]+)*)(?: est\.)? \|)")
LINK = re.compile(r"\]\((?P<to>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
TO_CODE = re.compile(r"(?<!!)\[(?P<said>[^\]]+)\]\((?:\.\./)*(?:src|tests|examples|benchmarks)/[^)]*\)")


def stage(to: Path, *, outputs: bool) -> None:
    """Everything the generator reads, in one folder."""
    from docs.notebooks import pages as notebook_pages

    shutil.copytree(DOCS, to, ignore=shutil.ignore_patterns("*.py", "*.toml", "__pycache__"))
    shutil.copy(ROOT / "src/isoflop/report/style.css", to / "site" / "answer.css")
    for name, place in BESIDE.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        (to / place).write_text(LINK.sub(_from_root, text), encoding="utf-8")
    (to / "notebooks").mkdir()
    for place, text in notebook_pages(outputs=outputs).items():
        (to / place).write_text(text, encoding="utf-8")
    for path in to.rglob("*.md"):
        name = path.relative_to(to).as_posix()
        path.write_text(staged(name, path.read_text(encoding="utf-8")), encoding="utf-8")


def _from_root(found: re.Match[str]) -> str:
    """A link of a page of the root, as it is from docs/."""
    to = found["to"].removeprefix("docs/")
    to = "index.md" if to == "README.md" else BESIDE.get(to, to)
    return f"]({to}{found['anchor'] or ''})"


def staged(name: str, text: str) -> str:
    """A page with links that stay inside, and formulas as MathML where it has some."""
    up = "../" * name.count("/")

    def moved(found: re.Match[str]) -> str:
        outside = found["to"].removeprefix("../" + up)
        if outside not in {*BESIDE, "README.md"} or outside == found["to"]:
            return found[0]
        return f"]({up}{BESIDE.get(outside, 'index.md')}{found['anchor'] or ''})"

    text = CONSOLE.sub(_console, NOT_RUN.sub("", text))
    text = UNIT_IN_CELL.sub("\N{NO-BREAK SPACE}", text)
    parts = CODE.split(text)
    for at in range(0, len(parts), 2):
        parts[at] = LINK.sub(moved, TO_CODE.sub(r"\g<said>", parts[at]))
        if name in MATHEMATICAL:
            parts[at] = FORMULA.sub(_mathml, parts[at])
    return "".join(parts)


def _console(found: re.Match[str]) -> str:
    """A block of commands, whose outputs no highlighter takes for commands because they start with a price."""
    lines = [
        f'<span class="gp">$</span> <span class="cmd">{escape(line[2:], quote=False)}</span>'
        if line.startswith("$ ")
        else escape(line, quote=False)
        for line in found[1].splitlines()
    ]
    body = "\n".join(lines)
    return f'<div class="highlight console"><pre><code>{body}\n</code></pre></div>'


def _mathml(found: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    block = found["block"] is not None
    drawn = convert((found["block"] or found["inline"]).strip(), display="block" if block else "inline")
    drawn = drawn.replace("|", "&#124;").replace("*", "&#42;").replace("_", "&#95;")
    return f"<div>{drawn}</div>" if block else drawn


def build(to: Path, *, outputs: bool = True) -> None:
    """Stage the pages in a folder of their own and draw them, strictly."""
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder, "docs"), outputs=outputs)
        shutil.copy(ROOT / "mkdocs.yml", folder)
        command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(Path(folder, "site"), to)


# --- what is asked of the result -------------------------------------------------------------------------------------


class Read(HTMLParser):
    """The anchors of a page, what it links to, and what a browser would load for it."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what the tag says."""
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if "src" in said:
            self.loads.append(said["src"])
        if tag == "link" and said.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append(said.get("href", ""))


def faults(site: Path) -> list[str]:
    """Links of the built site that lead nowhere, and what it would load from outside."""
    read: dict[Path, Read] = defaultdict(Read)
    for path in sorted(site.rglob("*.html")):
        read[path.resolve()].feed(path.read_text(encoding="utf-8"))
    found: list[str] = []
    for path, page in list(read.items()):
        where = path.relative_to(site.resolve())
        found += [f"{where} loads {one} from outside" for one in page.loads if urlparse(one).netloc]
        for link in {*page.links, *page.loads}:
            target, anchor = urldefrag(link)
            if urlparse(link).scheme or urlparse(link).netloc or path.name == "404.html":
                continue
            at = (path.parent / unquote(target)).resolve() if target else path
            at = at / "index.html" if at.is_dir() else at
            if not at.exists():
                found.append(f"{where} links to {link}, which is not there")
            elif (
                anchor and at.suffix == ".html" and unquote(anchor) not in read[at].anchors | {"__skip", "__codelineno"}
            ):
                found.append(f"{where} links to {link}, which has no such place")
    return found


def main(words: list[str]) -> int:
    """Build, then say what is wrong with it."""
    sys.path.insert(0, str(ROOT))
    folders = [word for word in words if not word.startswith("-")]
    to = Path(folders[0]).resolve() if folders else ROOT / "build" / "site"
    build(to, outputs="--quick" not in words)
    wrong = faults(to)
    print("\n".join(wrong) if wrong else f"{len(list(to.rglob('*.html')))} pages in {to}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
