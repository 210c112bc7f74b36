"""The stage `clean`: nothing unclear stays, and nothing goes uncounted."""

from collections import Counter

from training.errors import run
from training.records import StageReport
from training.stages.folders import CLEANED, INGESTED, new_folder
from training.stages.stage import Context, count, report_of, run_stage, settings, sql


def clean(context: Context) -> StageReport:
    """Normalise texts, and drop and count what cannot be learnt from.

    Dropped: a row without text or without label, a text that is empty once normalised, neutral rows if so
    set, an exact duplicate (same normalised text, same label), and labels of one text that contradict.
    """
    engine, options = context.engine, context.data.clean
    engine.open("ingested", context.root / INGESTED)
    engine.table("null_words", {"word": sorted(options.null_words)}, types={"word": "string"})
    settings(
        context,
        drop_neutral=options.neutral == "drop",
        majority=options.conflicts == "majority",
        exempt_chars=options.exempt_chars,
    )
    # Written down in between, so that each text is normalised once and only once.
    normalised = context.scratch / "normalised"
    normalised.mkdir()
    engine.write(sql("normalise"), normalised)
    engine.open("normalised", normalised)
    unusable = count(context, "normalised", "origin", "dropped")
    with new_folder(context.root / CLEANED) as folder:
        engine.write(sql("clean"), folder)
        engine.open("cleaned", folder)
        found = engine.rows(
            "SELECT origin, count(*) AS kept, sum(copies) AS copies FROM cleaned GROUP BY origin"
        )
    read = report_of(context, "ingest").kept
    kept = dict.fromkeys(read, 0) | {row["origin"]: row["kept"] for row in found}
    copies = dict.fromkeys(read, 0) | {row["origin"]: int(row["copies"]) for row in found}
    dropped = {origin: Counter[str]() for origin in read}
    for (origin, reason), rows in unusable.items():
        if reason:
            dropped[origin][reason] = rows
    for origin, reasons in dropped.items():
        usable = read[origin] - sum(reasons.values())
        reasons["duplicate"] = copies[origin] - kept[origin]
        reasons["conflicting labels"] = usable - copies[origin]
    return StageReport(
        stage="clean",
        read=read,
        kept=kept,
        dropped={origin: dict(sorted((+reasons).items())) for origin, reasons in dropped.items()},
    )


if __name__ == "__main__":
    run(lambda: run_stage(clean))
