"""Disk to disk against llm-compressor's data-free path: time, peak memory and error, the same schemes and threads.

    python benchmarks/quantize.py                                     # ours alone, against the disk and the memory
    python benchmarks/quantize.py --peer /path/to/python --repeats 5  # an interpreter that has llmcompressor

Runs alternate, each in a process of its own; the time of imports is left out, their memory is not. The checkpoint is
shaped like a Llama of half a billion parameters; `--source` takes a real one instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from isoflop.quantize.layout import Out
from isoflop.quantize.shard_file import ShardFile

OURS = """
import json, re, sys, time
from isoflop.quantize import Options, quantize
from isoflop.quantize.encode import kernels
import numpy
source, folder, scheme, choice = sys.argv[1:]
kernels()
started = time.perf_counter()
report = quantize(source, folder, scheme, options=Options(threads=1, choice=choice))
seconds = time.perf_counter() - started
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())  # getrusage would count what the parent had
print(json.dumps({"seconds": seconds, "rss": 1024 * int(peak[1])}))
"""

PEER = """
import json, re, sys, time
import torch
torch.set_num_threads(1)
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from llmcompressor import model_free_ptq
source, folder, scheme, choice = sys.argv[1:]
group = {"int8": {"num_bits": 8, "strategy": "channel"}}
group["int4-g128"] = {"num_bits": 4, "strategy": "group", "group_size": 128}
weights = QuantizationArgs(type="int", symmetric=True, **group[scheme])
started = time.perf_counter()
model_free_ptq(source, folder, scheme=QuantizationScheme(targets=["Linear"], weights=weights),
               ignore=["lm_head", "model.embed_tokens"], device="cpu", max_workers=1)
seconds = time.perf_counter() - started
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())  # getrusage would count what the parent had
print(json.dumps({"seconds": seconds, "rss": 1024 * int(peak[1])}))
"""

HIDDEN, INNER, LAYERS, VOCABULARY = 1536, 4096, 16, 32000


def make(folder: Path, layers: int = LAYERS) -> None:
    """A checkpoint in BF16, five files: Gaussian weights, rows of unequal scale, a few outlier columns."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    shapes: dict[str, tuple[int, int]] = {"model.embed_tokens": (VOCABULARY, HIDDEN), "lm_head": (VOCABULARY, HIDDEN)}
    for layer in range(layers):
        base = f"model.layers.{layer}."
        shapes |= {f"{base}self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qkvo"}
        shapes |= {f"{base}mlp.{name}_proj": (INNER, HIDDEN) for name in ("gate", "up")}
        shapes[f"{base}mlp.down_proj"] = (HIDDEN, INNER)
    names = list(shapes)
    placed: dict[str, str] = {}
    for index in range(5):
        mine = names[index::5]
        path = folder / f"model-{index + 1:05d}-of-00005.safetensors"
        file = ShardFile(path, [Out(f"{name}.weight", "BF16", shapes[name]) for name in mine], {})
        for name in mine:
            values = rng.standard_normal(shapes[name], dtype=np.float32) * 0.02
            values *= np.exp(0.3 * rng.standard_normal((shapes[name][0], 1), dtype=np.float32))
            values[:, rng.random(shapes[name][1]) < 0.003] *= 6
            file.write(f"{name}.weight", 0, (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16))
            placed[f"{name}.weight"] = path.name
        file.whole(sync=False)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    (folder / "config.json").write_text(json.dumps(config()))


def config() -> dict[str, object]:
    """What says that the checkpoint is a Llama."""
    return {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": 12, "num_key_value_heads": 12, "vocab_size": VOCABULARY,
        "torch_dtype": "bfloat16", "rms_norm_eps": 1e-5, "max_position_embeddings": 2048, "hidden_act": "silu",
        "tie_word_embeddings": False,
    }  # fmt: skip


def run(python: str, script: str, source: Path, folder: Path, words: tuple[str, str]) -> dict[str, float]:
    """One conversion in a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [python, "-c", script, str(source), str(folder), *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def limits(source: Path, folder: Path) -> tuple[float, float]:
    """(reading and writing the files as they are, copying them in memory) in seconds, one thread."""
    files = sorted(source.glob("*.safetensors"))
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    for file in files:
        shutil.copyfile(file, folder / file.name)
    disk = time.perf_counter() - started
    data = np.fromfile(files[0], dtype=np.uint8)
    started = time.perf_counter()
    for _ in files:
        data.copy()
    memory = time.perf_counter() - started
    shutil.rmtree(folder)
    return disk, memory


def error_of(folder: Path, source: Path) -> float:
    """Relative Frobenius error of a quantized folder, measured by reading it back in float32."""
    from isoflop.quantize import quantize
    from isoflop.quantize.source import open_source

    back = folder.with_name(folder.name + "-back")
    shutil.rmtree(back, ignore_errors=True)
    quantize(folder, back, "fp32")
    originals = {tensor.name: (shard.path, tensor) for shard in open_source(source).shards for tensor in shard.tensors}
    squares = wrong = 0.0
    for shard in open_source(back).shards:
        for tensor in shard.tensors:
            if "_proj" not in tensor.name:
                continue
            path, before = originals[tensor.name]
            raw = np.memmap(path, np.uint16, "r", before.begin, (before.numbers,))
            x = (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
            off = x - np.memmap(shard.path, np.float32, "r", tensor.begin, (tensor.numbers,))
            squares += float((x * x).sum(dtype=np.float64))
            wrong += float((off * off).sum(dtype=np.float64))
    shutil.rmtree(back)
    return float(np.sqrt(wrong / squares))


def main() -> None:
    """Print times, memory and errors side by side, and their ratios."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--peer", help="an interpreter that has llmcompressor")
    words.add_argument("--repeats", type=int, default=5)
    words.add_argument("--limit", action="store_true", help="only: 4 GB under a limit of 1 GB of address space")
    words.add_argument("--source", type=Path, help="a checkpoint in place of the made one")
    asked = words.parse_args()
    if asked.limit:
        under_a_limit()
        return
    with tempfile.TemporaryDirectory() as place:
        source = asked.source or Path(place) / "source"
        if asked.source is None:
            make(source)
        size = sum(file.stat().st_size for file in source.glob("*.safetensors"))
        disk, memory = limits(source, Path(place) / "copy")
        print(f"{size / 1e9:.2f} GB; copying the files {disk:.2f} s, in memory {memory:.2f} s")
        run(sys.executable, OURS, source, Path(place) / "warm", ("int8", "absmax"))
        for scheme in ("int8", "int4-g128"):
            compare(scheme, source, Path(place), asked.peer, asked.repeats, disk)


def under_a_limit() -> None:
    """Convert 4 GB where the process may not have more than 1 GB of addresses (ulimit -v)."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "source"
        make(source, layers=72)
        size = sum(file.stat().st_size for file in source.glob("*.safetensors"))
        for scheme in ("int8", "int4-g128", "fp8"):
            words = [sys.executable, "-c", OURS, str(source), f"{place}/{scheme}", scheme, "absmax"]
            done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=_limit)
            said = (done.stdout or done.stderr).strip()[-200:]
            print(f"{size / 1e9:.2f} GB to {scheme} under {2**30 / 1e9:.2f} GB: {said}")
            shutil.rmtree(f"{place}/{scheme}", ignore_errors=True)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))


def compare(scheme: str, source: Path, place: Path, peer: str | None, repeats: int, disk: float) -> None:
    """One scheme: alternate, then print medians and ratios."""
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(run(sys.executable, OURS, source, place / "ours", (scheme, "absmax")))
        if peer:
            theirs.append(run(peer, PEER, source, place / "theirs", (scheme, "absmax")))
    mine = statistics.median(one["seconds"] for one in ours)
    rss = max(one["rss"] for one in ours) / 1e6
    error = error_of(place / "ours", source)
    print(f"{scheme}: {mine:.2f} s, {rss:.0f} MB; {mine / disk:.2f} times copying; error {error:.5f}")
    if theirs:
        other = statistics.median(one["seconds"] for one in theirs)
        other_rss = max(one["rss"] for one in theirs) / 1e6
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
        print(
            f"  llm-compressor: {other:.2f} s, {other_rss:.0f} MB, error {error_of(place / 'theirs', source):.5f}; "
            f"ratio of medians {other / mine:.1f} (from {min(ratios):.1f} to {max(ratios):.1f})"
        )
    run(sys.executable, OURS, source, place / "mse", (scheme, "mse"))
    print(f"  scales by least squared error: error {error_of(place / 'mse', source):.5f}")


if __name__ == "__main__":
    main()
