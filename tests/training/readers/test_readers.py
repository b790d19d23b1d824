"""Settings of other tools: what is read, what is listed, what is refused."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import BadFile, IsoflopError, MissingData, UnknownName
from isoflop.model import counts, model
from isoflop.training import Layout, peak
from isoflop.training.readers import TOOLS, read_settings, settings_of, settings_of_flags, tool_of
from isoflop.training.readers.files import flags, parse_yaml, words

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("megatron.sh", "Megatron-LM"),
        ("nemo.yaml", "NeMo and Megatron-Bridge"),
        ("bridge.yaml", "NeMo and Megatron-Bridge"),
        ("torchtitan.toml", "torchtitan"),
        ("deepspeed.json", "DeepSpeed"),
        ("axolotl.yaml", "axolotl"),
        ("accelerate.yaml", "accelerate"),
    ],
)
def test_the_tool_follows_from_the_keys(name: str, title: str) -> None:
    assert read_settings(FILES / name).tool == title


def test_a_megatron_script() -> None:
    found = read_settings(FILES / "megatron.sh")
    layout = found.layout()
    assert layout == Layout(dp=8, tp=2, pp=2, vpp=4, zero=1, micro_batch=1, sequence_parallel=1)
    assert (found.chips, found.sequence, found.batch) == (32, 8192, 128)
    assert found.schedule == "interleaved"
    assert found.recipe.recompute == ("core-attention", "norms")
    assert found.recipe.fused_loss
    assert not found.recipe.dropout
    assert found.recipe.state_bytes_per_param == 18
    assert found.model is not None
    assert counts(found.model).params == counts(model("llama-3.1-8b")).params
    assert found.not_understood == ("frobnicate",)
    assert not found.assumed
    run, again = found.run()
    assert again == layout
    assert peak(run, layout).allocated.item() > 1e9


def test_nemo() -> None:
    found = read_settings(FILES / "nemo.yaml")
    assert found.layout() == Layout(dp=8, tp=4, pp=4, vpp=5, zero=1, micro_batch=1, sequence_parallel=1)
    assert found.model is not None
    assert found.model.layers == 80
    assert found.model.stack.attentions()[0][1].kv_heads == 8
    assert found.sequence == 8192
    assert found.not_understood == ("model.optim.grad_sync_dtype",)


def test_megatron_bridge_with_latent_attention_and_experts() -> None:
    found = read_settings(FILES / "bridge.yaml")
    assert found.split == (7, 8, 8, 8, 8, 8, 8, 6)
    assert found.sizes["ep"] == 8
    assert found.recipe.states == ("bf16", "bf16")
    assert found.recipe.gradients == "bf16"
    assert found.recipe.recompute == ("latent-up", "mlp")
    assert found.model is not None
    assert counts(found.model).params == pytest.approx(671.0e9, rel=1e-3)
    assert not found.not_understood


def test_torchtitan() -> None:
    found = read_settings(FILES / "torchtitan.toml")
    assert found.layout().words() == "dp 32, tp 4, ZeRO-3 over 16, micro-batch 2, sequence parallel"
    assert found.recipe.engine == "fsdp-compiled"
    assert found.recipe.weights == "fp32"
    assert found.recipe.recompute == ("every-second-matmul",)
    assert found.batch_on(found.layout()) == 64
    assert found.model is not None
    assert found.model.name.startswith("llama-3")
    assert not found.not_understood


def test_deepspeed() -> None:
    found = read_settings(FILES / "deepspeed.json")
    layout = found.layout()
    assert (layout.dp, layout.zero, layout.micro_batch, layout.offload_optimizer) == (8, 3, 4, 1.0)
    assert found.batch == 256
    assert found.recipe.gradients == "fp32"
    assert found.recipe.recompute == ("full",)
    assert found.not_understood == ("moonshine",)


def test_axolotl_with_qlora() -> None:
    found = read_settings(FILES / "axolotl.yaml")
    assert found.model is not None
    assert found.model.name == "llama-3.1-8b"
    adapter = found.recipe.adapter
    assert adapter is not None
    assert (adapter.rank, adapter.targets, adapter.base) == (32, ("q", "v"), "nf4")
    assert found.recipe.engine == "deepspeed"
    assert found.recipe.states == ("int8", "int8")
    assert found.layout(4).words() == "dp 4, ZeRO-2, micro-batch 2"
    assert found.batch_on(found.layout(4)) == 32
    assert found.not_understood == ("noisy_embedding",)
    assert found.assumed == ("ZeRO-2, from the name of deepspeed_configs/zero2.json",)


def test_accelerate_with_hybrid_sharding() -> None:
    found = read_settings(FILES / "accelerate.yaml")
    assert found.layout().words() == "dp 16, ZeRO-3 over 8, micro-batch 1"
    assert found.recipe.recompute == ("full",)
    assert found.recipe.compute == "bf16"
    assert not found.not_understood
    with pytest.raises(BadFile, match="says nothing of model or sequence"):
        found.run()
    run, _ = found.run(model=model("gpt2"), sequence=1024)
    assert run.batch == 16


def deepspeed(**changes: object) -> dict[str, object]:
    return {"zero_optimization.stage": 2, "train_micro_batch_size_per_gpu": 2, **changes}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (deepspeed(train_batch_size=9), "ds.json: train_batch_size = 9 is no multiple of"),
        (deepspeed(train_batch_size="many"), "ds.json: train_batch_size = many: give a whole number from 1 up"),
        (deepspeed(**{"zero_optimization.stage": 4}), "zero_optimization.stage = 4: give a stage from 0 to 3"),
        (deepspeed(**{"bf16.enabled": "perhaps"}), "bf16.enabled = perhaps: give true or false"),
        (deepspeed(train_micro_batch_size_per_gpu=-1), "train_micro_batch_size_per_gpu = -1"),
        (deepspeed(train_micro_batch_size_per_gpu=float("inf")), "train_micro_batch_size_per_gpu = inf"),
    ],
)
def test_values_that_cannot_be_name_file_and_key(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadFile) as error:
        settings_of(values, "ds.json")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--world-size 12 --tensor-model-parallel-size 8", "world size = 12 ranks does not divide by 8"),
        ("--world-size 8 --micro-batch-size 2 --global-batch-size 12", "global-batch-size = 12 is no multiple"),
        ("--num-layers 32 --pipeline-model-parallel-size 4 --num-layers-per-virtual-pipeline-stage 3", "chunks"),
        ("--hidden-size 100 --num-layers 2 --num-attention-heads 3", "num-attention-heads = 3 does not divide"),
        ("--recompute-granularity half", "recompute-granularity = half: give full or selective"),
        (
            "--num-layers 9 --decoder-first-pipeline-num-layers 4 --pipeline-model-parallel-size 4",
            "leave 5 layers for 3",
        ),
        (
            "--num-layers 2 --hidden-size 8 --num-attention-heads 1 --num-experts 4 --moe-layer-freq [0]*5",
            "moe-layer-freq",
        ),
        ("--data-parallel-sharding-strategy all", "data-parallel-sharding-strategy = all"),
    ],
)
def test_contradictory_flags_are_refused(line: str, said: str) -> None:
    with pytest.raises(BadFile) as error:
        settings_of_flags(line.split())
    assert said in str(error.value)


def test_a_world_of_another_size_is_refused() -> None:
    found = read_settings(FILES / "megatron.sh")
    with pytest.raises(BadFile, match=r"tp 2 x pp 2 x cp 1 does not divide up a world of 30 ranks"):
        found.layout(30)
    assert found.layout(64).dp == 16


def test_megatrons_defaults_are_megatrons() -> None:
    found = settings_of_flags(["--micro-batch-size", "1", "--fp16"])
    assert found.recipe.dropout
    assert found.recipe.gradients == "fp16"
    assert found.assumed == ("dropout 0.1, Megatron's default: hidden-dropout is not given",)
    assert settings_of_flags(["--micro-batch-size", "1"]).recipe.state_bytes_per_param == 16
    assert settings_of_flags(["--micro-batch-size", "1", "--bf16", "--grad-reduce-in-bf16"]).recipe.gradients == "bf16"
    assert not settings_of_flags(["--micro-batch-size", "1", "--transformer-impl", "local"]).recipe.fused_attention
    megatron_fsdp = "--micro-batch-size 1 --use-megatron-fsdp --data-parallel-sharding-strategy optim_grads_params"
    assert settings_of_flags(megatron_fsdp.split()).sizes["zero"] == 3


def test_full_fine_tuning_keeps_its_states_in_the_format_of_the_weights() -> None:
    base = {"base_model": "x", "micro_batch_size": 1, "bf16": True}
    assert settings_of(base, "a.yaml").recipe.state_bytes_per_param == 8
    assert settings_of({**base, "deepspeed": "zero3.json"}, "a.yaml").recipe.state_bytes_per_param == 16
    with pytest.raises(BadFile, match="without an adapter"):
        settings_of({**base, "load_in_4bit": True}, "a.yaml")
    with pytest.raises(BadFile, match="both given"):
        settings_of({**base, "deepspeed": "zero3.json", "fsdp": ["full_shard"]}, "a.yaml")


def test_a_file_of_no_known_tool_is_refused() -> None:
    with pytest.raises(BadFile, match="of no tool that is known"):
        tool_of({"colour": "red"}, "x.yaml")
    with pytest.raises(UnknownName, match="Did you mean 'deepspeed'"):
        settings_of({}, "x", "deepsped")
    assert settings_of({"stage": 1}, "x", "deepspeed").not_understood == ("stage",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1, 2]\nb: *x\n", "line 2 has an alias"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("[" * 60 + "]" * 60, "nested deeper than 32"),
        ("- 1\n- 2\n", "holds no keys and values but list"),
        ("", "holds no keys and values but nothing"),
        ("a: [1\n", "not valid YAML"),
        ("a: " + "{b: " * 40 + "1" + "}" * 40, "nested deeper than 32"),
    ],
)
def test_yaml_that_is_not_settings_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadFile) as error:
        parse_yaml(text, "x.yaml")
    assert said in str(error.value)


def test_without_pyyaml_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingData, match=r"pip install 'isoflop\[readers\]'"):
        read_settings(FILES / "axolotl.yaml")
    assert read_settings(FILES / "deepspeed.json").batch == 256


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_text("a: 1\n" * 100_000, encoding="utf-8")
    with pytest.raises(BadFile, match="larger than"):
        read_settings(path)


def test_a_script_is_cut_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"X=$(touch {mark})\nA=8\nB=${{A}}\nrun --seq-length $B --micro-batch-size `touch {mark}` # --lr 3\n"
    found = dict(flags(words(text, "x.sh")))
    assert found["seq-length"] == "8"
    assert "lr" not in found
    assert not mark.exists()


def test_variables_that_name_each_other_end() -> None:
    assert words("A=$B\nB=$A\nrun --seq-length $A$B$A\n", "x.sh")
    grown = "A=xxxxxxxxxx\n" + "A=$A$A$A$A$A$A$A$A$A$A\n" * 12 + "run --seq-length $A\n"
    assert words(grown, "x.sh")


NAMES = (
    "base_model", "micro_batch_size", "adapter", "lora_r", "fsdp", "deepspeed", "bf16", "optimizer", "batch_size",
    "zero_optimization.stage", "train_batch_size", "num_processes", "distributed_type", "training.seq_len",
    "tensor-model-parallel-size", "num-layers", "hidden-size", "num-attention-heads", "moe-layer-freq", "num-experts",
    "gradient_checkpointing", "parallelism.tensor_parallel_degree", "world-size",
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), st.text(max_size=8))
VALUES = st.one_of(SCALARS, st.lists(st.text(max_size=3), max_size=3))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), st.sampled_from(sorted(TOOLS)))
def test_any_values_are_read_or_refused(values: dict[str, object], tool: str) -> None:
    with suppress(IsoflopError):
        settings_of(values, "x", tool).layout()


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="-a=$({[\"'\\ \n#18", max_size=80))
def test_any_script_is_cut(text: str) -> None:
    dict(flags(words(text, "x.sh")))
