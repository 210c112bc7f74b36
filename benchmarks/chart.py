"""The picture of the table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart; markers differ as well.
_STYLES = {
    ("valence", "onnx"): ("#000000", "o"),
    ("valence, bentoml serve", "onnx"): ("#56B4E9", "X"),
    ("fastapi", "onnx"): ("#0072B2", "s"),
    ("bentoml", "onnx"): ("#E69F00", "^"),
    ("litserve", "onnx"): ("#009E73", "D"),
    ("fastapi", "transformers"): ("#CC79A7", "v"),
    ("flask+gunicorn", "transformers"): ("#D55E00", "P"),
}
_PANELS = (
    ("rps", "requests/s"),
    ("p99_ms", "p99 in ms"),
    ("cpu_ms_per_request", "server CPU-ms per request"),
)


def draw(rows: Sequence[dict[str, Any]], offline_texts_per_s: float, path: Path) -> None:
    """Write an SVG of requests per second, p99 and CPU over concurrency, one line for each server.

    Args:
        rows: Of the table.
        offline_texts_per_s: The limit of the machine.
        path: Where it goes.
    """
    concurrency = sorted({row["concurrency"] for row in rows})
    figure = Figure(figsize=(13, 4.6), layout="constrained", facecolor="white")
    for axes, (value, title) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for (server, backend), (colour, marker) in _STYLES.items():
            line = {
                row["concurrency"]: row[value]
                for row in rows
                if (row["server"], row["backend"]) == (server, backend)
            }
            axes.plot(
                list(line),
                list(line.values()),
                color=colour,
                marker=marker,
                linewidth=2.4 if server == "valence" else 1.4,
                label=f"{server} ({backend})",
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(concurrency, [str(one) for one in concurrency])
        axes.set_xlabel("concurrency")
        axes.set_title(title)
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        if value == "rps":
            axes.axhline(offline_texts_per_s, color="#777777", linestyle="--", label="offline limit")
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": "valence"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
