"""Perplexity before and after, against a loop of our own over the same tokens."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.quantize.checkpoints import weights, write

from isoflop.errors import BadFile, BadInput, MissingData
from isoflop.quantize import quantize
from isoflop.quantize.hand_over import calibrated

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("quality") / "source", weights())
    table = {f"w{index}": index for index in range(96)}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(table, unk_token="w0"))  # noqa: S106
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0").save_pretrained(folder)  # noqa: S106
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(" ".join(f"w{index * index % 96}" for index in range(400)))
    return path


def test_loss_of_both_models(source: Path, text: Path, tmp_path: Path) -> None:
    from isoflop.quantize.quality import quality

    quantize(source, tmp_path / "out", "int3-g32")
    found = quality(source, tmp_path / "out", text, window=32)
    model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    tokens = torch.tensor([index * index % 96 for index in range(384)]).reshape(-1, 32)
    with torch.no_grad():
        expected = float(model(tokens, labels=tokens).loss)
    assert found.tokens == 12 * 31
    assert found.loss_before == pytest.approx(expected, rel=1e-4)
    assert found.perplexity_before == pytest.approx(math.exp(expected), rel=1e-3)
    assert found.loss_after != found.loss_before
    assert quality(source, source, text, window=32).spread == 0


def test_what_is_missing_is_said(source: Path, text: Path, tmp_path: Path) -> None:
    from isoflop.quantize.quality import quality

    short = tmp_path / "short.txt"
    short.write_text("w1 w2")
    with pytest.raises(BadInput, match="too few"):
        quality(source, source, short)
    with pytest.raises(BadFile, match="text file"):
        quality(source, source, tmp_path / "nothing.txt")
    bare = write(tmp_path / "bare", weights(), files=1)
    with pytest.raises(BadFile, match="no tokenizer"):
        quality(bare, bare, text)


def test_calibrated_methods_are_handed_over_or_refused(source: Path, text: Path, tmp_path: Path) -> None:
    for method, to, error in (("rtn", "int4-g128", BadInput), ("gptq", "nvfp4", BadInput)):
        with pytest.raises(error):
            calibrated(source, tmp_path / "out", to, text, method)
    with pytest.raises(BadFile, match="there already"):
        calibrated(source, source, "int4-g128", text, "gptq")
    try:
        import llmcompressor  # noqa: F401
    except ImportError:
        with pytest.raises(MissingData, match="pip install llmcompressor"):
            calibrated(source, tmp_path / "out", "int4-g128", text, "gptq")
