"""What an interrupted run goes on from: written whole or not at all, and read by the same run alone."""

from pathlib import Path
from typing import Any

import torch

from training.whole import new_file


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that the file holds all of it or the former one.

    Args:
        path: Where.
        state: Tensors, numbers and words, in lists and dictionaries.
    """
    with new_file(path) as part:
        torch.save(state, part)


def load(path: Path, identity: str) -> dict[str, Any] | None:
    """Read the state of the run of this identity; None when there is none, or it is another run's."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state if state["identity"] == identity else None
