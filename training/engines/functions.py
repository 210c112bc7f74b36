"""The functions that SQL calls by name, on Arrow arrays: one Python for both engines, so both say the same.

Engines differ in `lower`, in regular expressions and in what a letter is; these do not.
"""

import sys
from collections.abc import Callable

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bento import text as words

# Nothing in such a text can be touched by normalisation; the regular expressions are Arrow's own (RE2).
_PLAIN = r"^[!-%'-;=?A-~]+( [!-%'-;=?A-~]+)*$"
_URL = r"(?i)https?://|www\."

_LETTER = np.fromiter((chr(code).isalpha() for code in range(sys.maxunicode + 1)), np.uint8)


def normalise(texts: pa.Array) -> pa.Array:
    """Apply `bento.text.normalise`, in Python only to the texts that it may change."""
    plain = pc.and_(pc.match_substring_regex(texts, _PLAIN), pc.invert(pc.match_substring_regex(texts, _URL)))
    other = pc.invert(pc.fill_null(plain, True))  # noqa: FBT003 - a null stays one
    found = [words.normalise(text) for text in texts.filter(other).to_pylist()]
    return pc.replace_with_mask(texts, other, pa.array(found, pa.string()))


def row_key(texts: pa.Array) -> pa.Array:
    """Apply `bento.text.row_key`."""
    return pa.array(
        [None if text is None else words.row_key(text) for text in texts.to_pylist()], pa.string()
    )


def letters(texts: pa.Array) -> pa.Array:
    """Count the letters of each text, of any script."""
    codes, starts, empty = _characters(texts)
    return _per_text(_LETTER[codes], starts, empty, texts, np.add)


def longest_run(texts: pa.Array) -> pa.Array:
    """Return the length of the longest run of one character in each text; spaces do not count."""
    codes, starts, empty = _characters(texts)
    begins = np.ones(len(codes), bool)
    begins[1:] = codes[1:] != codes[:-1]
    begins[starts[~empty]] = True  # a run does not reach into the next text
    runs = np.flatnonzero(begins)
    lengths = np.diff(runs, append=len(codes))
    lengths[codes[runs] == ord(" ")] = 0
    return _per_text(lengths, np.searchsorted(runs, starts), empty, texts, np.maximum)


def _characters(texts: pa.Array) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int64], NDArray[np.bool_]]:
    """Return all code points in one array, where each text starts, and which texts have none."""
    lengths = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    text = "".join(filter(None, texts.to_pylist()))
    codes: NDArray[np.unsignedinteger]
    if text.isascii():  # a quarter of the memory to go through
        codes = np.frombuffer(text.encode(), np.uint8)
    else:
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return codes, np.cumsum(lengths) - lengths, lengths == 0


def _per_text(
    values: NDArray[np.integer],
    starts: NDArray[np.int64],
    empty: NDArray[np.bool_],
    texts: pa.Array,
    fold: np.ufunc,
) -> pa.Array:
    found = np.zeros(len(starts), np.int64)
    if not empty.all():
        found[~empty] = fold.reduceat(values, starts[~empty], dtype=np.int64)
    return pa.array(found, pa.int64(), mask=pc.is_null(texts).to_numpy(zero_copy_only=False))


# What SQL calls them, and what they return.
FUNCTIONS: dict[str, tuple[Callable[[pa.Array], pa.Array], str]] = {
    "normalise": (normalise, "string"),
    "row_key": (row_key, "string"),
    "letters": (letters, "int64"),
    "longest_run": (longest_run, "int64"),
}
