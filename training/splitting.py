"""Which part a text belongs to: decided by the text alone, so that new rows never move old ones."""

import hashlib
from collections.abc import Iterable, Mapping

from training.errors import InputError
from training.rows import Rows

PARTS = ("train", "validation", "test")
MIN_ROWS = 30  # of each label; below, a part is likely to get none

_MIN_IN_PART = {"train": 5, "validation": 1, "test": 1}


def part_of(text: str, shares: Mapping[str, float]) -> str:
    """Return the part a text belongs to.

    Texts that differ in letter case, spacing or punctuation alone belong to the same part, so a repeated
    remark does not leak. Nothing is done about likeness beyond that: of two sentences that mirror one another
    ("so good", "so bad") one may be learnt from and the other held out, which makes held-out scores on such
    data a little kinder than life.

    Args:
        text: Normalised.
        shares: How much `validation` and `test` get, each from 0 to 1; `train` gets the rest.
    """
    key = "".join(filter(str.isalnum, text.casefold())) or text
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    for part in ("test", "validation"):
        share = shares.get(part, 0.0)
        if position < share:
            return part
        position -= share
    return "train"


def split(rows: Rows, shares: Mapping[str, float], *, name: str) -> dict[str, Rows]:
    """Split rows into parts; of every label about the same share, as a text's place is as good as random.

    Args:
        rows: Cleaned rows.
        shares: As for `part_of`; a part with no share is left out.
        name: What the message calls the data.

    Returns:
        The rows of each part, in the order they came.

    Raises:
        InputError: There are too few rows of a label; the message says how many are needed.
    """
    parts = {part: Rows([], []) for part in PARTS if part == "train" or shares.get(part)}
    for text, label in zip(rows.texts, rows.labels, strict=True):
        part = parts[part_of(text, shares)]
        part.texts.append(text)
        part.labels.append(label)
    _check_counts(rows, parts.items(), name)
    return parts


def _check_counts(rows: Rows, parts: Iterable[tuple[str, Rows]], name: str) -> None:
    short = [f"{label} has {count}" for label, count in rows.count().items() if count < MIN_ROWS]
    if short:
        raise InputError(
            f"{name}: too few rows to split: at least {MIN_ROWS} of each label are needed, "
            f"{', '.join(short)} (duplicates do not count)"
        )
    for part, content in parts:
        counts = content.count()
        for label in rows.count():
            if counts.get(label, 0) < _MIN_IN_PART[part]:
                raise InputError(
                    f"{name}: of {rows.count()[label]} {label} rows {counts.get(label, 0)} fall into {part}, "
                    f"at least {_MIN_IN_PART[part]} must; add rows of this label (100 are always enough)"
                )
