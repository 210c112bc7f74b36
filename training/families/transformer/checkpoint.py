"""What an interrupted run goes on from: written whole or not at all, and read by the same run alone."""

import os
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that the file holds all of it or the former one.

    Args:
        path: Where.
        state: Tensors, numbers and words, in lists and dictionaries.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path, identity: str) -> dict[str, Any] | None:
    """Read the state of the run of this identity; None when there is none, or it is another run's."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state if state["identity"] == identity else None
