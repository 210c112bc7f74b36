"""`python -m bento.batch in.csv out.csv`: score a file with the model in production."""

import argparse
import errno
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from bento.batch.measure import write_measures
from bento.batch.score import Report, check_files, score_file
from bento.batch.table import InputError
from bento.cpus import usable_cpus
from bento.package import MODEL_NAME, Package, PackageError, read_package
from bento.registry import RegistryError, resolve
from bento.scorer import Scorer
from bento.settings import SettingsError, load_settings

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> int:
    """Run the command.

    Returns:
        The exit code: 0 when the file was written, 2 when something is wrong with what was named, 130 when
        interrupted.
    """
    arguments = _parse()
    console = Console(stderr=True)
    try:
        check_files(arguments.source, arguments.target)  # before a model is fetched
        settings = load_settings()
        reference = arguments.model or settings.model or f"models:/{MODEL_NAME}@production"
        package = read_package(
            resolve(reference, settings.registry, settings.cache_dir).path, settings.model_digest
        )
        report = _score(arguments.source, arguments.target, package, console, arguments.measure)
    except (InputError, PackageError, RegistryError, SettingsError, OSError) as error:
        said = str(error)
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            said = (
                f"{arguments.target}: {error.strerror}; free some space and run it again, nothing was written"
            )
        console.print(f"bento.batch: {said}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("bento.batch: interrupted; nothing was written", style="red")
        return 130
    note = f", {report.unscored} of them without text and so left unscored" if report.unscored else ""
    console.print(
        f"{arguments.target}: {report.rows} rows{note}, scored by {package.manifest.family} {package.digest}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bento.batch",
        description="Add sentiment, confidence, whether it is certain, and a score for each label to every "
        "row of a CSV file.",
        epilog="Rows and columns stay as they are and in order; a row without text stays, unscored. A blank "
        "line is such a row in a file of one column; in wider files it is no row and is left out. "
        "The output is written whole or not at all. Exit codes: 0 written, 2 an error that is told, "
        "130 interrupted.",
    )
    parser.add_argument("source", type=Path, metavar="IN", help="CSV or .csv.gz, UTF-8, with a column 'text'")
    parser.add_argument("target", type=Path, metavar="OUT", help="CSV or .csv.gz to write")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a package directory, models:/NAME@ALIAS or models:/NAME/VERSION "
        f"(default: VALENCE_MODEL, else models:/{MODEL_NAME}@production)",
    )
    parser.add_argument(
        "--measure", type=Path, metavar="FILE", help="JSON to write: time, CPU time and memory that it took"
    )
    return parser.parse_args()


def _score(source: Path, target: Path, package: Package, console: Console, measures: Path | None) -> Report:
    scorer = Scorer(package)
    scorer.check()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(source.name, total=source.stat().st_size, rows=0)
        started, cpu_before = time.perf_counter(), time.process_time()
        report = score_file(
            source,
            target,
            scorer,
            workers=usable_cpus(),
            on_progress=lambda read, rows: progress.update(task, completed=read, rows=rows),
        )
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_before
    if measures is not None:
        write_measures(measures, source, scorer, rows=report.rows, wall_s=wall_s, cpu_s=cpu_s)
    return report


if __name__ == "__main__":
    sys.exit(main())
