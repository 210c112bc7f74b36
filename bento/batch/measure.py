"""What scoring costs: for whoever compares two packages."""

import json
import resource
import time
from itertools import islice
from pathlib import Path

import numpy as np

from bento.batch.table import open_table, replacing
from bento.scorer import Scorer
from bento.text import normalise

_ALONE = 200  # texts that are scored one at a time


def write_measures(
    path: Path, source: Path, scorer: Scorer, *, rows: int, wall_s: float, cpu_s: float
) -> None:
    """Write what a run has cost, as JSON.

    Args:
        path: Where to.
        source: The file that was scored; its first texts are scored again one at a time.
        scorer: With one thread.
        rows: How many rows were scored.
        wall_s: How long that took.
        cpu_s: CPU time of it.

    Raises:
        InputError: There is no writing to `path`.
        OSError: The file cannot be written.
    """
    measures = {
        "rows": rows,
        "seconds": round(wall_s, 3),
        "cpu_ms_per_text": round(1000 * cpu_s / max(rows, 1), 4),
        "alone_ms": _time_alone(source, scorer),
        "max_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    with replacing(path) as file:
        file.write(json.dumps(measures, indent=2) + "\n")


def _time_alone(source: Path, scorer: Scorer) -> dict[str, float]:
    with open_table(source) as table:
        all_texts = (row[table.text_column] for row in table.rows)
        texts = list(islice((text for text in all_texts if normalise(text)), _ALONE))
    taken = []
    for text in texts:
        started = time.perf_counter()
        scorer.score([scorer.encode(text)])
        taken.append(1000 * (time.perf_counter() - started))
    if not taken:
        return {}
    return {f"p{part}": round(float(np.percentile(taken, part)), 3) for part in (50, 95, 99)}
