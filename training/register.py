"""The stage `register`: the best family by macro-F1 on validation becomes a version, at the alias staging.

What was found on the test part is logged here for all families, so that looking at them needs no MLflow.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from training import families, kept_runs, registry, tracking
from training.assessment import Assessment
from training.errors import TrainingError, run
from training.evaluate_package import ASSESSMENT, LOGGED, metrics_of
from training.params import PARAMS, read_params
from training.predictions import PREDICTIONS
from training.project import python
from training.records import ARTIFACTS, Registration, Result
from training.usage import no_arguments

if TYPE_CHECKING:
    from mlflow import MlflowClient

REGISTRATION = ARTIFACTS / "registration.json"
COMPARISON = ARTIFACTS / "comparison"

_LOCK = Path("dvc.lock")
_EXPERIMENT = "DVC_EXP_BASELINE_REV"  # set by `dvc exp run`
_MAX_TAG = 4000  # characters that every registry takes


def results(directory: Path = Path()) -> list[Result]:
    """Return the result of every family trained there, best first; of equals the smaller package."""
    # By name, as a family that is no more may have left its folder.
    paths = [directory / ARTIFACTS / name / "result.json" for name in sorted(families.FAMILIES)]
    found = [Result.load(path) for path in paths if path.exists()]
    return sorted(
        found, key=lambda result: (-result.evaluations["validation"].macro_f1, result.package_bytes)
    )


def _lineage(family: str) -> dict[str, str]:
    """Return tags: the state of the pipeline, and the parameters that this version was made with."""
    params = read_params()
    used = {name: params.get(name) for name in ("data", "package")} | {"train": params["train"][family]}
    tags = {"params": json.dumps(used)[:_MAX_TAG]}
    if _LOCK.exists():
        tags["dvc_lock_sha256"] = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    return tags


def _stage(client: "MlflowClient", version: str) -> str:
    """Let staging point to a version, unless it is of an experiment, and say so."""
    if _EXPERIMENT in os.environ:
        return (
            f"{registry.STAGING}: {registry.version_at(client, registry.STAGING)}, as this is an experiment"
        )
    return registry.explain(registry.point(client, registry.STAGING, version))


def _log_assessment(client: "MlflowClient", result: Result) -> None:
    """Add what was found on the test part to the run that made the package."""
    folder = ARTIFACTS / result.family
    metrics = metrics_of(Assessment.load(folder / ASSESSMENT))
    files = [folder / PREDICTIONS, folder / ASSESSMENT]
    tracking.log_evaluation(client, result.run_id, metrics, files, LOGGED)


def _files() -> list[Path]:
    return [path for path in (PARAMS, _LOCK, *sorted(COMPARISON.iterdir())) if path.exists()]


def _main() -> None:
    no_arguments("training.register", __doc__)
    found = results()
    if not found:
        raise TrainingError("nothing is trained here yet; run `dvc repro`")
    client = tracking.open_client()
    kept_runs.log_all(client)
    found = [result.model_copy(update={"run_id": kept_runs.id_at(client, result.run_id)}) for result in found]
    for result in found:
        _log_assessment(client, result)
    best = found[0]
    registration: Registration = registry.register(client, best, _lineage(best.family))
    tracking.log_evaluation(client, best.run_id, {}, _files(), "comparison")
    staged = _stage(client, registration.version)
    registration.write(REGISTRATION)
    print(f"{registration.name} version {registration.version}: {registration.family}, {registration.digest}")
    print(
        f"{staged}; into production, through the gate: {python()} -m training.promote {registration.version}"
    )


if __name__ == "__main__":
    run(_main)
