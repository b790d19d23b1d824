"""What --json prints is what the published schemas say: every command, and every kind of answer it has."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from tests.cli.walk import commands

from isoflop.cli import main
from isoflop.report.schemas import printed_by, schema, schema_names, schema_of, title_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
STUDY = str(ROOT / "examples" / "laws" / "study.csv")
ROWS = ROOT / "src" / "isoflop" / "accuracy" / "rows"
FEW = "--samples 200"

# what is printed -> calls that print it; {rows} is a table of the first measured rows, {folder} a new folder
CALLS: dict[str, tuple[str, ...]] = {
    "answer": (
        f"solve params train_flops=1e22 tokens=1T {FEW}",
        f"solve train_time params=7B tokens=2T device=h100-sxm chips=64 mfu='0.3 to 0.5' {FEW}",
        f"solve params loss=2.2 train_flops=1e22 law=besiroglu2024 {FEW}",
    ),
    "answers": (
        f"plan --budget '$10k' --on a100-80gb {FEW}",
        f"plan --model 7B --tokens 140B --on 64xh100-sxm {FEW}",
    ),
    "plans": (f"plan --budget '$1m' --on h100-sxm --vary dtype=bf16,fp8 {FEW}",),
    "reconciliation": ("check train_flops=3.14e23 params=175B tokens=300B", "check mfu=0.4 params=7B"),
    "audit": (
        f"audit {ROOT}/examples/llama_energy.toml",
        "audit --claim 'A 7B model on 2T tokens takes 8.4e20 FLOP'",
    ),
    "training": (
        "training qwen3-8b --on 16xh100-sxm --sequence 4k --tokens 100B",
        "training llama-3.1-70b --on 2xrtx-4090",
        "training llama-3.1-8b --on 1xa100-80gb --lora 16 --micro-batch 1",
    ),
    "cost": ("cost llama-3.1-8b --on 64xh100-sxm --tokens 100B --grid fr",),
    "serving": (
        "serving qwen3-8b --on 1xh100-sxm --input 1k --output 200 --concurrency 16",
        "serving llama-3.1-70b --on 1xrtx-4090",
        "serving llama-3.1-8b --on 2xh100-sxm --tp 2 --context 16k --api 0.5,1.5",
    ),
    "comparison": (
        "compare h100-sxm mi300x tpu-v5p", "compare qwen3-8b llama-3.1-8b", "compare kaplan2020 besiroglu2024",
    ),
    "model": ("model gpt2", "model deepseek-v3"),
    "models": ("model gpt2 qwen3-8b",),
    "laws-fit": (f"laws fit {STUDY} --bootstrap 20",),
    "laws-compare": ("laws compare besiroglu2024 hoffmann2022-rounded --difference",),
    "laws-allocate": (
        "laws allocate besiroglu2024 --flops 1e23 --demand 1T",
        "laws allocate besiroglu2024 --budget '$1m' --on h100-sxm --unique-tokens 100B",
    ),
    "laws-backtest": (f"laws backtest {STUDY} --train-below 2e20 --bootstrap 10",),
    "laws-design": (f"laws design {STUDY} --target N=2B,D=40B --allowance 1e21 --law chinchilla",),
    "laws-running": (f"laws running {ROOT}/examples/laws/wsd.csv --total 4000",),
    "formats": ("dtype",),
    "stored": ("dtype 3.14159", "dtype -0.1 --absmax 2"),
    "validation": ("validate training {training}",),
    "serving-validation": ("validate serving {serving}",),
    "serving-memory-validation": ("validate serving-memory {serving_memory}",),
    "hours-validation": ("validate hours",),
    "table": (
        "cost llama-3.1-8b --tokens 1T --deadline '30 days'", "model --list", "devices --vendor google",
        "devices tpu-v4", "devices h100-sxm mi300x", "devices --missing", "nodes", "nodes dgx-h100", "prices h100-sxm",
        "prices h100-sxm --spread", "grids france", "runs --org meta", "runs --energy", "quantities",
        "quantities mfu", "data",
        "formulas", "formulas loss", "config --origin", "laws published", "laws published kaplan2020", "laws forms",
        f"laws check {STUDY} --bootstrap 10", "laws compare besiroglu2024 kaplan2020", "laws history",
        "laws predict besiroglu2024 N=70B D=1.4T", "quantize --list", "schema",
        "prices update {catalogue} --out {folder}",
        f"laws fit {STUDY} --law isoflop --bootstrap 10",
    ),
}  # fmt: skip

ELSEWHERE = {
    "measure": "minutes, and torch",
    "lab status": "a study that was run, and torch",
    "lab query": "a study that was run, and torch",
}
"""Commands whose objects are not made here, and why; the kinds are `measurement` and `study`."""

UNCALLED = {
    "ledger": "stands inside others",
    "tensors": "tests/model",
    "measurement": "",
    "study": "",
    "quantization": "",
}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Small files that calls name."""
    found = {"folder": str(tmp_path / "new")}
    for name in ("training", "serving", "serving_memory"):
        lines = (ROWS / f"{name}.csv").read_text(encoding="utf-8").splitlines()[:6]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        found[name] = str(tmp_path / f"{name}.csv")
    clouds = tmp_path / "clouds" / "aws"
    clouds.mkdir(parents=True)
    head = (
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone"
    )
    row = "p5.48xlarge,H100,8,192,2048,,98.32,60,us-east-1,us-east-1a"
    (clouds / "vms.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    return {**found, "catalogue": str(clouds.parent)}


def printed(capsys: pytest.CaptureFixture[str], line: str) -> object:
    """The object that a call prints with --json, read as strict JSON."""
    with pytest.raises(SystemExit) as left:
        main([*shlex.split(line), "--json"])
    out = capsys.readouterr()
    assert left.value.code in {0, 1, 3, 4, None}, f"{line}: {out.err}"
    return json.loads(out.out, parse_constant=pytest.fail)


def pairs() -> Iterator[tuple[str, str]]:
    return ((kind, line) for kind, lines in CALLS.items() for line in lines)


@pytest.mark.parametrize(("kind", "line"), list(pairs()), ids=lambda text: text.replace(str(ROOT), "")[:60])
def test_it_prints_what_its_schema_says(
    kind: str, line: str, places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(capsys, line.format(**places))
    Draft202012Validator(schema_of(kind)).validate(found)
    assert Draft202012Validator(schema()).is_valid(found)


def test_a_quantized_checkpoint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    from tests.quantize.checkpoints import weights, write

    source = write(tmp_path / "source", weights())
    found = printed(capsys, f"quantize {source} {tmp_path / 'new'} --to int8 --tensors")
    Draft202012Validator(schema_of("quantization")).validate(found)


def test_every_command_with_json_is_called() -> None:
    called = [line for _, line in pairs()]
    for path, command in commands():
        if any("--json" in param.opts for param in command.params) and path not in ELSEWHERE:
            found = path == "quantize" or any(line.startswith(path.removesuffix(" list")) for line in called)
            assert found, f"isoflop {path} --json is called nowhere in CALLS"


def test_every_kind_is_called_for() -> None:
    assert set(schema_names()) == {*CALLS, *UNCALLED}


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_stands_by_itself_and_says_who_prints_it(name: str) -> None:
    Draft202012Validator.check_schema(schema_of(name))
    assert Draft202012Validator(schema_of(name)).is_valid({"schema_version": 2}) is False
    assert title_of(name).endswith(".")
    assert printed_by(name)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_refuses_what_lacks_its_fields(name: str) -> None:
    """A schema that anything passes holds nothing."""
    assert not Draft202012Validator(schema_of(name)).is_valid({"schema_version": 1})


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("schema", "training"), ("schema", "--whole")):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert not left.value.code
        Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))
    with pytest.raises(SystemExit) as left:
        main(("schema", "trainign"))
    assert left.value.code == 2
    assert "Did you mean 'training'" in capsys.readouterr().err
