"""The stage `train`: `python -m training.train FAMILY` trains one family, packages it and measures it."""

import argparse
import time
from typing import cast

from bento.package import GRAPH, TOKENIZER, Label
from training import families, tracking
from training.errors import run
from training.evaluate import draw_confusion
from training.export import export
from training.params import read_params, section
from training.prepare import DATA, REPORT
from training.project import git_commit
from training.records import ARTIFACTS, DataReport, Result
from training.rows import Rows
from training.splitting import NAMES


def train(name: str) -> Result:
    """Train a family on the prepared parts, log the run, and write package, picture and result.

    Raises:
        InputError: Its parameters cannot be used.
        TrainingError: It cannot be trained here.
        PackageError: What it exports does not fulfil the contract.
    """
    family = families.load(name)
    params = section(read_params(), f"train.{name}", family.Params)
    report = DataReport.load(REPORT)
    parts = {part: Rows.read(DATA / f"{part}.parquet") for part in NAMES}
    labels = cast("tuple[Label, ...]", report.labels)
    commit = git_commit()
    folder = ARTIFACTS / name
    client = tracking.open_client()
    with tracking.new_run(client, name, report.data.name) as run_id:
        start = time.perf_counter()
        fitted = family.fit(parts["train"], parts["validation"], labels, params)
        seconds = time.perf_counter() - start
        package, evaluations = export(
            folder / "package",
            fitted,
            family=name,
            labels=labels,
            parts=parts,
            run_id=run_id,
            git_commit=commit,
        )
        picture = folder / "confusion.png"
        draw_confusion(evaluations, f"{name} on {report.data.name}", picture)
        result = Result(
            family=name,
            run_id=run_id,
            digest=package.digest,
            data=report.data.name,
            data_sha256=package.manifest.data_sha256,
            git_commit=commit,
            chosen=fitted.chosen,
            train_rows=len(parts["train"]),
            train_seconds=round(seconds, 3),
            package_bytes=sum((package.path / file).stat().st_size for file in (TOKENIZER, GRAPH)),
            evaluations=evaluations,
        )
        tracking.log_result(client, result, params.model_dump(), package.path, picture)
    result.write(folder / "result.json")
    return result


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("family", choices=sorted(families.FAMILIES))
    result = train(parser.parse_args().family)
    evaluation = result.evaluations["validation"]
    print(f"{result.family}: macro-F1 {evaluation.macro_f1:.4f} on {evaluation.rows} validation rows")


if __name__ == "__main__":
    run(_main)
