"""Let a version take the place in production, if it passes the gate.

A version that was in production before goes back without being asked again, as going back must always be
possible. Where nothing is in production the first version goes in, whatever the checks say.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bento.package import read_package
from bento.scorer import Scorer
from training import registry, tracking
from training.errors import InputError, TrainingError, run
from training.evaluate_behaviour import pass_rates, run_behaviour
from training.evaluate_package import ASSESSMENT, LOGGED, PREDICTIONS, Assessment
from training.gate import Decision, Flips, Side, behaviour_of, judge
from training.params import PARAMS, Gate, read_params, section
from training.predictions import Predictions, predict
from training.progress import progress
from training.project import PROJECT, python
from training.registry import Move

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PASSED, _REPLACED, _PROMOTED = "gate", "replaced", "promoted_at"
_PLAN = "valence.release_plan"  # kept there by `python -m k8s.release VERSION --plan`
_MAX_TAG = 4000  # characters that every registry takes


def promote(client: "MlflowClient", version: str, *, force: bool = False) -> tuple[Decision | None, Move]:
    """Move the alias production to a version, if the gate allows it; the decision is stored with the version.

    Args:
        client: From `training.tracking.open_client`.
        version: Which.
        force: Move it whatever the gate says; the decision says so.

    Returns:
        The decision, none where nobody had to decide, and what became of the alias.

    Raises:
        InputError: There is no such version.
        TrainingError: It was not evaluated.
        PackageError: A package is damaged.
    """
    before = registry.version_at(client, registry.PRODUCTION)
    tags = registry.tags_of(client, version)
    if before == version or _PROMOTED in tags:
        return None, _move(client, version)
    decision = decide(client, version, before, _flips(tags, before), force=force)
    _store(client, decision)
    if not decision.allowed:
        return decision, Move(registry.PRODUCTION, before, before)
    return decision, _move(client, version)


def undo(client: "MlflowClient") -> Move:
    """Move the alias production back to the version that the present one replaced.

    Raises:
        InputError: There is none.
    """
    present = registry.version_at(client, registry.PRODUCTION)
    if present is None:
        raise InputError("nothing is in production, so there is nothing to undo")
    replaced = registry.tags_of(client, present).get(_REPLACED)
    if not replaced:
        raise InputError(
            f"version {present} replaced none, so there is nothing to go back to; name a version: "
            f"{python()} -m training.promote --to VERSION"
        )
    return registry.point(client, registry.PRODUCTION, replaced)


def decide(
    client: "MlflowClient", version: str, against: str | None, flips: Flips | None, *, force: bool = False
) -> Decision:
    """Judge a version beside the one in production, on the candidate's test texts.

    Args:
        client: From `training.tracking.open_client`.
        version: Which.
        against: The version in production.
        flips: Of the plan to release the one in the place of the other, where there is one.
        force: Allow it whatever is found.

    Raises:
        TrainingError: It was not evaluated.
        PackageError: A package is damaged.
    """
    lines = section({"gate": {}} | read_params(PROJECT / PARAMS), "gate", Gate)
    with TemporaryDirectory() as folder:
        try:
            evaluation = registry.download(client, version, LOGGED, Path(folder) / "candidate")
        except TrainingError as error:
            if force:
                return Decision(version=version, against=against, allowed=True, forced=True, checks=())
            raise TrainingError(
                f"version {version} has no evaluation to judge it by ({error}); train again, which makes "
                f"one, or move it unseen: {python()} -m training.promote --to {version} --force"
            ) from error
        found = Assessment.load(evaluation / ASSESSMENT)
        predictions = Predictions.read(evaluation / PREDICTIONS)
        other = _side(client, against, predictions, Path(folder)) if against else None
        checks = judge(found, Side(predictions, behaviour_of(found)), other, lines, flips)
    passed = all(check.passed for check in checks)
    return Decision(
        version=version,
        against=against,
        allowed=passed or force or against is None,
        forced=force and not passed,
        checks=checks,
    )


def explain(move: Move) -> str:
    """Say in one line what moved, and how to go back."""
    if move.before == move.after:
        return f"{move.alias}: {move.after or 'none'}, nothing moved"
    line = f"{move.alias}: {move.before or 'none'} -> {move.after}"
    if move.alias == registry.PRODUCTION and move.before:
        line += f"; back with: {python()} -m training.promote --to {move.before}"
    return line


def tell(decision: Decision) -> Sequence[str]:
    """Say line by line what was decided, and why."""
    against = f"version {decision.against}" if decision.against else "nothing, as nothing is in production"
    lines = [f"gate: version {decision.version} against {against}"]
    lines += [
        f"  {'ok ' if check.passed else 'NO '} {check.name}: {check.detail}" for check in decision.checks
    ]
    if decision.forced:
        lines.append("  promoted by force")
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


def _side(client: "MlflowClient", version: str, texts: Predictions, folder: Path) -> Side:
    package = read_package(registry.download(client, version, "package", folder / "production"))
    scorer = Scorer(package)
    with progress(f"scoring {len(texts.texts)} test texts with version {version}", 1) as advance:
        predictions = predict(scorer, texts.texts, texts.sources, texts.truth)
        rates = {str(kind): rate for kind, rate in pass_rates(run_behaviour(scorer)).items()}
        advance(1)
    return Side(predictions, rates)


def _move(client: "MlflowClient", version: str) -> Move:
    move = registry.point(client, registry.PRODUCTION, version)
    if move.before != move.after:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        registry.tag(client, version, {_PROMOTED: now, _REPLACED: move.before or ""})
    return move


def _store(client: "MlflowClient", decision: Decision) -> None:
    outcome = "forced" if decision.forced else "passed" if decision.allowed else "refused"
    reasons = "; ".join(tell(decision)[1:])
    registry.tag(
        client,
        decision.version,
        {
            _PASSED: outcome,
            "gate_against": decision.against or "",
            "gate_reasons": " ".join(reasons.split())[:_MAX_TAG],
        },
    )
    name = f"version-{decision.version}-against-{decision.against or 'none'}.json"
    registry.keep(client, decision.version, decision.model_dump_json(indent=2), f"gate/{name}")


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.promote",
        description=__doc__,
        epilog="Exit codes: 0 moved or there already, 1 refused by the gate, 2 no such version. "
        "MLFLOW_TRACKING_URI names the registry; MLFLOW_TRACKING_TOKEN opens a hosted one.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "version", nargs="?", metavar="VERSION", help="by default the one at the alias staging"
    )
    which.add_argument("--to", metavar="VERSION", help="the same, as the way back is written")
    which.add_argument("--undo", action="store_true", help="go back to the version that was there before")
    parser.add_argument("--force", action="store_true", help="move it whatever the gate says")
    arguments = parser.parse_args()
    client = tracking.open_client()
    staging = registry.version_at(client, registry.STAGING)
    if arguments.undo:
        move = undo(client)
    else:
        version = arguments.version or arguments.to or staging
        if version is None:
            raise InputError("nothing is registered yet; train first: make train")
        decision, move = promote(client, version, force=arguments.force)
        if decision is not None:
            print("\n".join(tell(decision)))
            if not decision.allowed:
                raise TrainingError(f"version {version} stays out of production; the gate says why")
    print(explain(move))
    if staging not in (None, move.after):
        print(f"staging: {staging}; together with: {python()} -m training.promote --to {staging}")
    print("a running server keeps its model; `make serve` starts one with the version in production")


if __name__ == "__main__":
    run(_main)
