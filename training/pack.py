"""The stage `package`: `python -m training.pack FAMILY` makes a model package of what was trained."""

import argparse
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from bento.package import GRAPH, TOKENIZER, Label
from training import families, kept_runs, tracking
from training.confusion_picture import draw_confusion
from training.errors import run
from training.export import measure, write
from training.fitted import load
from training.params import Packaging, read_params, section
from training.predictions import PREDICTIONS, of_scores
from training.prepare import DATA, REPORT
from training.records import ARTIFACTS, DataReport, Result
from training.rows import Rows
from training.sources import test_sources
from training.splitting import NAMES


def pack(name: str) -> Result:
    """Package a trained family, log the run, and write package, picture and result.

    Raises:
        InputError: Its parameters cannot be used.
        TrainingError: It was not trained yet.
        PackageError: What was trained does not fulfil the contract.
    """
    packaging = section(read_params(), "package", Packaging)
    report = DataReport.load(REPORT)
    parts = {part: Rows.read(DATA / f"{part}.parquet") for part in NAMES}
    folder = ARTIFACTS / name
    graph, training = load(folder)
    for left in folder.glob(".package-*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(kept_runs.open_client)  # MLflow takes seconds to import: meanwhile
        measured = measure(
            graph,
            family=name,
            labels=cast("tuple[Label, ...]", report.labels),
            parts=parts,
            git_commit=training.git_commit,
            promise=packaging.promise,
        )
    client = opening.result()
    with tracking.new_run(client, name, report.data.name) as run_id:
        package = write(folder / "package", measured, run_id)
        picture = folder / "confusion.svg"
        draw_confusion(measured.evaluations, f"{name} on {report.data.name}", picture)
        result = Result(
            family=name,
            run_id=run_id,
            digest=package.digest,
            data=report.data.name,
            data_sha256=package.manifest.data_sha256,
            git_commit=training.git_commit,
            params=training.params,
            chosen=training.chosen,
            train_rows=training.train_rows,
            train_seconds=training.train_seconds,
            package_bytes=sum((package.path / file).stat().st_size for file in (TOKENIZER, GRAPH)),
            evaluations=measured.evaluations,
        )
        logged = training.params | {f"package_{name}": value for name, value in packaging}
        tracking.log_result(client, result, logged, package.path, picture)
    test = parts["test"]
    of_scores(
        measured.scores,
        package.manifest.labels,
        package.manifest.certainty.threshold,
        texts=test.texts,
        sources=test_sources(),
        truth=test.labels,
    ).write(folder / PREDICTIONS)
    result.write(folder / "result.json")
    return result


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.pack", description=__doc__)
    parser.add_argument("family", choices=sorted(families.FAMILIES))
    result = pack(parser.parse_args().family)
    evaluation = result.evaluations["validation"]
    print(f"{result.family}: macro-F1 {evaluation.macro_f1:.4f} on {evaluation.rows} validation rows")


if __name__ == "__main__":
    run(_main)
