"""The stacked forward pass against the decoder itself, gradients too."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isoflop.torchmodel import Shape  # noqa: E402
from isoflop.torchmodel.decoder import Decoder, turns_of  # noqa: E402
from isoflop.torchmodel.stacked import learns, stack, stacked_gradients, stacked_losses, unstack  # noqa: E402
from isoflop.torchmodel.start import paces, start  # noqa: E402


@pytest.mark.parametrize(("kv_heads", "tied"), [(4, False), (2, True), (1, False)])
def test_stacked_runs_are_the_runs(*, kv_heads: int, tied: bool) -> None:
    shape = Shape(layers=2, width=32, heads=4, kv_heads=kv_heads, head_width=8, inner=80, vocabulary=50, tied=tied)
    models = [Decoder(shape) for _ in range(3)]
    for number, model in enumerate(models):
        start(model, number)
        with torch.no_grad():
            model.head.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(number))
    alone = [dict(model.named_parameters()) for model in models]
    weights = stack(shape, alone)
    for number, own in enumerate(alone):
        assert all(torch.equal(one, own[name]) for name, one in unstack(shape, weights, number).items())
    tokens = torch.randint(50, (3, 2, 17), generator=torch.Generator().manual_seed(9))
    turns = turns_of(shape, 16, like=torch.empty(0))
    losses, gradients = stacked_gradients(shape, weights, tokens[..., :-1], tokens[..., 1:], turns)
    assert torch.allclose(stacked_losses(shape, weights, tokens[..., :-1], tokens[..., 1:], turns), losses, atol=2e-6)
    for number, model in enumerate(models):
        loss = model.loss(tokens[number, :, :-1], turns, tokens[number, :, 1:])
        loss.backward()
        assert float(losses[number]) == pytest.approx(float(loss.detach()), rel=1e-6)
        found = unstack(shape, gradients, number)
        assert set(found) == set(alone[number])
        for name, one in model.named_parameters():
            assert torch.allclose(found[name], one.grad, atol=1e-6), name


def test_stacked_weights_learn_at_the_paces_of_a_decoder() -> None:
    shape = Shape(layers=1, width=16, heads=2, kv_heads=2, head_width=8, inner=40, vocabulary=50)
    model = Decoder(shape)
    expected = {name: (factor, decays) for name, _, factor, decays in paces(model, 32)}
    for name in stack(shape, [dict(model.named_parameters())]):
        own = unstack(shape, {name: stack(shape, [dict(model.named_parameters())])[name]}, 0)
        assert {expected[one] for one in own} == {learns(name, 16, 32)}
