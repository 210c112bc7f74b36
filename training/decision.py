"""What the gate decides about a version: the registry is asked for what it needs, and people are told why."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bento.package import PackageError, read_package
from bento.scorer import Scorer
from training import registry
from training.assessment import Assessment
from training.errors import TrainingError
from training.evaluate_behaviour import pass_rates, run_behaviour
from training.evaluate_package import ASSESSMENT, LOGGED
from training.gate import Check, Decision, Flips, Side, judge
from training.params import PARAMS, Gate, read_params, section
from training.predictions import PREDICTIONS, Predictions, predict
from training.project import PROJECT, python

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PLAN = "valence.release_plan"  # a tag kept by `python -m k8s.release VERSION --plan`


def decide(
    client: "MlflowClient", version: str, tags: dict[str, str], against: str | None, *, force: bool = False
) -> Decision:
    """Judge a version beside the one in production, on the candidate's test texts.

    Args:
        client: From `training.tracking.open_client`.
        version: Which.
        tags: Its tags; with them a plan to release it may be kept.
        against: The version in production.
        force: Allow it whatever is found, also where nothing can be.

    Raises:
        TrainingError: It was not evaluated, or the one in production cannot be asked.
    """
    lines = section({"gate": {}} | read_params(PROJECT / PARAMS), "gate", Gate)
    try:
        with TemporaryDirectory() as folder:
            checks = _look(client, version, against, _flips(tags, against), lines, Path(folder))
    except (TrainingError, PackageError) as error:
        if not force:
            raise TrainingError(
                f"{error}. To move it unseen: {python()} -m training.promote --to {version} --force"
            ) from error
        checks = (Check(name="looked at", passed=False, detail=str(error)),)
    passed = all(check.passed for check in checks)
    return Decision(
        version=version,
        against=against,
        allowed=passed or force or against is None,
        forced=force and not passed,
        checks=checks,
    )


def tell(decision: Decision) -> Sequence[str]:
    """Say line by line what was decided, and why."""
    against = f"version {decision.against}" if decision.against else "nothing, as nothing is in production"
    lines = [f"gate: version {decision.version} against {against}"]
    lines += [
        f"  {'ok ' if check.passed else 'NO '} {check.name}: {check.detail}" for check in decision.checks
    ]
    if decision.forced:
        lines.append("  promoted by force")
    elif decision.allowed and not all(check.passed for check in decision.checks):
        lines.append("  it goes in all the same, as nothing is there")
    elif not decision.allowed:
        lines.append(
            f"  refused; in spite of that: {python()} -m training.promote --to {decision.version} --force"
        )
    return lines


def _flips(tags: dict[str, str], against: str | None) -> Flips | None:
    """Return what the plan kept with a version found, if it is about what is in production now."""
    if _PLAN not in tags:
        return None
    plan = json.loads(tags[_PLAN])
    if plan["live"]["version"] != against:
        return None
    found = plan["flips"]
    return Flips(found["texts"], found["share"], tuple(found["interval"]))


def _look(
    client: "MlflowClient", version: str, against: str | None, flips: Flips | None, lines: Gate, folder: Path
) -> tuple[Check, ...]:
    try:
        evaluation = registry.download(client, version, LOGGED, folder / "candidate")
    except TrainingError as error:
        raise TrainingError(
            f"version {version} has no evaluation to judge it by ({error}); train again, which makes one"
        ) from error
    found = Assessment.load(evaluation / ASSESSMENT)
    predictions = Predictions.read(evaluation / PREDICTIONS)
    other = None
    if against:
        try:
            other = _side(client, against, predictions, folder)
        except (TrainingError, PackageError) as error:
            raise TrainingError(f"version {against} in production cannot be asked ({error})") from error
    return judge(found, Side(predictions, pass_rates(found.behaviour)), other, lines, flips)


def _side(client: "MlflowClient", version: str, texts: Predictions, folder: Path) -> Side:
    package = read_package(registry.download(client, version, "package", folder / "production"))
    scorer = Scorer(package)
    predictions = predict(scorer, texts.texts, texts.sources, texts.truth)
    return Side(predictions, pass_rates(run_behaviour(scorer)))
