"""A package looked at from all sides: everything that is known of it from the test part."""

import numpy as np

from bento.package import Package
from bento.scorer import Scorer
from training.bootstrap import estimates, share
from training.evaluate import evaluate
from training.evaluate_behaviour import Behaviour, pass_rates, run_behaviour
from training.evaluate_calibration import Calibration, Certain, calibration, keeping_of
from training.evaluate_slices import slices
from training.evaluate_speed import Speed, measure_speed
from training.predictions import Predictions
from training.records import Evaluation, Record, Result


class Interval(Record):
    """A value and its 95% interval; see `training.bootstrap`."""

    value: float
    lower: float
    upper: float


class Slice(Record):
    """How a model does on one kind of texts."""

    name: str
    rows: int
    accuracy: Interval


class Assessment(Record):
    """Everything that is known of a package from the test part, and what it costs."""

    family: str
    digest: str
    run_id: str
    data: str
    evaluation: Evaluation
    intervals: dict[str, Interval]
    calibration: Calibration
    certain: Certain
    slices: tuple[Slice, ...]
    behaviour: tuple[Behaviour, ...]
    speed: Speed
    package_bytes: int


class Metrics(Record):
    """What `dvc metrics show` prints of a family: a row, of the test part unless a name says otherwise."""

    validation_macro_f1: float
    macro_f1: float
    accuracy: float
    ece: float
    certain_share: float
    functionality: float
    invariance: float
    direction: float
    ms_a_text: float
    package_mb: float


def assess(
    package: Package, predictions: Predictions, scorer: Scorer, *, run_id: str, data: str
) -> Assessment:
    """Look at a package from all sides.

    Args:
        package: What is looked at.
        predictions: Its own, on the test part.
        scorer: Its own, with one thread.
        run_id: The run that made it.
        data: What the data is called.
    """
    right = predictions.right()
    evaluation = evaluate(predictions.scores, predictions.labels, predictions.truth)
    found = estimates(np.array(evaluation.confusion))
    return Assessment(
        family=package.manifest.family,
        digest=package.digest,
        run_id=run_id,
        data=data,
        evaluation=evaluation,
        intervals={name: _interval(estimate) for name, estimate in found.items()},
        calibration=calibration(predictions.scores.max(axis=1), right),
        certain=keeping_of(package.manifest.certainty, predictions.certain, right),
        slices=tuple(
            Slice(
                name=name,
                rows=int(inside.sum()),
                accuracy=_interval(share(int(right[inside].sum()), int(inside.sum()))),
            )
            for name, inside in slices(predictions.texts, predictions.sources)
        ),
        behaviour=tuple(run_behaviour(scorer)),
        speed=measure_speed(scorer, predictions.texts),
        package_bytes=sum(len(content) for content in (package.tokenizer, package.graph)),
    )


def figures(found: Assessment, result: Result) -> Metrics:
    """Return the few figures by which families are compared at a glance."""
    behaviour = pass_rates(found.behaviour)
    return Metrics(
        validation_macro_f1=result.evaluations["validation"].macro_f1,
        macro_f1=found.evaluation.macro_f1,
        accuracy=found.evaluation.accuracy,
        ece=found.calibration.ece,
        certain_share=found.certain.share,
        functionality=behaviour["functionality"],
        invariance=behaviour["invariance"],
        direction=behaviour["direction"],
        ms_a_text=found.speed.median_ms,
        package_mb=found.package_bytes / 1e6,
    )


def _interval(estimate: tuple[float, float, float]) -> Interval:
    value, lower, upper = estimate
    return Interval(value=value, lower=lower, upper=upper)
