"""Predicted bytes against what torch really keeps: saved tensors, optimizer states, shards of FSDP2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from isoflop.model.config import reading_of
from isoflop.training import Layout, Recipe, Run, peak

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

VOCABULARY = 1000
SMALL: dict[str, dict[str, Any]] = {
    "llama": {
        "num_hidden_layers": 4, "hidden_size": 256, "intermediate_size": 704, "num_attention_heads": 8,
        "num_key_value_heads": 2,
    },
    "mistral": {
        "num_hidden_layers": 3, "hidden_size": 128, "intermediate_size": 448, "num_attention_heads": 4,
        "num_key_value_heads": 1, "sliding_window": None,
    },
    "gpt2": {
        "n_layer": 4, "n_embd": 256, "n_head": 8, "activation_function": "gelu", "attn_pdrop": 0, "resid_pdrop": 0,
        "embd_pdrop": 0,
    },
    "opt": {
        "num_hidden_layers": 3, "hidden_size": 256, "ffn_dim": 1024, "num_attention_heads": 8,
        "word_embed_proj_dim": 256, "dropout": 0.0,
    },
}  # fmt: skip
FORMS = {"bf16": torch.bfloat16, "fp32": torch.float32}


def made(kind: str, form: str) -> Any:  # noqa: ANN401
    config = transformers.AutoConfig.for_model(kind, vocab_size=VOCABULARY, **SMALL[kind])
    return transformers.AutoModelForCausalLM.from_config(config).to(FORMS[form]).train()


def predicted(module: Any, form: str, batch: int, sequence: int, recompute: str) -> dict[str, float]:  # noqa: ANN401
    spec = reading_of(json.loads(module.config.to_json_string(use_diff=False)), "config.json", "small").spec
    recipe = Recipe(
        engine="torch", weights=form, gradients=form, master="none", states=(form, form), compute=form,
        recompute=(recompute,),  # type: ignore[arg-type]
    )  # fmt: skip
    run = Run(model=spec, sequence=sequence, batch=batch, recipe=recipe)
    return {name: float(value.item()) for name, value in peak(run, Layout(micro_batch=batch)).terms.items()}


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(("batch", "sequence"), [(2, 64), (1, 256), (4, 128)])
@pytest.mark.parametrize("kind", sorted(SMALL))
def test_what_is_saved_for_backward(kind: str, batch: int, sequence: int, form: str, recompute: str) -> None:
    """Distinct storages that autograd holds before the loss, parameters left out."""
    module = made(kind, form)
    if recompute == "full":
        module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    parameters = {one.untyped_storage().data_ptr() for one in module.parameters()}
    held: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:  # noqa: ANN401
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            held[storage.data_ptr()] = storage
        return tensor

    tokens = torch.zeros(batch, sequence, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(input_ids=tokens, use_cache=False)
    real = sum(storage.nbytes() for storage in held.values())
    ours = predicted(module, form, batch, sequence, recompute)["saved for backward"]
    assert ours == pytest.approx(real, rel=0.03)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_state_after_a_step_of_adam(form: str) -> None:
    module = made("llama", form)
    optimizer = torch.optim.AdamW(module.parameters(), foreach=False)
    module(input_ids=torch.zeros(1, 8, dtype=torch.long)).logits.float().sum().backward()
    optimizer.step()
    moments = sum(value.nbytes for state in optimizer.state.values() for value in state.values() if value.dim() > 0)
    ours = predicted(module, form, 1, 8, "none")
    assert ours["weights"] == sum(one.nbytes for one in module.parameters())
    assert ours["gradients"] == sum(one.grad.nbytes for one in module.parameters())
    assert ours["optimizer states"] == moments


SHARDED = """
import os, sys, torch, torch.distributed as dist, transformers
from torch.distributed.fsdp import fully_shard
rank = int(sys.argv[1])
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=sys.argv[2], RANK=str(rank), WORLD_SIZE="2")
dist.init_process_group("gloo")
config = transformers.AutoConfig.for_model("llama", vocab_size=1000, num_hidden_layers=2, hidden_size=128,
    intermediate_size=384, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False)
model = transformers.AutoModelForCausalLM.from_config(config)
mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
for layer in model.model.layers:
    fully_shard(layer, mesh=mesh)
fully_shard(model, mesh=mesh)
print(sum(p.to_local().numel() * p.element_size() for p in model.parameters()))
dist.destroy_process_group()
"""


def test_shards_of_fsdp2_on_two_processes(free_port: int) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SHARDED, str(rank), str(free_port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120) for process in started]
    assert all(process.returncode == 0 for process in started), outputs[0][1][-2000:]
    config = transformers.AutoConfig.for_model(
        "llama", vocab_size=1000, num_hidden_layers=2, hidden_size=128, intermediate_size=384, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    spec = reading_of(json.loads(config.to_json_string(use_diff=False)), "config.json", "small").spec
    recipe = Recipe(engine="fsdp", weights="fp32", master="none")
    run = Run(model=spec, sequence=64, batch=2, recipe=recipe)
    ours = float(peak(run, Layout(dp=2, zero=3)).terms["weights"].item())
    assert [int(out.strip()) for out, _ in outputs] == [ours, ours]


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
