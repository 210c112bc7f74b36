"""The stage `validate`: rows that break the schema contract stop the pipeline, or go to quarantine."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bento.package import LABELS
from training.errors import InputError, run
from training.reading import place_of
from training.records import StageReport
from training.stages.folders import CLEANED, QUARANTINE, VALIDATED, new_folder
from training.stages.ingest import raw_files
from training.stages.stage import Context, count, report_of, run_stage, settings, sql
from training.storage import name_of_file

_EXAMPLES = 3
_SHOWN = 40  # characters of a value in a message


def validate(context: Context) -> StageReport:
    """Check every row, and then whether the labels that are left are two or three classes that fit.

    Raises:
        InputError: A row breaks a rule and `data.validate.violations` is `stop`, or the labels do not fit.
    """
    engine, options = context.engine, context.data.validate_
    engine.open("cleaned", context.root / CLEANED)
    settings(context, max_chars=options.max_chars)
    engine.define("judged", sql("validate"))
    found = count(context, "judged", "origin", "violates", "valid_label")  # once, as it reads every text
    broken, labels = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (origin, rule, label), rows in found.items():
        (broken if rule else labels)[origin, rule or label] += rows
    if broken and options.violations == "stop":
        raise InputError(_complaint(context))
    _check_classes(context, labels)
    with new_folder(context.root / VALIDATED) as folder:
        engine.write(
            "SELECT origin, row_id, text, key, label, stars, copies FROM judged WHERE violates IS NULL",
            folder,
        )
        # Also when it is empty: what is in quarantine is of this run.
        with new_folder(context.root / QUARANTINE) as quarantine:
            which = "violates IS NOT NULL" if broken else "FALSE"
            engine.write(
                f"SELECT origin, row_id, text, label, violates, found FROM judged WHERE {which}",  # noqa: S608
                quarantine,
            )
    read = report_of(context, "clean").kept
    dropped = {
        origin: {f"quarantine: {rule}": rows for (of, rule), rows in sorted(broken.items()) if of == origin}
        for origin in read
    }
    return StageReport(
        stage="validate",
        read=read,
        kept={origin: rows - sum(dropped[origin].values()) for origin, rows in read.items()},
        dropped=dropped,
        counts={
            origin: {label: labels[origin, label] for label in LABELS if (origin, label) in labels}
            for origin in read
        },
    )


def _complaint(context: Context) -> str:
    """Say of each rule that is broken: column, rule, count, three rows."""
    files = {file.number: name_of_file(file.location) for file in raw_files(context.data)}
    found = context.engine.rows(
        "SELECT violates, count(*) AS row_count FROM judged WHERE violates IS NOT NULL GROUP BY violates "
        "ORDER BY violates"
    )
    complaints = []
    for row in found:
        field, rows = row["violates"], row["row_count"]
        examples = context.engine.rows(
            f"SELECT row_id, found FROM judged WHERE violates = '{field}' "  # noqa: S608 - our own names
            f"ORDER BY row_id LIMIT {_EXAMPLES}"
        )
        places = ", ".join(_place(files, example) for example in examples)
        complaints.append(
            f"column {_column(context, field)} must be {_rule(context, field)}: {rows} rows are not, {places}"
        )
        if field == "label" and any(_is_number(example["found"]) for example in examples):
            complaints.append(
                "numbers are no labels, as data sets number their classes differently; ratings are "
                "named by --rating (with make RATING=; in params.yaml data.columns.rating)"
            )
    return (
        f"{name_of_file(context.data.path)}: {'; '.join(complaints)}. "
        "Mend the rows; or name another column (--label, --rating; with make LABEL=, RATING=); or leave such "
        "rows out, with violations: quarantine below data.validate in params.yaml"
    )


def _place(files: dict[int, str], example: dict[str, Any]) -> str:
    number, place = place_of(example["row_id"])
    return f"{files[number]}:{place} {example['found'][:_SHOWN]!r}"


def _column(context: Context, field: str) -> str:
    return str(getattr(context.data.columns, field))


def _rule(context: Context, field: str) -> str:
    return {
        "label": f"{', '.join(LABELS)} (neg, neu, pos for short, in any letter case)",
        "rating": "a whole number from 1 to 5",
        "text": f"at most {context.data.validate_.max_chars} characters long",
    }[field]


def _is_number(value: str) -> bool:
    return value.replace(".", "").lstrip("+-").isdigit()


def _check_classes(context: Context, counts: Mapping[tuple[str, str], int]) -> None:
    name = name_of_file(context.data.path)
    found = [label for label in LABELS if ("data", label) in counts]
    if not found:
        raise InputError(f"{name}: no row is left to learn from; rows with a text and a label are needed")
    if len(found) == 1:
        rows = counts["data", found[0]]
        raise InputError(f"{name}: all {rows} rows are {found[0]}; negative and positive are needed")
    if not {"negative", "positive"} <= set(found):
        raise InputError(
            f"{name}: the labels are {' and '.join(found)}; two classes must be negative and positive"
        )
    if context.data.test is None:
        return
    test = name_of_file(context.data.test)
    tested = [label for label in LABELS if ("test", label) in counts]
    if not tested:
        raise InputError(f"{test}: no row is left to test on; rows with a text and a label are needed")
    unseen = [label for label in tested if label not in found]
    if unseen:
        raise InputError(
            f"{test}: has rows labelled {', '.join(unseen)}, {name} has none; "
            "leave them out, or add such rows to the training data"
        )


if __name__ == "__main__":
    run(lambda: run_stage(validate))
