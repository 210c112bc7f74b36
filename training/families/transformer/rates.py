"""How fast each weight learns, and when."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

_LAYER = re.compile(r"\.(?:layer|layers|h|block)\.(\d+)\.")


def parameter_groups(
    model: torch.nn.Module, *, learning_rate: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the model's weights, grouped for an optimiser; `peak` is the highest rate of a group.

    The layers near the input know language already and learn slower than those near the output (Howard and
    Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018). Biases and the weights of
    normalisations do not decay.

    Args:
        model: Of Hugging Face.
        learning_rate: Of the last layers.
        layer_decay: What a layer's rate is of the next one's.
        weight_decay: Of AdamW.
    """
    depths = {name: _depth(name) for name, _ in model.named_parameters()}
    top = 1 + max(depth for depth in depths.values() if depth is not None)
    groups: Mapping[tuple[int, bool], list[torch.nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        depth = depths[name]
        groups[top if depth is None else depth, parameter.ndim > 1].append(parameter)
    return [
        {
            "params": parameters,
            "peak": learning_rate * layer_decay ** (top - depth),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (depth, decays), parameters in sorted(groups.items(), key=lambda group: group[0])
    ]


def rate(step: int, *, steps: int, warmup: int) -> float:
    """Return the share of the learning rate that a step gets: it rises in a line, then falls in a line."""
    return (step + 1) / (warmup + 1) if step < warmup else (steps - step) / (steps - warmup)


def _depth(name: str) -> int | None:
    """Return 0 for embeddings, then the number of the layer from 1; None for what comes after them all."""
    found = _LAYER.search(name)
    if found:
        return int(found[1]) + 1
    return 0 if "embeddings" in name else None
