"""The decoder against the counts of the model room, and against transformers' Llama."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isoflop.errors import BadInput  # noqa: E402
from isoflop.model import counts, model  # noqa: E402
from isoflop.model.config import reading_of  # noqa: E402
from isoflop.torchmodel import Shape, config_of, published_name, shape_of, spec_of  # noqa: E402
from isoflop.torchmodel.decoder import Decoder, built, turns_of  # noqa: E402

SMALL = Shape(layers=2, width=32, heads=4, kv_heads=2, head_width=8, inner=80, vocabulary=300)


@pytest.mark.parametrize("tied", [False, True])
def test_a_shape_is_a_model_and_back_and_its_tensors_are_counted_the_same(*, tied: bool) -> None:
    shape = Shape(**{name: getattr(SMALL, name) for name in SMALL.__slots__ if name != "tied"}, tied=tied)
    spec = spec_of(shape, "small", context=64)
    assert shape_of(spec) == shape
    built_ = Decoder(shape)
    assert counts(spec).params == shape.params == sum(one.numel() for one in set(built_.parameters()))
    reading = reading_of(config_of(shape, context=64), "config.json", "small")
    assert reading.verified
    assert counts(reading.spec) == counts(spec)


@pytest.mark.parametrize("name", ["gpt2", "mixtral-8x7b"])
def test_what_is_no_such_decoder_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be built"):
        shape_of(model(name))


def test_a_llama_of_the_catalogue_can_be_built() -> None:
    assert shape_of(model("tinyllama-1.1b")).params == counts(model("tinyllama-1.1b")).params


@pytest.mark.oracle
def test_the_same_weights_give_the_logits_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    ours = built(SMALL, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        for one in ours.parameters():
            one.normal_(std=0.1, generator=torch.Generator().manual_seed(one.numel()))
    fields = {key: value for key, value in config_of(SMALL, context=64).items() if key != "torch_dtype"}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**fields)).eval()
    theirs.load_state_dict({published_name(name): value for name, value in ours.state_dict().items()})
    tokens = torch.randint(300, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mine = ours.logits(tokens, turns_of(SMALL, 20, like=ours.norm.weight))
        assert torch.allclose(mine, theirs(tokens).logits, atol=1e-5)
