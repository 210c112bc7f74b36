"""The stage `flag`: what is odd about a row stands in a column, and is a reason to leave it out if so set."""

from training.errors import run
from training.params import FLAGS
from training.records import StageReport
from training.stages.folders import FLAGGED, VALIDATED, new_folder
from training.stages.stage import Context, count, report_of, run_stage, settings, sql


def flag(context: Context) -> StageReport:
    """Flag every row; all rows are kept, those to leave out with the reason in `excluded_as`."""
    engine, options = context.engine, context.data.flag
    engine.open("validated", context.root / VALIDATED)
    settings(
        context,
        **options.model_dump(exclude={"exclude"}),
        **{f"exclude_{name}": name in options.exclude for name in FLAGS},
    )
    with new_folder(context.root / FLAGGED) as folder:
        engine.write(sql("flag"), folder)
        engine.open("flagged", folder)
        found = count(context, "flagged", "origin", "flags")
    read = report_of(context, "validate").kept
    counts: dict[str, dict[str, int]] = {origin: dict.fromkeys(FLAGS, 0) for origin in read}
    for (origin, flags), rows in found.items():
        for name in flags.split():
            counts[origin][name] += rows
    return StageReport(
        stage="flag", read=read, kept=read, dropped={origin: {} for origin in read}, counts=counts
    )


if __name__ == "__main__":
    run(lambda: run_stage(flag))
