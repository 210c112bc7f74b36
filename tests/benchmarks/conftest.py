"""A small package to serve, words to make texts of, and what a run would have found."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import corpus
from benchmarks.contenders import CONTENDERS, OURS, Pair
from bento.package import LABELS
from training.export import measure, write
from training.families import tfidf_logreg
from training.rows import Rows


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A package of the quickest family; there is nothing for transformers to read."""
    rows = Rows([], [])
    with (corpus.CORPUS / "products.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if rows.labels.count(row["label"]) < 30:
                rows.texts.append(row["text"])
                rows.labels.append(row["label"])
    params = tfidf_logreg.Params(C=[1.0], min_df=1, class_weight=None, max_tokens=64)
    folder = tmp_path_factory.mktemp("pair")
    measured = measure(
        tfidf_logreg.fit(rows, rows, LABELS, params),
        family="tfidf_logreg",
        labels=LABELS,
        parts=dict.fromkeys(("train", "validation", "test"), rows),
        git_commit=None,
    )
    write(folder / "package", measured, "test")
    return Pair(folder / "package", folder / "none")


@pytest.fixture(scope="session")
def words_file(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Path:
    """Words as a run writes them."""
    path = tmp_path_factory.mktemp("words") / "words.json"
    corpus.write_words(path, (pair.package / "tokenizer.json").read_bytes())
    return path


def _row(server: str, backend: str, concurrency: int) -> dict[str, Any]:
    ours = server == OURS.name
    return {
        "server": server,
        "backend": backend,
        "concurrency": concurrency,
        "rps": 400.0 if ours else 100.0,
        "p50_ms": 10.0 if ours else 40.0,
        "p99_ms": 20.0 if ours else 80.0,
        "cpu_ms_per_request": 5.0 if ours else 20.0,
        "errors": 0,
        "rss_mb": 300.0 if ours else 600.0,
        "ready_s": 2.0 if ours else 8.0,
    }


@pytest.fixture
def document() -> dict[str, Any]:
    """What a run writes: every bar is met, but that of FastAPI with the pipeline; there was no soak."""
    rows = [_row(one.name, one.backend, concurrency) for one in CONTENDERS for concurrency in (1, 8, 32, 128)]
    grid = [
        {"lanes": 2, "threads": 1, "batch_tokens": 512, "texts_per_s": 410.0, "texts_per_cpu_s": 205.0},
        {"lanes": 1, "threads": 2, "batch_tokens": 512, "texts_per_s": 390.0, "texts_per_cpu_s": 199.0},
    ]
    overload = {
        "asked_per_s": 400.0,
        "peak_rps": 400.0,
        "goodput_rps": 380.0,
        "p99_ms": 1_050.0,
        "budget_ms": 1_000.0,
        "batch_ms": 60.0,
        "refused": 900.0,
        "errors": 0.0,
        "asked": 3_200.0,
        "server_cpu_share": 1.8,
        "other_cpu_share": 0.05,
    }
    found: dict[str, Any] = {
        "machine": {
            "date": "2024-01-01T00:00:00+00:00",
            "commit": "0123456789ab",
            "cpu": "Some CPU",
            "cpus": 2,
            "memory_gb": 16.0,
            "system": "Linux 6.1",
            "python": "3.11.2",
            "load_before": 0.1,
            "versions": {"valence": {"bentoml": "1"}, "peers": {"fastapi": "2"}},
        },
        "settings": {
            "rounds": 1,
            "warm_s": 1.0,
            "cell_s": 5.0,
            "tune_s": 2.0,
            "tune_concurrency": [32, 128],
            "offline_texts": 512,
            "tokens": {"median": 21, "sigma": 0.6, "min": 6, "max": 128},
            "servers": [
                {
                    "server": one.name,
                    "backend": one.backend,
                    "command": "c",
                    "chosen": "a",
                    "tried": ["a", "b"],
                }
                for one in CONTENDERS
            ],
        },
        "rows": rows,
        "load_generator": [
            {
                "server": "valence",
                "backend": "onnx",
                "concurrency": 1,
                "cpu_ms_per_request": 0.1,
                "cpu_share": 0.1,
                "other_cpu_share": 0.02,
            }
        ],
        "offline": grid,
        "lone": {"scorer_p50_ms": {"1": 5.0, "2": 4.0}, "served_p50_ms": 4.8},
        "largest_process_mb": 320.0,
        "overload": [{**overload, "times": 1}, {**overload, "times": 2, "asked_per_s": 800.0}],
        "soak": None,
        "rounds": [{"rows": rows, "offline": grid}],
    }
    copy: dict[str, Any] = json.loads(json.dumps(found))
    return copy
