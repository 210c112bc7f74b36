"""Texts of other data that a model may learn from first, without any that it will be judged by."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from training.errors import InputError
from training.params import Data
from training.rows import Rows
from training.stages.clean import clean
from training.stages.folders import VALIDATED
from training.stages.ingest import ingest
from training.stages.stage import open_context, perform
from training.stages.validate import validate
from training.storage import data_name


def read_related(files: Sequence[str], labels: tuple[str, ...], held_out: frozenset[str]) -> Rows:
    """Read labelled texts through the data stages, in an order of their own.

    Args:
        files: Where they are, with the columns `text` and `label`.
        labels: Rows of other labels are left out.
        held_out: Keys of texts that are left out, however they are written.

    Raises:
        InputError: A file cannot be used, or nothing is left.
    """
    rows = Rows([], [])
    for location in files:
        data = Data(path=location, validation_share=0.1, test_share=0.1)
        with TemporaryDirectory() as folder, open_context(data, Path(folder)) as context:
            for stage in (ingest, clean, validate):
                perform(stage, context)
            table = pq.read_table(Path(folder) / VALIDATED, columns=["key", "text", "label"])
        found = sorted(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
        used = [row for row in found if row[2] in labels and row[0] not in held_out]
        rows.texts.extend(text for _, text, _ in used)
        rows.labels.extend(label for _, _, label in used)
        left = len(found) - len(used)
        print(
            f"  related data {data_name(location)}: {len(used)} rows; {left} are held out or of other labels",
            flush=True,
        )
    if not rows.texts:
        raise InputError(
            "train.transformer.pretrain: no row is left to learn from; name other files, or none"
        )
    return rows
