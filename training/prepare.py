"""The stage `prepare`: labelled texts in, clean parts and a report out."""

from pathlib import Path

from bento.package import LABELS
from training.cleaning import Cleaned, clean
from training.errors import InputError, run
from training.params import Data, read_params, section
from training.reading import read
from training.records import ARTIFACTS, DataReport, Source
from training.rows import Rows
from training.splitting import PARTS, split

DATA = ARTIFACTS / "data"
REPORT = DATA / "report.json"


def prepare(data: Data) -> tuple[dict[str, Rows], DataReport]:
    """Read, clean and split the data.

    Without `data.test` a share of the rows is held out for testing. With it, those rows are the test part,
    and a text that stands in both is dropped from the training data.

    Returns:
        The rows of train, validation and test, and what to tell about them.

    Raises:
        InputError: The data cannot be used.
    """
    cleaned = clean(read(data.path), name=str(data.path))
    shares = {"validation": data.validation_share}
    if data.test is None:
        parts = split(cleaned.rows, shares | {"test": data.test_share}, name=str(data.path))
        held_out = None
    else:
        held_out = clean(read(data.test), name=str(data.test))
        cleaned = _without(cleaned, held_out.rows)
        parts = split(cleaned.rows, shares, name=str(data.path)) | {"test": held_out.rows}
        unseen = set(held_out.rows.labels) - set(cleaned.rows.labels)
        if unseen:
            raise InputError(
                f"{data.test}: has rows labelled {', '.join(sorted(unseen))}, {data.path} has none; "
                "leave them out, or add such rows to the training data"
            )
    report = DataReport(
        data=_source(data.path, cleaned),
        test=_source(data.test, held_out) if data.test and held_out else None,
        labels=tuple(label for label in LABELS if label in cleaned.rows.count()),
        parts={part: parts[part].count() for part in PARTS},
        train_sha256=parts["train"].sha256(),
    )
    return parts, report


def name_of(path: Path) -> str:
    """Return what a data set is called: the name of its file or folder, without endings."""
    return path.name.split(".", 1)[0] or path.name


def _without(cleaned: Cleaned, test: Rows) -> Cleaned:
    held_out = set(test.texts)
    pairs = zip(cleaned.rows.texts, cleaned.rows.labels, strict=True)
    kept = [(text, label) for text, label in pairs if text not in held_out]
    both = len(cleaned.rows) - len(kept)
    if not both:
        return cleaned
    if not kept:
        raise InputError("every text of the training data is also in the test data; name two different files")
    rows = Rows([text for text, _ in kept], [label for _, label in kept])
    return Cleaned(rows, cleaned.read, cleaned.dropped | {"also in the test data": both})


def _source(path: Path, cleaned: Cleaned) -> Source:
    return Source(name=name_of(path), read=cleaned.read, kept=len(cleaned.rows), dropped=cleaned.dropped)


def _main() -> None:
    parts, report = prepare(section(read_params(), "data", Data))
    DATA.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        rows.write(DATA / f"{part}.parquet")
    report.write(REPORT)
    counts = ", ".join(f"{len(rows)} {part}" for part, rows in parts.items())
    print(f"{report.data.kept} of {report.data.read} rows of {report.data.name} kept: {counts}")


if __name__ == "__main__":
    run(_main)
