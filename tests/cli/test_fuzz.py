"""Whatever is typed, the command line answers or says why not: no traceback, a known exit code, one paragraph."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.ask import CHOICES
from isoflop.book import BOOK
from isoflop.cli import main
from isoflop.errors import Infeasible
from isoflop.quantity import quantities, quantity

FEW = ("--samples", "100")
LONGEST_MESSAGE = 1200


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def leave(words: Sequence[str], out: io.StringIO | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command; anything but SystemExit that comes out of it fails the test."""
    out, err = out or io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def check(words: Sequence[str], codes: Sequence[int] = (0, 1, 2, 3, 4)) -> str:
    """Run the command and hold what it prints against the rules; what it printed."""
    code, out, err = leave(words)
    said = f"{words} left with {code}, {out[:200]!r}, {err[:400]!r}"
    assert code in codes, said
    assert "Traceback" not in out + err, said
    if code in {0, 1}:
        assert out, said
        assert not err, said
        if "--json" in words:
            json.loads(out, parse_constant=refuse_constant)
    elif code == Infeasible.exit_code and out:
        assert words[0] == "plan", said  # a plan that does not fit its chips is shown all the same
        assert not err, said
    else:
        assert not out, said
        assert err.strip(), said
        assert len(err) <= LONGEST_MESSAGE, said
        assert err.startswith("Usage: ") or err.count("\n") == 1, said  # click's own errors show the usage first
    return out + err


# ---- random words

NAMES = st.sampled_from(sorted(quantities()))
VALUES = st.sampled_from(
    """7B 1e22 $4k 90-100␣days 0.3␣to␣0.5 40%␣±␣5% ~1e25 64xH100-SXM 3700␣PF-days 80␣GiB 312␣TFLOP/s/chip 32␣chip
    $33,849/month/slice $2/chip/h 0 -1 1e308 1e-300 1e400 NaN inf -inf ∞ % $ 0.5 30␣days 1.4T␣tokens 0␣to␣1 1-1 ± to
    0.99␣±␣0.5 1e300␣to␣1e308 1e-300␣to␣1e300 ~99% 5␣to␣2 1/0 0x10 1e 1e+ -- 1,2,3 1__0 [1,␣2] 1␣2 ٧ ⁷ 10^999 10^(-9)
    """.replace("\n", " ").split()
).map(lambda text: text.replace("␣", " "))
GARBAGE = st.text(max_size=12) | st.text("0123456789.eE+-%$±~ tokMBT×/^()[]{}\"'\\\x00\n\u202e\ud800", max_size=12)
WORDS_OF_CHOICES: dict[str, str] = {
    "device": "h100 tpu-v4 64xv100 8xl4 zzz nvidia 0xh100 -3xh100 99999999999xh100",
    "on": "h100 8xa100",
    "dtype": "bf16 fp8 fp16-sparse int4 x",
    "model": "7B gpt2 mixtral-8x7b t5-3b 100T 1M 0B / ..",
    "law": "besiroglu2024 hoffmann2022-rounded ratio20 kaplan2020 hoffmann x",
    "allocation": "optimal none 20 0 -1 x",
    "tokenizer": "llama-3 o200k qwen x",
    "language": "de german code x",
    "grid": "usa x",
    "provider": "google x",
    "commitment": "1y 3y spot x",
    "region": "us x",
    "as_of": "2023-03-29 2000-01-01 2023 2023-13 x",
    "prices": "x /",
}
CHOSEN = st.sampled_from([f"{key}={word}" for key, words in WORDS_OF_CHOICES.items() for word in words.split()])
ODD = st.sampled_from(["", "=", "==", "=1", "a=", "x=y", "tokens", "-", "-x", "--x", "\x00=\x00", "slice=slice", "C=1"])


@st.composite
def likely(draw: st.DrawFn, name: str) -> str:
    """A known of a size that has been seen, as a point or a range."""
    low, high = quantity(name).plausible
    low = max(low, 1e-12)
    size = low * (max(high, low) / low) ** draw(st.floats(0.0, 1.0))
    return f"{name}={draw(st.sampled_from(['{0:.4g}', '~{0:.4g}', '{1:.4g} to {0:.4g}', '{1:.4g}-{0:.4g}']))}".format(
        size, size / 2
    )


ANY_WORD = (
    NAMES.flatmap(likely)
    | CHOSEN
    | st.builds("{}={}".format, NAMES, VALUES | GARBAGE)
    | st.builds("{}={}".format, GARBAGE, VALUES)
    | ODD
    | GARBAGE
)


@st.composite
def one_relation(draw: st.DrawFn) -> list[str]:
    """A target and most of what one formula needs for it, so that many of these questions have an answer."""
    target, *others = draw(st.permutations(draw(st.sampled_from(BOOK)).quantities))
    return ["solve", target, *(draw(likely(name)) for name in others if draw(st.integers(0, 9)))]


def forms(*names: str) -> st.SearchStrategy[list[str]]:
    return st.sampled_from([[], ["--explain"], ["--json"], *(["--format", name] for name in names)])


@settings(max_examples=150)
@given(target=NAMES | GARBAGE, words=st.lists(ANY_WORD, max_size=6), form=forms("md", "html", "latex", "mermaid"))
def test_solve_takes_any_words(target: str, words: list[str], form: list[str]) -> None:
    check(["solve", *FEW, *form, target, *words])


@settings(max_examples=120)
@given(words=one_relation(), extra=st.lists(CHOSEN, max_size=1), form=forms("md", "html", "latex", "mermaid"))
def test_solve_takes_likely_words(words: list[str], extra: list[str], form: list[str]) -> None:
    check([*words, *extra, *FEW, *form])


GOOD_FLAGS = {
    "--budget": "$4k $1 $1e9 $3k␣to␣$5k ~$1m",
    "--deadline": "30␣days 1␣h 20-40␣days 1e3␣years",
    "--on": "h100 8xh100 tpu-v4 64xa100 1xrtx-4090 mi300x",
    "--model": "7B gpt3-175b mixtral-8x7b bert-base 100T 1M",
    "--params": "7B 1e6 1e13 ~70B",
    "--tokens": "1T 1e6 1e15 1e10␣to␣1e12",
    "--loss": "2.2 1.8 1.5 4",
    "--demand": "1T 1e16 1",
    "--mfu": "40% 1 0.3␣to␣0.5 20-60%",
    "--law": "besiroglu2024 hoffmann2022-rounded ratio20",
    "--price": "$2/chip/h $1e-9/chip/h",
    "--commitment": "3y spot",
    "--as-of": "2024-01-01",
    "--grid": "france",
    "--dtype": "fp8",
}
BAD_FLAGS = {
    "--budget": "0 -$1 4000␣EUR $1e15",
    "--deadline": "0␣s 7␣tokens",
    "--on": "0xh100 1.5xh100 h1000 h100,a100",
    "--model": "gpt9 1e30 /",
    "--params": "1 1e300",
    "--tokens": "2T␣words",
    "--loss": "11 1e9 -1",
    "--mfu": "140% 40",
    "--law": "kaplan2020 hoffmann",
    "--price": "$2 $30/h/slice nowhere.toml",
    "--commitment": "9y",
    "--as-of": "1900 soon",
    "--grid": "mars",
    "--dtype": "fp4 x",
}


def flags(table: dict[str, str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.sampled_from([(flag, word.replace("␣", " ")) for flag, words in table.items() for word in words.split()])


GOOD_FLAG = flags(GOOD_FLAGS)
ANY_FLAG = flags(BAD_FLAGS) | st.tuples(st.sampled_from(sorted(GOOD_FLAGS)), VALUES | GARBAGE)
CHECKED: st.SearchStrategy[list[str]] = st.sampled_from([[], ["--check"]])


def some(flag: st.SearchStrategy[tuple[str, str]], least: int, most: int) -> st.SearchStrategy[dict[str, str]]:
    return st.lists(flag, min_size=least, max_size=most).map(dict)


@settings(max_examples=40)
@given(
    start=st.sampled_from([("--budget", "$4k"), ("--model", "7B"), ("--deadline", "3 days"), ("--loss", "2.5")]),
    more=some(GOOD_FLAG, 1, 4),
    form=forms("md", "html"),
    checked=CHECKED,
)
def test_plan_takes_likely_words(
    start: tuple[str, str], more: dict[str, str], form: list[str], checked: list[str]
) -> None:
    given = {"--on": "64xh100", start[0]: start[1], **more}
    check(["plan", *FEW, *form, *checked, *(part for flag in given.items() for part in flag)])


@settings(max_examples=80)
@given(good=some(GOOD_FLAG, 0, 3), bad=some(ANY_FLAG, 0, 2), words=st.lists(ANY_WORD, max_size=1), checked=CHECKED)
def test_plan_takes_any_words(good: dict[str, str], bad: dict[str, str], words: list[str], checked: list[str]) -> None:
    check(["plan", *FEW, *checked, *(part for flag in {**good, **bad}.items() for part in flag), *words])


@settings(max_examples=60)
@given(
    command=st.sampled_from(["devices", "prices", "quantities", "formulas"]),
    word=NAMES | GARBAGE | st.sampled_from(["h100", "tpu", "mi300", "l4", "x.toml", "./x", "/"]),
)
def test_listings_take_any_word(command: str, word: str) -> None:
    if not word.startswith("-"):
        check([command, word, "--json"], (0, 2, 3))


MODEL_FLAGS = {
    "--sequence": "1 4096 32Ki 1e11 0 -1 NaN 1e300",
    "--context": "1 128k 1e6 0 x",
    "--convention": "6nd full-attention x",
    "--kv-dtype": "fp8 int4 x",
}


@settings(max_examples=100)
@given(
    names=st.lists(
        GARBAGE | VALUES | st.sampled_from(["gpt2", "7B", "t5-small", "bert-base", "/", "x/y", "./x.gguf", "hf:"]),
        min_size=1,
        max_size=2,
    ),
    flag=some(flags(MODEL_FLAGS), 0, 2),
    form=forms("md", "html", "csv"),
)
def test_model_takes_any_words(names: list[str], flag: dict[str, str], form: list[str]) -> None:
    if not any(name.startswith(("-", "hf:")) and name != "hf:" for name in names):
        check(["model", *names, *form, *(part for pair in flag.items() for part in pair)])


def test_the_choices_of_a_question_are_all_fuzzed() -> None:
    assert WORDS_OF_CHOICES.keys() == CHOICES.keys()


# ---- numbers

HUGE = "9" * 1_000_000
NO_VALUES = {
    **{word: word for word in ("NaN", "-nan", "inf", "Infinity", "1e400", "-1e400", "1e-400", "0", "-5", "½", "Ⅶ")},
    **{
        word: word for word in ("1e308 to 1e400", "0 to 0", "-1 to 1", "1 ± 2", "8 to 7", "€4", "4 EUR", "0x10", "1__0")
    },
    "a million digits": HUGE,
    "an exponent of a million digits": f"1e{HUGE}",
    "a million decimals": f"0.{HUGE}",
    "up to a million digits": f"1 to {HUGE}",
    "empty": "",
    "blank": " ",
    "NUL": "\x00",
    "surrogate": "\ud800",
    "right to left": "\u202e7",
    "combining": "7\u0301",
}
DOORS_OF_VALUES = ("tokens={}", "chips={}", "mfu={}", "slice={}", "device={}xh100", "allocation={}")


@pytest.mark.parametrize("kind", NO_VALUES)
@pytest.mark.parametrize("door", DOORS_OF_VALUES)
def test_a_value_that_is_none_is_refused(kind: str, door: str) -> None:
    check(["solve", "train_flops", "params=1B", *FEW, door.format(NO_VALUES[kind])], (2, 3))


@pytest.mark.parametrize("count", ["0", "-3", "1.5", "1e3", "NaN", "½", "99999999999"])
def test_a_count_of_devices_is_a_whole_number(count: str) -> None:
    check(["plan", "--on", f"{count}xh100", "--deadline", "3 days"], (2,))


DOORS_OF_NAMES = """{0}; solve {0}; solve params {0}=1; solve params {0}; solve params law={0}; solve params model={0}
    devices {0}; devices --dtype {0}; devices --vendor {0}; quantities --section {0}; formulas {0}; prices {0}
    plan --on {0}; plan --model {0} --tokens 1T; plan --grid {0} --budget $1 --on h100; plan --as-of {0} --on h100
    model {0}; model ./{0}; model hf:{0}; model gpt2 --context {0}; model gpt2 --kv-dtype {0}; model {0}.json
    plan --provider {0} --on h100; plan --dtype {0} --on h100; plan --price {0} --on h100; plan {0}
    solve params tokens={0} tokens={0}; solve params device={0} on={0}; plan --tokens {0} tokens={0}"""


@pytest.mark.parametrize("letter", ["a", "9", "é", "\x00", "=", "-", " ", "[", "\n", "\ud800"], ids=repr)
@pytest.mark.parametrize("door", [door.strip() for door in DOORS_OF_NAMES.replace("\n", ";").split(";")])
def test_a_very_long_name_is_cut_short_in_the_message(letter: str, door: str) -> None:
    check([part.format(letter * 100_000) for part in door.split(" ")], (2, 3))


def test_what_says_nothing_says_so() -> None:
    for words in (("solve", "params", "=", "==", "= ="), ("plan", "="), ("solve", ""), ("devices", ""), ("plan", "")):
        check(words, (2, 3))


# ---- files

DEVICE = """
title = "A chip"
vendor = "Us"
kind = "GPU"
year = 2024
[peak_rate]
bf16 = { value = VALUE, unit = "FLOP/s/chip", source = "us", date = "2024", dense = true }
"""


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


BROKEN: dict[str, Callable[[Path], object]] = {
    "deep brackets": text("a = " + "[" * 100_000 + "]" * 100_000),
    "deep tables": text("a = " + "{a = " * 100_000 + "1" + "}" * 100_000),
    "deep key": text("[" + ".".join("a" * 100_000) + "]\nb = 1"),
    "10 MB": text('title = "x"\n#' + "x" * 10_000_000),
    "10 MB of numbers": text("a = [" + "1," * 5_000_000 + "]"),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "UTF-16": lambda path: path.write_bytes(DEVICE.encode("utf-16")),
    "NUL": text("a = 1\x00"),
    "key twice": text("title = 'a'\ntitle = 'b'"),
    "table twice": text("[defaults]\nmfu = 0.4\n[defaults]\nmfu = 0.4"),
    "NaN": text(DEVICE.replace("VALUE", "nan")),
    "infinite": text(DEVICE.replace("VALUE", "inf")),
    "1e400": text(DEVICE.replace("VALUE", "1e400")),
    "a million digits": text(DEVICE.replace("VALUE", "9" * 900_000)),
    "negative": text(DEVICE.replace("VALUE", "-1e14")),
    "a word for a number": text(DEVICE.replace("VALUE", '"fast"')),
    "no TOML": text("<html>"),
    "no closing quote": text('title = "' + "\\" * 100_001),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nobody may read it": lambda path: path.symlink_to("/proc/self/mem"),
}
"""Files that are refused as a device, and (with what else stands in them) as prices and settings."""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_at_every_door(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    BROKEN[kind](Path("own.toml"))
    for words, codes in (
        (("devices", "own.toml"), (2,)),
        (("plan", "--budget", "$4k", "--on", "8xown.toml"), (2,)),
        (("solve", "chip_time", "device=own.toml", "train_flops=1e20"), (2,)),
        (("solve", "train_cost", "device=h100", "price=own.toml", "train_flops=1e20"), (2, 3)),
        (("model", "own.toml"), (2,)),
        (("solve", "train_flops", "tokens=1B", "model=own.toml"), (2,)),
    ):
        assert "own.toml" in check(words, codes)
    if kind != "a link to itself":  # which is as good as no file
        Path("own.toml").rename("isoflop.toml")
        assert "isoflop.toml" in check(("config",), (2,))
        check(("solve", "train_flops", "params=1B", "tokens=1B"), (2,))


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "model.gguf", "model.safetensors.index.json"])
def test_a_broken_model_is_refused(kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    BROKEN[kind](Path(name))
    for asked in (f"./{name}", "."):
        said = check(("model", asked), (2, 3))
        assert asked in said or name in said


@pytest.mark.parametrize("content", ["mfu = 0.4", "[default]\nmfu = 0.4", "defaults = 3", "[defaults]\nmfuu = 1"])
def test_settings_that_would_be_passed_over_are_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("isoflop.toml").write_text(content, encoding="utf-8")
    assert "isoflop.toml" in check(("config",), (2,))


def test_a_wrong_setting_says_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MFU", "140%")
    assert "ISOFLOP_MFU" in check(("solve", "train_flops", "params=1B", "tokens=1B"), (2,))
    monkeypatch.setenv("ISOFLOP_MFU", "")  # an empty variable is none
    check(("solve", "train_flops", "params=1B", "tokens=1B"), (0,))


def test_a_plan_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    words = ("plan", "--budget", "$4k", "--on", "h100", "--out", str(tmp_path / "nowhere" / "plan.md"))
    assert "cannot write" in check(words, (2,))


def test_a_full_disk_is_no_traceback() -> None:
    code, _, err = leave(("quantities",), FullDisk())
    assert (code, err.count("\n")) == (2, 1)
    assert "No space left" in err
