"""Train, compare, register and promote: `python -m training [--data FILE] [--test FILE]`."""

import argparse
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from training import registry, tracking
from training.decision import tell
from training.errors import TrainingError, run
from training.params import PARAMS, Columns, Data, read_params, section
from training.prepare import REPORT, prepare
from training.project import PROJECT
from training.promote import promote
from training.records import DataReport, Registration, Result
from training.register import REGISTRATION, results
from training.report import open_console, print_comparison, print_data, print_version
from training.workspace import make_workspace, reproduce

_HELP = "labelled texts: CSV, JSON lines (either also .gz) or Parquet, a folder of such, or an s3:// address"
_ALIASES = (registry.STAGING, registry.PRODUCTION)
_COLUMNS = {
    "text": "the texts",
    "label": "the labels",
    "rating": "ratings from 1 to 5; alone, they make the labels",
}


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--data", metavar="FILE", help=f"{_HELP}; by default the embedded corpus")
    parser.add_argument("--test", metavar="FILE", help="such texts to test on; by default a part is held out")
    for field, what in _COLUMNS.items():
        parser.add_argument(f"--{field}", metavar="COLUMN", help=f"the column that holds {what}")
    parser.add_argument(
        "--reference", type=Path, metavar="OUT", help="write the models:/ reference of the version to a file"
    )
    arguments = parser.parse_args()
    if not arguments.data and (named := [f"--{field}" for field in _COLUMNS if getattr(arguments, field)]):
        parser.error(f"{', '.join(named)}: of which file? Name it with --data (with make DATA=)")

    directory = PROJECT
    if arguments.data or arguments.test:
        data = section(read_params(directory / PARAMS), "data", Data)
        path = arguments.data or str(directory / data.path)
        columns = _columns(data.columns, arguments)
        data = data.model_copy(update={"path": path, "test": arguments.test, "columns": columns})
        with TemporaryDirectory() as folder:
            # Bad input is told in one line, before anything is made or trained.
            prepare(data, Path(folder))
        directory = make_workspace(data)

    # MLflow takes as long to import as DVC to find that nothing changed, and to make its database: meanwhile.
    opening = threading.Thread(target=_open_registry)
    opening.start()
    path = directory / REGISTRATION
    before = Registration.load(path) if path.exists() else None
    reproduce(directory)
    opening.join()
    client = tracking.open_client()
    registration = Registration.load(path)
    if not registry.holds(client, registration):
        print(f"the registry has no version {registration.version} with this package: training again")
        reproduce(directory, force=True)
        registration = Registration.load(path)
    _tell(directory, registration)
    # What somebody moved since stays where it is, unless there is something new.
    stays = {alias for alias in _ALIASES if registration == before and registry.version_at(client, alias)}
    for alias in _ALIASES:
        if alias in stays:
            print(f"{alias}: {registry.version_at(client, alias)}, nothing moved")
        elif alias == registry.STAGING:
            registry.point(client, alias, registration.version)  # as `register` did, if it ran
            print(f"{alias}: {registration.version}")
        else:
            decision, move = promote(client, registration.version)
            print("\n".join([*(tell(decision) if decision else []), registry.explain(move)]))
    if arguments.reference:
        arguments.reference.write_text(f"models:/{registration.name}/{registration.version}\n")


def _open_registry() -> None:
    with suppress(TrainingError):  # it is told when the registry is needed
        tracking.open_client()


def _columns(columns: Columns, arguments: argparse.Namespace) -> Columns:
    """Return the columns as the command names them: one that names ratings alone has no labels."""
    named = {field: getattr(arguments, field) for field in _COLUMNS if getattr(arguments, field)}
    if "rating" in named and "label" not in named:
        named["label"] = None
    return columns.model_copy(update=named)


def _tell(directory: Path, registration: Registration) -> None:
    console = open_console()
    found: list[Result] = results(directory)
    print_data(console, DataReport.load(directory / REPORT))
    print_comparison(console, found)
    print_version(console, registration, found[0])


if __name__ == "__main__":
    run(_main)
