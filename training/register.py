"""The stage `register`: the best family by macro-F1 on validation becomes a version."""

from pathlib import Path

from training import registry, tracking
from training.errors import run
from training.records import ARTIFACTS, Registration, Result

REGISTRATION = ARTIFACTS / "registration.json"


def results(directory: Path = Path()) -> list[Result]:
    """Return the result of every family trained there, best first; of equals the smaller package."""
    found = [Result.load(path) for path in sorted((directory / ARTIFACTS).glob("*/result.json"))]
    return sorted(
        found, key=lambda result: (-result.evaluations["validation"].macro_f1, result.package_bytes)
    )


def _main() -> None:
    client = tracking.open_client()
    registration: Registration = registry.register(client, results()[0])
    registration.write(REGISTRATION)
    print(f"{registration.name} version {registration.version}: {registration.family}, {registration.digest}")


if __name__ == "__main__":
    run(_main)
