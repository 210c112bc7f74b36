"""The stage `split`: train, validation and test, balanced if so set, and the summary of all stages."""

from collections import Counter

from bento.package import LABELS
from training.errors import InputError, run
from training.records import DataReport, Source, StageReport
from training.splitting import NAMES, bound, check_counts, quotas
from training.stages.folders import FLAGGED, PARTS, SOURCES, new_folder
from training.stages.stage import Context, Counts, count, report_of, run_stage, settings, sql
from training.storage import data_name

_STAGES = ("clean", "validate")


def split(context: Context) -> StageReport:
    """Split the rows and undersample the training part.

    Without `data.test` a share of the rows is held out for testing. With it, those rows are the test part,
    and a text whose normal form stands in both is dropped from the training data.

    Raises:
        InputError: There are too few rows of a label; the message says how many are needed.
    """
    engine, data = context.engine, context.data
    engine.open("flagged", context.root / FLAGGED)
    tested = 0.0 if data.test else data.test_share
    settings(
        context,
        test_below=bound(tested),
        validation_below=bound(tested + data.validation_share),
    )
    _set_quotas(context, {})
    engine.define("split", sql("split"))
    placed = count(context, "split", "origin", "label", "part")
    _check(context, placed)
    if data.balance.max_ratio is not None:
        _set_quotas(context, {label: rows for (_, label, part), rows in placed.items() if part == "train"})
        engine.define("split", sql("split"))
        placed = count(context, "split", "origin", "label", "part")
    report = _report(context, placed)
    with new_folder(context.root / PARTS) as folder:
        for name in NAMES:
            part = folder / f"{name}.parquet"
            part.mkdir()
            engine.table("wanted", {"name": [name]}, types={"name": "string"})
            engine.write(sql("part"), part)
        _summary(context, report).write(folder / "report.json")
    with new_folder(context.root / SOURCES) as folder:
        engine.write(sql("sources"), folder)
    return report


def _set_quotas(context: Context, rows: dict[str, int]) -> None:
    below = quotas(rows, context.data.balance.max_ratio)
    context.engine.table(
        "quota",
        {"label": list(LABELS), "below": [below[label] for label in LABELS]},
        types={"label": "string", "below": "string"},
    )


def _check(context: Context, placed: Counts) -> None:
    name = data_name(context.data.path)
    parts = {part: Counter[str]() for part in NAMES}
    for (_, label, part), rows in placed.items():
        if part in parts:
            parts[part][label] += rows
    if context.data.test and not parts["train"] + parts["validation"]:
        raise InputError("every text of the training data is also in the test data; name two different files")
    held_out = NAMES if context.data.test is None else NAMES[:-1]
    check_counts({part: parts[part] for part in held_out}, name)


def _report(context: Context, placed: Counts) -> StageReport:
    read = report_of(context, "flag").kept
    dropped = {origin: Counter[str]() for origin in read}
    parts = {name: Counter[str]() for name in NAMES}
    for (origin, label, part), rows in placed.items():
        if part in parts:
            parts[part][label] += rows
        else:
            dropped[origin][part] += rows
    return StageReport(
        stage="split",
        read=read,
        kept={origin: rows - sum(dropped[origin].values()) for origin, rows in read.items()},
        dropped={origin: dict(sorted(reasons.items())) for origin, reasons in dropped.items()},
        counts={
            name: {label: found[label] for label in LABELS if found[label]} for name, found in parts.items()
        },
    )


def _summary(context: Context, last: StageReport) -> DataReport:
    stages = [*(report_of(context, name) for name in _STAGES), last]
    read = report_of(context, "ingest").read

    def source(origin: str, location: str) -> Source:
        dropped = sum((Counter(stage.dropped[origin]) for stage in stages), Counter[str]())
        return Source(
            name=data_name(location),
            read=read[origin],
            kept=last.kept[origin],
            dropped=dict(sorted(dropped.items())),
        )

    data = context.data
    return DataReport(
        data=source("data", data.path),
        test=source("test", data.test) if data.test else None,
        labels=tuple(label for label in LABELS if any(label in found for found in last.counts.values())),
        parts=last.counts,
    )


if __name__ == "__main__":
    run(lambda: run_stage(split))
