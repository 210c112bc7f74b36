"""`python -m grafana.picture`: draw each dashboard from what a Prometheus answers.

Exit codes: 0 drawn, 2 Prometheus does not answer.
"""

import argparse
import json
import re
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from grafana.asked import variables
from grafana.generate import DASHBOARDS
from grafana.picture.page import draw
from grafana.picture.source import Source, SourceError

_PICTURES = Path(__file__).resolve().parents[2] / "docs" / "dashboards"
_TOO_EXACT = re.compile(r"(\d\.\d)\d{2,}")


def main() -> int:
    """Draw them."""
    parser = argparse.ArgumentParser(prog="python -m grafana.picture", description=__doc__)
    parser.add_argument("--url", default="http://localhost:9090", help="the Prometheus to ask (%(default)s)")
    parser.add_argument("--namespace", default="local", help="(%(default)s)")
    parser.add_argument("--release", default="valence", help="(%(default)s)")
    parser.add_argument("--minutes", type=float, default=60, help="how much time to show (%(default)s)")
    parser.add_argument("--until", type=float, help="its end, in seconds since 1970 (now)")
    parser.add_argument("--rate", default="1m", help="for $__rate_interval: four scrapes (%(default)s)")
    parser.add_argument("--out", type=Path, default=_PICTURES, help="folder (docs/dashboards)")
    parser.add_argument("--png", action="store_true", help="draw PNG files instead of SVG")
    given = parser.parse_args()
    end = given.until or time.time()
    values = variables(given.namespace, given.release, rate=given.rate, over=f"{given.minutes * 60:.0f}s")
    source = Source(given.url.rstrip("/"), end - given.minutes * 60, end, values)
    given.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        try:
            figure = draw(json.loads(path.read_text(encoding="utf-8")), source)
        except SourceError as error:
            print(f"grafana.picture: {path.name}: {error}", file=sys.stderr)
            return 2
        drawn = given.out / path.with_suffix(".png" if given.png else ".svg").name
        if given.png:
            figure.savefig(drawn, dpi=110)
        else:
            drawn.write_text(_svg(figure), encoding="utf-8")
        print(drawn)
    return 0


def _svg(figure: Figure) -> str:
    """Return a picture that stays the same for the same data, and small."""
    written = StringIO()
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "valence",
        "font.sans-serif": ["DejaVu Sans", "Verdana"],
    }
    with mpl.rc_context(settings):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, dpi=100)
    return _TOO_EXACT.sub(r"\1", written.getvalue())
