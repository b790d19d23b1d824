"""No path from a client is opened: not as a model, a device, a price, a law, nor under any other word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.web.pages import address

from isoflop.errors import BadInput, IsoflopError, UnknownName
from isoflop.web.names import guarded, model_name

CONFIG = '{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 99}'


@pytest.fixture
def lair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[str]]]:
    """A working folder full of files that a name could mean, and a list of those that were opened."""
    for name in ("config.json", "mymodel", "7C", "device.toml", "price.toml", "law.toml", "fit.json", "1xours.toml"):
        (tmp_path / name).write_text(CONFIG, encoding="utf-8")
    for folder in ("folder", "prices", "node"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text(CONFIG, encoding="utf-8")
        (tmp_path / folder / "device.toml").write_text("x = 1", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    watching = [True]

    def watch(event: str, args: tuple[object, ...]) -> None:
        if watching[0] and event in {"open", "os.listdir", "os.scandir"} and args and isinstance(args[0], str | Path):
            place = Path(args[0]).resolve()
            if place == tmp_path or tmp_path in place.parents:
                opened.append(str(args[0]))

    sys.addaudithook(watch)
    yield tmp_path, opened
    watching[0] = False


NAMES = (
    "./config.json", "config.json", "mymodel", "folder", "./folder", "7C", "../x", "~/x", "/etc/passwd", "C:\\x",
    "hf:org/name", "org/name", "device.toml", "8x./device.toml", "4xdevice.toml", "DEVICE.TOML", "price.toml",
    "law.toml",
    "fit.json",
    "prices", " ./config.json", "folder/", "file:///etc/passwd", ".", "..", "\\\\host\\share", "1xours.toml",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_word_opens_a_file(page: TestClient, lair: tuple[Path, list[str]], name: str) -> None:
    folder, opened = lair
    absolute = str(folder / name) if name == "config.json" else name
    for text in {name, absolute}:
        calls = (
            address("/api/v1/plan", model=text, tokens="1T", on="8xh100-sxm"),
            address("/api/v1/plan", budget="$4k", on=text),
            address("/api/v1/plan", budget="$4k", on="tpu-v4", law=text),
            address("/api/v1/plan", budget="$4k", on="tpu-v4", price=text),
            address("/api/v1/plan", budget="$4k", on="tpu-v4", grid=text),
            address("/api/v1/plan", budget="$4k", on="tpu-v4", knowns=f"prices={text}"),
            address("/api/v1/solve", target="params", knowns=f"model={text}\ntokens=1T"),
            address("/api/v1/solve", target="train_flops", knowns=f"device={text}\ntokens=1T"),
            address("/api/v1/model", model=text),
            address("/api/v1/training", model=text, on="8xh100-sxm"),
            address("/api/v1/training", model="gpt2", on=text),
            address("/api/v1/serving", model=text, on="8xh100-sxm"),
            address("/api/v1/serving", model="gpt2", on=text),
            address("/api/v1/serving", model="gpt2", on="8xh100-sxm", price=text),
            address("/api/v1/devices", device=text),
            address("/api/v1/prices", device=text),
        )
        for call in calls:
            answer = page.get(call)
            assert answer.status_code in {400, 422}, (call, answer.text[:200])
    assert opened == []


def test_the_watch_sees_what_is_opened(lair: tuple[Path, list[str]]) -> None:
    """What the test above stands on: the library itself does open these, and that is seen."""
    from isoflop.model import describe

    _, opened = lair
    for name in ("./config.json", "mymodel"):
        with suppress(IsoflopError):
            describe(name)
    assert {Path(one).name for one in opened} == {"config.json", "mymodel"}


def test_a_size_goes_on_as_a_number() -> None:
    assert model_name("7B") == 7e9
    assert model_name(" Llama 3.1 8B ") == "llama-3.1-8b"
    with pytest.raises(UnknownName, match="no model"):
        model_name("no-such-model")


def test_prices_and_numbers_with_a_slash_are_no_files() -> None:
    words = {"price": "$33,849/month/slice", "mfu": ".4", "slice": "32 chip", "peak_rate": "312 TFLOP/s"}
    assert guarded(words) == words


@given(st.text(max_size=60), st.sampled_from(["model", "on", "law", "price", "grid", "prices", "tokens"]))
def test_whatever_is_said_is_passed_on_whole_or_refused(text: str, key: str) -> None:
    try:
        safe = guarded({key: text})[key]
    except IsoflopError:
        return
    assert safe == text or key == "model"
    assert not str(safe).lower().rstrip().endswith((".toml", ".json"))


def test_a_refusal_says_what_to_do_instead() -> None:
    with pytest.raises(BadInput, match="the page opens no files; give a name of the catalogue, paste the text"):
        guarded({"model": "./config.json"})
