"""Layers near the input learn slower, and all rates rise and fall."""

from collections.abc import Callable

import pytest
import torch

from tests.training.families.transformer.tiny import tiny_bert, tiny_distilbert
from training.families.transformer.rates import parameter_groups, rate


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
def test_each_layer_has_a_share_of_the_next_ones_rate(make: Callable[[], torch.nn.Module]) -> None:
    made = make()
    names = {id(part): name for name, part in made.named_parameters()}
    groups = parameter_groups(made, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    peaks = {names[id(part)]: group["peak"] for group in groups for part in group["params"]}
    assert len(peaks) == len(names)
    assert {peak for name, peak in peaks.items() if "embeddings" in name} == {0.125}
    assert {peak for name, peak in peaks.items() if ".layer.0." in name} == {0.25}
    assert {peak for name, peak in peaks.items() if ".layer.1." in name} == {0.5}
    assert {peak for name, peak in peaks.items() if "classifier" in name} == {1.0}


def test_biases_and_normalisations_do_not_decay() -> None:
    for group in parameter_groups(tiny_bert(), learning_rate=1.0, layer_decay=1.0, weight_decay=0.1):
        assert {part.ndim > 1 for part in group["params"]} == {group["weight_decay"] > 0}


def test_a_rate_rises_and_then_falls_to_nearly_nothing() -> None:
    rates = [rate(step, steps=20, warmup=5) for step in range(20)]
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert max(rates) == 1.0
    assert 0 < rates[-1] < 0.1
