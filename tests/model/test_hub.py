"""Names on the Hub, against a server of our own on the loopback: fetched once, cached; errors say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "rms_norm_eps": 1e-5,
}
BODY = json.dumps(CONFIG).encode()
ASK = """
import sys
from isoflop.errors import IsoflopError
from isoflop.model import counts, describe
try:
    found = describe(sys.argv[1])
except IsoflopError as error:
    print(type(error).__name__, error.exit_code, error)
else:
    print(found.spec.name, found.origin, found.verified, counts(found.spec).params, found.spec.source)
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as a config.json needs; `asked` remembers what was fetched."""

    asked: list[str] = []  # noqa: RUF012 - the server's log

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        status, headers, size = 200, {}, len(BODY)
        if "/us/tiny/resolve/" in self.path:
            if "/resolve/nowhere/" in self.path:
                status, headers = 404, {"X-Error-Code": "RevisionNotFound"}
        elif "/us/empty/" in self.path:
            status, headers = 404, {"X-Error-Code": "EntryNotFound"}
        elif "/us/gated/" in self.path:
            status, headers = 403, {"X-Error-Code": "GatedRepo"}
        elif "/us/broken/" in self.path:
            status = 500
        elif "/us/huge/" in self.path:
            size = 10**9
        else:
            status, headers = 404, {"X-Error-Code": "RepoNotFound"}
        self.send_response(status)
        if status == 200:
            headers = {"ETag": '"abc"', "X-Repo-Commit": COMMIT, "Content-Length": str(size)}
        for name, value in (headers or {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()
        if body and status == 200:
            self.wfile.write(BODY)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(name: str, home: Path, **env: str) -> str:
    """What `describe` makes of a name, in a process of its own: the library reads its settings when it is imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, name],
        capture_output=True, text=True, check=False, env={**kept, "HF_HOME": str(home), **env}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


def test_a_name_is_fetched_once_and_then_cached(hub: str, tmp_path: Path) -> None:
    said = ask("hf:us/tiny", tmp_path, HF_ENDPOINT=hub)
    assert said == f"tiny hub True 86848 hf:us/tiny@{COMMIT[:12]}, config.json, model_type llama"
    assert Hub.asked == ["/us/tiny/resolve/main/config.json"]  # and nothing about who asks
    assert ask("hf:us/tiny", tmp_path, HF_ENDPOINT=hub) == said
    assert len(Hub.asked) == 1
    assert ask("hf:us/tiny", tmp_path, HF_HUB_OFFLINE="1") == said
    assert ask("hf:us/tiny", tmp_path, HF_ENDPOINT="http://127.0.0.1:9") == said


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("hf:us/nothing", "BadInput 2", "the Hub has no model 'us/nothing'"),
        ("hf:us/tiny@nowhere", "BadInput 2", "has no revision 'nowhere'"),
        ("hf:us/empty", "MissingData 3", "holds no config.json"),
        ("hf:us/gated", "MissingData 3", "is gated"),
        ("hf:us/broken", "MissingData 3", "cannot be reached"),
        ("hf:us/huge", "BadInput 2", "1,000,000,000 bytes"),
        ("hf:us--x/tiny", "BadInput 2", "is no name on the Hub"),
        ("hf:", "BadInput 2", "is no name on the Hub"),
        ("hf:../../etc", "BadInput 2", "is no name on the Hub"),
    ],
)
def test_errors_say_what_to_do(hub: str, tmp_path: Path, name: str, kind: str, says: str) -> None:
    said = ask(name, tmp_path, HF_ENDPOINT=hub)
    assert said.startswith(kind)
    assert says in said
    assert "\n" not in said


@pytest.mark.parametrize("env", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_without_a_network_the_way_out_is_a_path(tmp_path: Path, env: dict[str, str]) -> None:
    said = ask("hf:us/tiny", tmp_path, **env)
    assert said.startswith("MissingData 3 hf:us/tiny is not in the cache")
    assert "give the path of that file" in said


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    code = f"import sys; sys.modules['huggingface_hub'] = None\n{ASK}"
    done = subprocess.run([sys.executable, "-c", code, "hf:us/tiny"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingData 3")
    assert "pip install 'isoflop[hub]'" in done.stdout


def test_a_name_without_the_prefix_never_asks(hub: str, tmp_path: Path) -> None:
    said = ask("us/tiny", tmp_path, HF_ENDPOINT=hub)
    assert said.startswith("BadFile 2")
    assert "write hf:us/tiny to look it up on the Hub" in said
    assert not Hub.asked
