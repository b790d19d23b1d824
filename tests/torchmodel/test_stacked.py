"""The stacked forward pass against the decoder itself, gradients too."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isoflop.torchmodel import Shape  # noqa: E402
from isoflop.torchmodel.decoder import Decoder, turns_of  # noqa: E402
from isoflop.torchmodel.stacked import stacked_losses  # noqa: E402
from isoflop.torchmodel.start import start  # noqa: E402


@pytest.mark.parametrize(("kv_heads", "tied"), [(4, False), (2, True)])
def test_stacked_runs_are_the_runs(*, kv_heads: int, tied: bool) -> None:
    shape = Shape(layers=2, width=32, heads=4, kv_heads=kv_heads, head_width=8, inner=80, vocabulary=50, tied=tied)
    models = [Decoder(shape) for _ in range(3)]
    for number, model in enumerate(models):
        start(model, number)
        with torch.no_grad():
            model.head.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(number))
    named = {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models]).requires_grad_()
        for name in dict(models[0].named_parameters())
    }
    tokens = torch.randint(50, (3, 2, 17), generator=torch.Generator().manual_seed(9))
    turns = turns_of(shape, 16, like=torch.empty(0))
    losses = stacked_losses(shape, named, tokens[..., :-1], tokens[..., 1:], turns)
    losses.sum().backward()
    for number, model in enumerate(models):
        loss = model.loss(tokens[number, :, :-1], turns, tokens[number, :, 1:])
        loss.backward()
        assert float(losses[number].detach()) == pytest.approx(float(loss.detach()), rel=1e-6)
        for name, one in model.named_parameters():
            assert torch.allclose(named[name].grad[number], one.grad, atol=1e-6), name
