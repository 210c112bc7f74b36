"""What a person reads at the end: the data, the comparison of the families, the version."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from training.records import DataReport, Registration, Result, Source, StageReport

_WIDTH_OF_A_FILE = 140


def open_console() -> Console:
    """Return a console that keeps tables whole where standard output is a file or a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)


def print_data(console: Console, report: DataReport) -> None:
    """Print what became of the rows."""
    for source in filter(None, (report.data, report.test)):
        kept = f"{source.kept:,} of {source.read:,} rows kept"
        console.print(f"data {source.name}: {kept}{_reasons(source)}", soft_wrap=True)
    table = Table("part", *report.labels, "rows")
    for part, counts in report.parts.items():
        numbers = [counts.get(label, 0) for label in report.labels]
        table.add_row(part, *map(str, [*numbers, sum(numbers)]))
    console.print(table)


def print_stage(console: Console, report: StageReport) -> None:
    """Print what a data stage made of the rows."""
    for origin, read in report.read.items():
        dropped = report.dropped[origin]
        name = report.stage if origin == "data" else f"{report.stage} ({origin})"
        what = f"{report.kept[origin]:,} of {read:,} rows kept" if dropped else f"{read:,} rows, none dropped"
        console.print(f"{name}: {what}")
        for reason, rows in dropped.items():
            console.print(f"  - {rows:,} {reason}")
    for name, counts in report.counts.items():
        listed = ", ".join(f"{rows:,} {what}" for what, rows in counts.items() if rows)
        console.print(f"  {name}: {listed or 'none'}", soft_wrap=True)


def print_comparison(console: Console, results: Sequence[Result]) -> None:
    """Print how the families do on validation, by which the best is chosen, and on test; the best first."""
    longest = max(len(result.family) for result in results)
    for part in results[0].evaluations:
        labels = list(results[0].evaluations[part].classes)
        measures = ("accuracy", "precision", "recall", "macro-F1")
        table = Table(
            Column("family", no_wrap=True, min_width=longest),
            *measures,
            *(f"F1 {label}" for label in labels),
            "size",
            "trained in",
        )
        table.title = f"on {results[0].evaluations[part].rows} {part} rows"
        for result in results:
            scores = result.evaluations[part]
            numbers = [scores.accuracy, scores.macro_precision, scores.macro_recall, scores.macro_f1]
            numbers += [scores.classes[label].f1 for label in labels]
            table.add_row(
                result.family,
                *(f"{number:.3f}" for number in numbers),
                f"{result.package_bytes / 1e6:.1f} MB",
                f"{result.train_seconds:.1f} s",
            )
        console.print(table)


def print_version(console: Console, registration: Registration, best: Result) -> None:
    """Print which version the best family is."""
    console.print(
        f"{registration.name} version {registration.version}: {registration.family} on {best.data}, "
        f"macro-F1 {best.evaluations['validation'].macro_f1:.3f} on validation, {registration.digest}",
        soft_wrap=True,
    )


def _reasons(source: Source) -> str:
    if not source.dropped:
        return ", none dropped"
    return "; dropped: " + ", ".join(f"{count:,} {reason}" for reason, count in source.dropped.items())
