"""How rows are shared out by their keys: thresholds, quotas, and what is too little."""

from collections.abc import Mapping

from bento.package import LABELS
from training.errors import InputError

NAMES = ("train", "validation", "test")
_MIN_ROWS = 30  # of each label; below, a part is likely to get none

_MIN_IN_PART = {"train": 5, "validation": 1, "test": 1}
_DIGITS = 16  # half a key
_OR_WITHOUT_NEUTRAL = "; or go without neutral rows, with neutral: drop below data.clean in params.yaml"


def bound(share: float) -> str:
    """Return the hexadecimal digits below which half a key falls in this share of all cases.

    Both are compared as words, which every engine does alike; a key's half as a number is beyond most.
    """
    place = round(share * 16**_DIGITS)
    return "g" if place >= 16**_DIGITS else f"{place:0{_DIGITS}x}"  # "g": above all


def quotas(rows: Mapping[str, int], max_ratio: float | None) -> dict[str, str]:
    """Return the bound of each label that leaves at most about `max_ratio` rows of it for one of the rarest.

    The number that is left is met by chance, within a per cent or so of thousands: whether a row lies below a
    bound is told of each row alone, anywhere, without sorting.

    Args:
        rows: How many rows of each label there are; a label that is missing is left whole.
        max_ratio: None leaves all whole.
    """
    if max_ratio is None or not rows:
        return {label: bound(1.0) for label in LABELS}
    most = max_ratio * min(rows.values())
    return {label: bound(min(1.0, most / rows[label]) if label in rows else 1.0) for label in LABELS}


def check_counts(parts: Mapping[str, Mapping[str, int]], name: str) -> None:
    """Refuse parts that a model cannot be trained or chosen on.

    Args:
        parts: The number of rows of each label, by part.
        name: What the message calls the data.

    Raises:
        InputError: There are too few rows of a label; the message says how many are needed.
    """
    labels = [label for label in LABELS if any(counts.get(label) for counts in parts.values())]
    totals = {label: sum(counts.get(label, 0) for counts in parts.values()) for label in labels}
    short = {label: f"{label} has {count}" for label, count in totals.items() if count < _MIN_ROWS}
    if short:
        raise InputError(
            f"{name}: too few rows to split: at least {_MIN_ROWS} of each label are needed, "
            f"{', '.join(short.values())} (duplicates do not count). Add rows of this label"
            f"{_OR_WITHOUT_NEUTRAL if 'neutral' in short else ''}"
        )
    for part, counts in parts.items():
        for label in labels:
            if counts.get(label, 0) < _MIN_IN_PART[part]:
                raise InputError(
                    f"{name}: of {totals[label]} {label} rows {counts.get(label, 0)} fall into {part}, "
                    f"at least {_MIN_IN_PART[part]} must; add rows of this label (100 are always enough)"
                )
