"""Let a version take the place in production, if it passes the gate.

A version that was in production before goes back without being asked again, as going back must always be
possible. Where nothing is in production the first version goes in, whatever the checks say.
"""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from training import registry, tracking
from training.decision import decide, tell
from training.errors import InputError, TrainingError, run
from training.gate import Decision
from training.project import python
from training.registry import Move, explain

if TYPE_CHECKING:
    from mlflow import MlflowClient

_GATE, _REPLACED, _PROMOTED = "gate", "replaced", "promoted_at"
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
        TrainingError: It was not evaluated, or the one in production cannot be asked, and nobody forces it.
    """
    before = registry.version_at(client, registry.PRODUCTION)
    tags = registry.tags_of(client, version)
    if before == version or _PROMOTED in tags:
        return None, _move(client, version)
    decision = decide(client, version, tags, before, force=force)
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
            _GATE: outcome,
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
            raise InputError("nothing is at staging; name a version, or train one: make train")
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
