"""From rows as found to rows that a model may learn from: nothing unclear stays, nothing goes uncounted."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bento.package import LABELS
from bento.text import normalise
from training.errors import InputError
from training.rows import RawRow, Rows

ALIASES = {"neg": "negative", "neu": "neutral", "pos": "positive"} | {label: label for label in LABELS}

_EXAMPLES = 3


@dataclass(frozen=True)
class Cleaned:
    """What is left of the rows, and how many were dropped, by reason."""

    rows: Rows
    read: int
    dropped: dict[str, int]


def clean(raw: Sequence[RawRow], *, name: str) -> Cleaned:
    """Normalise texts and labels and drop what cannot be learnt from.

    Dropped and counted: a row without text or without label, a text that is empty once normalised, an exact
    duplicate (same normalised text, same label; the first one stays), and every row of a text that stands
    there with more than one label.

    Args:
        raw: From `training.reading.read`.
        name: What the message calls the data.

    Raises:
        InputError: A label is unknown, or the labels left are not two or three classes that fit.
    """
    _check_labels(raw, name)
    dropped: Counter[str] = Counter()
    labels_of: defaultdict[str, list[str]] = defaultdict(list)
    for row in raw:
        if row.text is None or row.label is None or not row.label.strip():
            dropped["null text" if row.text is None else "null label"] += 1
            continue
        text = normalise(row.text)
        if not text:
            dropped["empty text"] += 1
            continue
        labels_of[text].append(ALIASES[_spelling(row.label)])
    texts, labels = [], []
    for text, found in labels_of.items():
        if len(set(found)) > 1:
            dropped["conflicting labels"] += len(found)
            continue
        dropped["duplicate"] += len(found) - 1
        texts.append(text)
        labels.append(found[0])
    rows = Rows(texts, labels)
    _check_classes(rows, name)
    return Cleaned(rows, len(raw), {reason: count for reason, count in sorted(dropped.items()) if count})


def _spelling(label: str) -> str:
    return label.strip().casefold()


def _check_labels(raw: Sequence[RawRow], name: str) -> None:
    unknown = [row for row in raw if row.label and row.label.strip() and _spelling(row.label) not in ALIASES]
    if not unknown:
        return
    counts = Counter(str(row.label).strip() for row in unknown)
    listed = ", ".join(f"{label[:40]!r} ({count} rows)" for label, count in counts.most_common(5))
    more = f" and {len(counts) - 5} others" if len(counts) > 5 else ""
    places = ", ".join(f"{row.file}:{row.place}" for row in unknown[:_EXAMPLES])
    numbers = (
        "Numbers are not read, as data sets number their classes differently: write the words. "
        if any(label.replace(".", "").lstrip("+-").isdigit() for label in counts)
        else ""
    )
    raise InputError(
        f"{name}: unknown labels {listed}{more}, for example at {places}. {numbers}"
        f"Allowed are {', '.join(LABELS)} in any letter case, and neg, neu, pos for short"
    )


def _check_classes(rows: Rows, name: str) -> None:
    found = rows.count()
    if not found:
        raise InputError(f"{name}: no row is left to learn from; rows with a text and a label are needed")
    if len(found) == 1:
        (only,) = found
        raise InputError(f"{name}: all {len(rows)} rows are {only}; negative and positive are needed")
    if not {"negative", "positive"} <= set(found):
        raise InputError(
            f"{name}: the labels are {' and '.join(found)}; two classes must be negative and positive"
        )
