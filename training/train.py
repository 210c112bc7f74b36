"""The stage `train`: `python -m training.train FAMILY` trains one family; `training.pack` comes next."""

import argparse
import shutil
import time
from pathlib import Path

from bento.text import row_key
from training import families
from training.errors import run
from training.fitted import Training, save
from training.params import read_params, section
from training.prepare import DATA, REPORT
from training.project import git_commit
from training.records import ARTIFACTS, EMBEDDINGS, DataReport
from training.rows import Rows
from training.splitting import NAMES

_UNFINISHED = Path("unfinished")


def train(name: str) -> Training:
    """Train a family on the prepared parts and write its graph.

    Raises:
        InputError: Its parameters cannot be used.
        TrainingError: It cannot be trained here.
    """
    family = families.load(name)
    params = section(read_params(), f"train.{name}", family.Params)
    labels = DataReport.load(REPORT).labels
    rows, validation, test = (Rows.read(DATA / f"{part}.parquet") for part in NAMES)
    unfinished = ARTIFACTS / name / _UNFINISHED
    held_out = frozenset(map(row_key, [*validation.texts, *test.texts]))
    beside = families.Beside(unfinished, held_out, EMBEDDINGS)
    commit = git_commit()
    start = time.perf_counter()
    fitted = family.fit(rows, validation, labels, params, beside)
    training = Training(
        family=name,
        params=params.model_dump(mode="json"),
        max_tokens=fitted.max_tokens,
        chosen=fitted.chosen,
        train_rows=len(rows),
        train_seconds=round(time.perf_counter() - start, 3),
        git_commit=commit,
    )
    save(ARTIFACTS / name, fitted, training)
    shutil.rmtree(unfinished, ignore_errors=True)
    return training


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("family", choices=sorted(families.FAMILIES))
    training = train(parser.parse_args().family)
    print(
        f"{training.family}: trained in {training.train_seconds:.1f} s; the training part has "
        f"{training.train_rows} rows"
    )


if __name__ == "__main__":
    run(_main)
