"""What a numeric form costs in quality, measured on held-out rows, and when that is too much."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from joblib import cpu_count  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bento.package import Label, Quantisation
from bento.scorer import Scorer
from training.bootstrap import macro_f1_change
from training.rows import Rows

_MAX_LOSS = 0.005  # of macro-F1, at the lower end of its 95% interval
_MAX_BATCH_DIFFERENCE = 0.01
_MAX_BATCH_FLIPS = 0.002

_ALONE = 500  # texts that are scored alone and in company
_COMPANY = 16


def measure_cost(
    method: str, scorer: Scorer, before: NDArray[np.float32], after: NDArray[np.float32], rows: Rows
) -> Quantisation:
    """Compare a numeric form with single precision.

    Args:
        method: What the form is called.
        scorer: Scores in this form.
        before: Scores of the rows in single precision.
        after: Scores of the rows in this form.
        rows: Texts and what persons said of them.

    Returns:
        The change in macro-F1 with its 95% interval (paired bootstrap over rows), how often both say the
        same, and how far a text's scores move when others stand beside it.
    """
    used = [column for column, label in enumerate(scorer.labels) if label in set(rows.labels)]
    number = {scorer.labels[column]: place for place, column in enumerate(used)}
    truth = np.array([number[cast("Label", label)] for label in rows.labels])
    said_before, said_after = before[:, used].argmax(axis=1), after[:, used].argmax(axis=1)
    change, lower, upper = macro_f1_change(truth, said_before, said_after)
    difference, flips = _batch_drift(scorer, rows.texts)
    return Quantisation(
        method=method,
        macro_f1_change=change,
        macro_f1_change_lower_bound=lower,
        macro_f1_change_upper_bound=upper,
        agreement_with_fp32=float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
        batch_difference=difference,
        batch_flips=flips,
    )


def is_acceptable(cost: Quantisation) -> bool:
    """Tell whether a form may be served: it loses little surely, and scores depend on the text alone."""
    return (
        cost.macro_f1_change_lower_bound >= -_MAX_LOSS
        and cost.batch_difference <= _MAX_BATCH_DIFFERENCE
        and cost.batch_flips <= _MAX_BATCH_FLIPS
    )


def describe(cost: Quantisation) -> str:
    """Return the cost in one line for people."""
    change, lower, upper = (
        f"{100 * value:+.2f}"
        for value in (
            cost.macro_f1_change,
            cost.macro_f1_change_lower_bound,
            cost.macro_f1_change_upper_bound,
        )
    )
    return (
        f"{cost.method}: macro-F1 {change} points ({lower} to {upper}), same sentiment for "
        f"{cost.agreement_with_fp32:.2%}, moved at most {cost.batch_difference:.6f} by batch mates"
    )


def _batch_drift(scorer: Scorer, texts: Sequence[str]) -> tuple[float, float]:
    """Return the greatest difference between scores alone and in company, and the share of texts it flips."""
    picked = np.random.default_rng(0).permutation(len(texts))[:_ALONE]  # of all lengths, so much is padded
    encodings = [scorer.encode(texts[row]) for row in picked]
    batches = [encodings[start : start + _COMPANY] for start in range(0, len(encodings), _COMPANY)]
    with ThreadPoolExecutor(cpu_count()) as pool:
        alone = np.concatenate(list(pool.map(lambda encoding: scorer.score([encoding]), encodings)))
        together = np.concatenate(list(pool.map(scorer.score, batches)))
    flips = (alone.argmax(axis=1) != together.argmax(axis=1)).mean()
    return float(np.abs(alone - together).max()), float(flips)
