"""Every help text: its form, what it points to, and its examples, each of which is run."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.cli.walk import contexts

from isoflop.cli import COMMANDS, main
from isoflop.cli.manual import Command, Group, Page, broken, page_of
from isoflop.cli.pages import COMMAND_SECTIONS, OWN_EXITS, OWN_SECTIONS, SEE, SUBCOMMANDS, close_commands
from isoflop.cli.roff import file_of, roff

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "src" / "isoflop" / "accuracy" / "rows"
PAGES: dict[str, Page] = {ctx.command_path: page_of(ctx.command, ctx) for ctx in contexts()}
KINDS = {ctx.command_path: ctx.command for ctx in contexts()}

# how an example begins -> why it is not run here
NOT_RUN = {
    "isoflop measure": "measures this machine for minutes, with torch",
    "isoflop lab": "trains models, with torch; tests/lab does",
    "isoflop web": "serves until it is stopped; tests/web does",
    "isoflop training tinyllama-1.1b --on 1x./my.toml": "needs a device that isoflop measure has written",
    "isoflop laws predict error.json": "needs a law of errors; tests/laws fits one",
    "isoflop laws fit runs.csv --law auto": "seconds a form; tests/laws does",
    "isoflop laws plot": "seconds; tests/laws draws them all",
    "isoflop training llama-3.1-70b --on h100-sxm": "seconds of search over counts of chips; tests/training does",
    "isoflop laws running log.csv": "needs the log of a complete run; tests/laws does",
    "isoflop laws backtest": "seconds; test_schema does",
    "isoflop runs --table costs": "seconds; tests/training does",
    "isoflop laws design": "ten seconds; test_schema asks for less",
    "isoflop validate hours": "seconds; test_schema does",
    "isoflop cost llama-3.1-8b --tokens 1T --deadline": "seconds; test_schema does",
    "isoflop laws compare ours.csv theirs.csv": "two fits with resamples; tests/laws does",
    "isoflop laws allocate fit.json --flops 1e24 --runs": "seconds; tests/laws does",
    "isoflop calibrate": "half a minute of fitting; tests/accuracy does",
    "source ": "bash's own word; test_completion does",
    "isoflop completion fish --install": "writes into the home folder; test_completion does",
    "isoflop man --out": "writes into the home folder; below",
}
NEEDS_PLOT = (".svg", ".png")


def examples() -> list[tuple[str, str]]:
    """(path of the page, line) of each example, once."""
    found: dict[str, str] = {}
    for path, page in PAGES.items():
        for one in page.examples:
            found[one.line] = path
    return [(path, line) for line, path in found.items()]


def reason(line: str) -> str:
    return next((why for start, why in NOT_RUN.items() if line.startswith(start)), "")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that examples name, small and real."""
    folder = tmp_path_factory.mktemp("bench")
    study = ROOT / "examples" / "laws" / "study.csv"
    for name in ("runs.csv", "more.csv", "ours.csv", "theirs.csv"):
        shutil.copy(study, folder / name)
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "mine.toml").write_text("", encoding="utf-8")
    shutil.copy(ROOT / "examples" / "laws" / "wsd.csv", folder / "log.csv")
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 99,
              "num_attention_heads": 4, "intermediate_size": 128}  # fmt: skip
    for place in (folder / "DeepSeek-V3", folder / "configs" / "small"):
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    clouds = folder / "skypilot-catalog" / "catalogs" / "v8" / "aws"
    clouds.mkdir(parents=True)
    head = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,"
    (clouds / "vms.csv").write_text(
        f"{head}AvailabilityZone\np5.48xlarge,H100,8,192,2048,,98.32,60,us-east-1,us-east-1a\n", encoding="utf-8"
    )
    return folder


def _rows_for(line: str) -> str:
    """Measured rows for the table that a validate example names: each kind has columns of its own."""
    kind = "serving_memory" if "serving-memory" in line else "serving" if "serving" in line else "training"
    return "\n".join((ROWS / f"{kind}.csv").read_text(encoding="utf-8").splitlines()[:5]) + "\n"


def _prepare(line: str) -> None:
    """What this one example needs, in the folder it runs in."""
    for name in re.findall(r"validate \S+ (\S+\.csv)", line):
        if "hours" in line:
            Path(name).write_text(
                "model,year,params_total,params_active,train_tokens,hardware,chips,days,chip_hours\n"
                "Llama 3.1 8B,2024,8e9,8e9,15e12,h100-sxm,16000,,1.46e6\n", encoding="utf-8")  # fmt: skip
            continue
        Path(name).write_text(_rows_for(line), encoding="utf-8")
    if "fit.json" in line and "--out fit.json" not in line and not Path("fit.json").exists():
        _call("isoflop laws fit runs.csv --bootstrap 20 --out fit.json")
    if "./llama" in line and not Path("llama").exists():
        pytest.importorskip("safetensors")
        from tests.quantize.checkpoints import weights, write

        write(Path("llama"), weights())
    if line.startswith("isoflop quantize ./llama-int4") and not Path("llama-int4").exists():
        _call("isoflop quantize ./llama ./llama-int4 --to int4-g128")
    if "prices=prices" in line or "--folder prices" in line:
        _call("isoflop prices update skypilot-catalog/catalogs/v8 --date 2025-06-01")
    if "trainer_state.json" in line:
        log = [
            {"step": 10 * i, "loss": 3 + 4 / (i + 1), "learning_rate": 1e-3 * (1 - i / 2000)} for i in range(1, 1500)
        ]
        Path("trainer_state.json").write_text(json.dumps({"log_history": log}), encoding="utf-8")
    if "--map 'params=N,train_time" in line:
        Path("runs.csv").write_text("N,days,chips\n7e9,20,512\n", encoding="utf-8")
    if line.startswith("isoflop cost sweep.csv"):
        Path("sweep.csv").write_text("N,D\n1e8,2e9\n2e8,4e9\n", encoding="utf-8")
    if "val_loss" in line:
        Path("runs.csv").write_text(Path("runs.csv").read_text("utf-8").replace("loss", "val_loss"), encoding="utf-8")


def _call(line: str, stdin: str = "") -> tuple[int, str, str]:
    """A line of a shell, its calls in this process: variables before it, pipes and one redirection at its end."""
    line, _, target = line.partition(" > ")
    out, err, code = stdin, "", 0
    for part in line.split(" | "):
        words = shlex.split(part)
        settings = dict(word.split("=", 1) for word in words[: words.index("isoflop")])
        told, said = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(said):
            for name, value in settings.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.StringIO(out))
            try:
                main(words[len(settings) + 1 :])
            except SystemExit as left:
                code = int(left.code or 0)
        out, err = told.getvalue(), err + said.getvalue()
    if target:
        Path(target).write_text(out, encoding="utf-8")
    return code, out, err


@pytest.mark.parametrize(("path", "line"), examples(), ids=lambda text: text.removeprefix("isoflop ")[:60])
def test_an_example_runs(path: str, line: str, bench: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if reason(line):
        pytest.skip(reason(line))
    if any(ending in line for ending in NEEDS_PLOT):
        pytest.importorskip("vl_convert")
    monkeypatch.chdir(bench)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    shutil.copy(ROOT / "examples" / "laws" / "study.csv", "runs.csv")
    _prepare(line)
    for name in re.findall(r"quantize \S+ \./(\S+)", line):
        shutil.rmtree(name, ignore_errors=True)
    if "isoflop compare a.json" in line:
        _call("isoflop plan --budget '$4k' --on tpu-v4 --json > a.json")
    code, out, err = _call(_fewer(path, line))
    allowed = {0, *PAGES[path].exits.keys() - {2}} if path != "isoflop" else {0}
    assert code in allowed, f"{line}: {code}\n{err}"
    assert out or err or "--out" in line or " > " in line
    assert "Traceback" not in err


def _fewer(path: str, line: str) -> str:
    """The same with fewer draws, where it has them: what is tested is that the words are right."""
    line = line.replace("--bootstrap 4000", "--bootstrap 20")
    options = {name for param in KINDS[path].params for name in param.opts}
    if not line.startswith(path) or "|" in line or ">" in line:
        return line
    more = [f"{name} {few}" for name, few in (("--bootstrap", 20), ("--samples", 200)) if name in options]
    return " ".join([line, *(one for one in more if one.split()[0] not in line)])


def test_no_reason_is_left_over() -> None:
    lines = [line for _, line in examples()]
    assert not [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_what_it_is_and_shows_how(path: str) -> None:
    page = PAGES[path]
    assert isinstance(KINDS[path], Command | Group), f"{path} is made with click's own class: add cls="
    assert page.about
    assert page.about[0].endswith((".", "?")), f"{path}: the first paragraph is a sentence"
    assert page.examples, f"{path} has no example"
    assert page.exits or isinstance(KINDS[path], Group)
    assert page.see, f"{path}: what comes after it? (SEE in pages.py)"
    for title, rows in page.sections:
        for names, said in rows:
            assert said, f"{path} {names} ({title}) has no help"


@pytest.mark.parametrize("path", PAGES)
def test_help_fits_eighty_columns(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = _call(f"{path} --help")
    assert max(map(len, out.splitlines())) <= 80
    for heading in ("Examples:", "See also:"):
        assert heading in out


def test_tables_of_pages_name_commands_that_there_are() -> None:
    paths = {path.removeprefix("isoflop").strip() for path in PAGES}
    named = {re.split(r" --", one)[0] for see in SEE.values() for one in see}
    assert named <= paths, named - paths
    assert set(SEE) <= paths
    assert set(OWN_EXITS) <= paths
    assert {command for command, _ in OWN_SECTIONS} <= paths
    assert sorted(name for names in COMMAND_SECTIONS.values() for name in names) == sorted(COMMANDS)
    for group, names in SUBCOMMANDS.items():
        there = {path.split()[-1] for path in PAGES if path.split()[1:2] == [group] and len(path.split()) == 3}
        assert set(names) <= there, group


@pytest.mark.parametrize(
    ("name", "of", "first"),
    [
        ("fit", "isoflop", "isoflop laws fit"),
        ("alocate", "isoflop", "isoflop laws allocate"),
        ("plna", "isoflop", "plan"),
        ("plan", "isoflop laws", "isoflop plan"),
        ("devcies", "isoflop laws", "isoflop devices"),
        ("fti", "isoflop laws", "fit"),
    ],
)
def test_a_command_that_is_not_there_is_found_elsewhere(name: str, of: str, first: str) -> None:
    assert close_commands(name, of)[0] == first


def test_an_unknown_command_says_where_it_is() -> None:
    code, out, err = _call("isoflop fit runs.csv")
    assert (code, out) == (2, "")
    assert "Did you mean 'isoflop laws fit'?" in err


def test_long_calls_are_broken_as_a_shell_takes_them() -> None:
    line = "isoflop x --a '1 2' --bee 'three four' " + " ".join(f"--option-{i} value" for i in range(8))
    lines = broken(line)
    assert max(map(len, lines)) <= 78
    assert shlex.split("\n".join(lines).replace("\\\n", " ")) == shlex.split(line)


@pytest.mark.parametrize("path", PAGES)
def test_a_man_page_has_its_parts(path: str) -> None:
    text = roff(PAGES[path])
    for part in (".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXAMPLES"):
        assert part in text
    assert not [line for line in text.splitlines() if line.startswith("'")]


def test_man_pages_are_written_and_groff_takes_them(tmp_path: Path) -> None:
    code, _, err = _call(f"isoflop man --out {tmp_path}")
    assert code == 0
    assert f"{len(PAGES)} pages" in err
    assert {path.name for path in tmp_path.iterdir()} == {file_of(path) for path in PAGES}
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not there: the pages are not set")
    words = [groff, "-k", "-man", "-Tutf8", "-ww", "-z", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if "preconv" in done.stderr:
        pytest.skip("groff has no preconv here")
    assert (done.returncode, done.stderr) == (0, "")


def test_man_of_a_command_that_is_not_there() -> None:
    code, _, err = _call("isoflop man laws fti")
    assert code == 2
    assert "'fit'" in err


def test_help_needs_no_catalogue() -> None:
    """The whole process: `--help` of everything imports neither numpy nor a catalogue."""
    script = "import sys\nfrom isoflop.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    script += "print('numpy' in sys.modules, 'isoflop.hardware' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, env={**os.environ}
    )
    assert done.stdout.splitlines()[-1] == "False False"
