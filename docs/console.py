"""Console blocks in hand-written pages: what stands under `$ isoflop ...` is what that command printed.

A block of the language `console` holds one command line and its output. `make docs` runs the command and writes its output anew; the
tests compare. So no number in a page is typed in.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```console\n\$ (?P<command>isoflop (?:[^\n]*\\\n)*[^\n]*)\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL)


def refreshed(text: str) -> str:
    """The page with every console block as its command prints it now."""
    return BLOCK.sub(lambda found: f"```console\n$ {found['command']}\n{printed(found['command'])}```", text)


def printed(command: str) -> str:
    """Standard output and then standard error of a command at 80 columns, run away from anybody's settings."""
    words = shlex.split(command)[1:]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ISOFLOP_")}
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [sys.executable, "-m", "isoflop", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=nowhere,
            env={**kept, "COLUMNS": "80", "NO_COLOR": "1", "XDG_CONFIG_HOME": nowhere, "PYTHONIOENCODING": "utf-8"},
        )
    return "".join(f"{part.rstrip()}\n" for part in (done.stdout, done.stderr) if part.strip())
