"""Two scored files of the same texts, side by side."""

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NEGATION = re.compile(
    r"\b(?:not|no|never|nothing|nobody|none|neither|nor|hardly|\w+n['\u2019]t)\b", re.IGNORECASE
)
_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_LENGTHS = {  # in words
    "length: 0-5 words": range(6),
    "length: 6-20 words": range(6, 21),
    "length: 21+ words": range(21, 1 << 30),
}
_SLICES = (*_LENGTHS, "negation", "emoji")
_Z95 = 1.96

Row = dict[str, str]


def compare_files(live: Path, candidate: Path, flips: Path) -> dict[str, Any]:
    """Compare what two packages say of the same texts.

    Args:
        live: As `python -m bento.batch` wrote it.
        candidate: Likewise, from the same input.
        flips: Where to write each text whose sentiment differs, for people to read.

    Returns:
        JSON: `texts`, `flips` with a 95% interval (Wilson), `transitions`, `slices`, `score_shift`.
    """
    texts: Counter[str] = Counter()
    flipped: Counter[str] = Counter()
    transitions: Counter[str] = Counter()
    shifts: list[float] = []
    means: dict[str, float] = defaultdict(float)
    with flips.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "text", "live", "live_confidence", "candidate", "candidate_confidence"])
        for number, (before, after) in enumerate(zip(_rows(live), _rows(candidate), strict=True), start=1):
            if not before["sentiment"]:
                continue
            slices = ["all", *_slices(before["text"])]
            texts.update(slices)
            moved = _shifts(before, after)
            shifts.append(max(map(abs, moved.values()), default=0.0))
            for label, shift in moved.items():
                means[label] += shift
            if before["sentiment"] != after["sentiment"]:
                flipped.update(slices)
                transitions[f"{before['sentiment']} -> {after['sentiment']}"] += 1
                cells = [before["sentiment"], before["confidence"], after["sentiment"], after["confidence"]]
                writer.writerow([number, before["text"], *cells])
    return {
        "texts": texts["all"],
        "flips": _share(flipped["all"], texts["all"]),
        "transitions": dict(transitions.most_common()),
        "slices": {name: _share(flipped[name], texts[name]) for name in _SLICES if name in texts},
        "score_shift": _summary(shifts) | {"mean_by_label": _means(means, texts["all"])},
    }


def _rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(16 << 20)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name.strip(): value for name, value in row.items()}


def _slices(text: str) -> Iterator[str]:
    words = len(text.split())
    yield next(name for name, lengths in _LENGTHS.items() if words in lengths)
    if _NEGATION.search(text):
        yield "negation"
    if _EMOJI.search(text):
        yield "emoji"


def _shifts(before: Row, after: Row) -> dict[str, float]:
    """How each score that both have has moved."""
    names = [name for name in before if name.startswith("score_") and name in after]
    return {name.removeprefix("score_"): float(after[name]) - float(before[name]) for name in names}


def _share(count: int, total: int) -> dict[str, Any]:
    low, high = _wilson(count, total)
    share = count / total if total else 0.0
    return {
        "count": count,
        "texts": total,
        "share": round(share, 6),
        "interval": [round(low, 6), round(high, 6)],
    }


def _wilson(count: int, total: int) -> tuple[float, float]:
    if total == 0:
        return 0.0, 1.0
    share, square = count / total, _Z95**2
    middle = share + square / (2 * total)
    spread = _Z95 * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    return max(0.0, (middle - spread) / (1 + square / total)), min(
        1.0, (middle + spread) / (1 + square / total)
    )


def _summary(shifts: list[float]) -> dict[str, Any]:
    ordered = sorted(shifts)
    if not ordered:
        return {"mean": 0.0, "p95": 0.0, "max": 0.0}
    return {
        "mean": round(sum(ordered) / len(ordered), 6),
        "p95": round(ordered[math.ceil(0.95 * len(ordered)) - 1], 6),
        "max": round(ordered[-1], 6),
    }


def _means(sums: dict[str, float], total: int) -> dict[str, float]:
    return {label: round(value / total, 6) for label, value in sorted(sums.items())} if total else {}
