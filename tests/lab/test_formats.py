"""Formats of weights: 16 and 8 bits cost next to nothing, 3 bits cost, and training with them wins much of it back."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import SHAPE, spec  # noqa: E402

from isoflop.lab import Corpus  # noqa: E402
from isoflop.lab.formats import compare_formats, print_lines  # noqa: E402
from isoflop.lab.quantized import Rounded, quantize_aware, settled  # noqa: E402
from isoflop.lab.train import Trainer  # noqa: E402
from isoflop.torchmodel.decoder import Decoder  # noqa: E402


def test_few_bits_cost_and_training_with_them_wins_it_back(corpus: Corpus) -> None:
    found = {(one.name, one.method): one for one in compare_formats(spec(corpus, steps=200), corpus, bits=(8, 2))}
    longer = found["fp32", "trained"]  # the later of the two, which was trained on without rounding
    assert found["fp16", "cast"].loss == pytest.approx(found["bf16", "cast"].loss, abs=0.01)
    assert found["int8", "rounded after"].loss == pytest.approx(found["fp16", "cast"].loss, abs=0.02)
    assert found["int8", "trained rounded"].loss == pytest.approx(longer.loss, abs=0.02)
    assert found["int2", "rounded after"].loss > found["fp16", "cast"].loss + 0.05
    assert found["int8", "trained rounded"].loss < found["int2", "trained rounded"].loss
    assert found["int2", "trained rounded"].loss < found["int2", "rounded after"].loss
    sizes = [found[name].bytes for name in (("int2", "rounded after"), ("int8", "rounded after"), ("fp16", "cast"))]
    assert sizes == sorted(sizes)
    assert longer.bytes == 4 * SHAPE.params
    assert len(print_lines(tuple(found.values()))) == len(found) + 1


def test_the_gradient_of_the_step_is_that_of_the_paper() -> None:
    """Esser et al. 2020: round(w/s) - w/s inside the range, the end of the range outside."""
    weight = torch.tensor([[0.26, -0.9, 3.0]], requires_grad=True)
    rounded = Rounded(weight, 3)
    with torch.no_grad():
        rounded.log_step.fill_(np.log(0.5))
    rounded(weight).sum().backward()
    inside = (round(0.52) - 0.52) + (round(-1.8) + 1.8)
    assert rounded.log_step.grad.item() / 0.5 == pytest.approx((inside + 3) * (3 * 3) ** -0.5, rel=1e-5)
    assert weight.grad.tolist() == [[1.0, 1.0, 0.0]]


def test_settled_weights_are_the_rounded_ones() -> None:
    model = Decoder(SHAPE)
    quantize_aware(model, 3)
    rounded = model.layers[0].q.weight.detach().clone()
    settled(model)
    assert torch.equal(model.layers[0].q.weight, rounded)
    assert len(rounded.unique()) < rounded.numel() / 2
    assert all(len(row.unique()) <= 8 for row in rounded)


def test_a_model_that_was_trained_is_measured_as_it_is(corpus: Corpus) -> None:
    trainer = Trainer(spec(corpus, steps=30), corpus)
    for _ in range(30):
        trainer.step()
    found = compare_formats(trainer.spec, corpus, bits=(8,), model=trainer.model)
    assert found[0].loss == pytest.approx(trainer.validate(), rel=1e-6)
    assert [one.name for one in found] == ["fp32", "fp16", "bf16", "fp32", "int8", "int8"]
