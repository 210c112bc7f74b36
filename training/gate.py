"""The gate: what a version must hold, beside the one in production, before it takes its place."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.assessment import Assessment
from training.bootstrap import accuracy_change
from training.evaluate_slices import slices
from training.params import Gate
from training.predictions import Predictions
from training.records import Record


class Check(Record):
    """One thing that was looked at, in words for people."""

    name: str
    passed: bool
    detail: str


class Decision(Record):
    """Whether a version may go into production, and why; `against` is the version that was there."""

    version: str
    against: str | None
    allowed: bool
    forced: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Side:
    """A version as the gate sees it: what it says of the candidate's test texts, and what is known of it."""

    predictions: Predictions
    behaviour: dict[str, float]


@dataclass(frozen=True)
class Flips:
    """What a release plan found: the share of its texts whose sentiment would change, with a 95% interval."""

    texts: int
    share: float
    interval: tuple[float, float]


def judge(
    candidate: Assessment, one: Side, other: Side | None, lines: Gate, flips: Flips | None = None
) -> tuple[Check, ...]:
    """Look at a candidate, and at what is in production where something is.

    Args:
        candidate: What is known of the candidate.
        one: The candidate.
        other: What is in production, on the same texts.
        lines: What must hold.
        flips: Of the plan to release the candidate in the place of what is in production, where there is one.
    """
    checks = list(_costs(candidate, lines))
    checks += _behaviour(one.behaviour, other.behaviour if other else {}, lines)
    if other is not None:
        checks.append(_quality(one.predictions, other.predictions, lines))
        checks.append(_slices(one.predictions, other.predictions, lines))
    if flips is not None:
        checks.append(_plan(flips, lines))
    return tuple(checks)


def _costs(candidate: Assessment, lines: Gate) -> Iterator[Check]:
    latency, size = candidate.speed.p95_ms, candidate.package_bytes / 1e6
    yield Check(
        name="latency",
        passed=latency <= lines.max_latency_ms,
        detail=f"95% of lone texts within {latency:.1f} ms, at most {lines.max_latency_ms:g} are allowed",
    )
    yield Check(
        name="size",
        passed=size <= lines.max_package_mb,
        detail=f"{size:.1f} MB, at most {lines.max_package_mb:g} are allowed",
    )


def _behaviour(found: dict[str, float], present: dict[str, float], lines: Gate) -> Iterator[Check]:
    for kind, floor in lines.min_behaviour.model_dump().items():
        rate = found.get(kind, 1.0)
        # Texts in another language pass few of the tests; then what counts is not to become worse.
        allowed = min(floor, present[kind] - lines.max_behaviour_loss) if kind in present else floor
        yield Check(
            name=kind,
            passed=rate >= allowed,
            detail=f"{rate:.0%} of the cases pass, at least {max(0.0, allowed):.0%} must",
        )


def _quality(one: Predictions, other: Predictions, lines: Gate) -> Check:
    change, lower, upper = one.macro_f1_change(other)
    return Check(
        name="macro-F1",
        passed=lower >= -lines.max_macro_f1_loss,
        detail=f"{100 * change:+.1f} points ({100 * lower:+.1f} to {100 * upper:+.1f}) on "
        f"{len(one.texts)} test texts, a loss of over {100 * lines.max_macro_f1_loss:g} must be ruled out",
    )


def _slices(one: Predictions, other: Predictions, lines: Gate) -> Check:
    truth = np.array(one.truth)
    labels = np.array(one.labels)
    before, after = (labels[side.said(one.labels)] == truth for side in (other, one))
    collapsed, looked_at = [], 0
    for name, inside in slices(one.texts, one.sources):
        if inside.sum() < lines.min_slice_rows:
            continue
        looked_at += 1
        change, lower, upper = accuracy_change(before[inside], after[inside])
        if upper < -lines.max_slice_loss:
            collapsed.append(f"{name}: {100 * change:+.1f} ({100 * lower:+.1f} to {100 * upper:+.1f})")
    detail = "; ".join(collapsed) or f"none of {looked_at} loses"
    return Check(
        name="slices",
        passed=not collapsed,
        detail=f"{detail}; surely losing over {100 * lines.max_slice_loss:g} points of accuracy is refused",
    )


def _plan(flips: Flips, lines: Gate) -> Check:
    lower, upper = flips.interval
    return Check(
        name="plan",
        passed=lower <= lines.max_flips,
        detail=f"{flips.share:.1%} ({lower:.1%} to {upper:.1%}) of the {flips.texts} texts of the release "
        f"plan change their sentiment; surely over {lines.max_flips:.0%} is refused",
    )
