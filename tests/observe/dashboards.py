"""What the dashboards ask Prometheus, with a value for each of their variables."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / "grafana" / "dashboards"

_VARIABLE = re.compile(r"\$(?:\{([a-z_]+)\}|([a-z_]+))")  # `$1` is a group of a label_replace


class Asked(NamedTuple):
    """A query, and where it stands."""

    where: str
    expr: str

    def of(self, release: str) -> str:
        """Put values in the place of variables, durations being a sixtieth of what Grafana would take."""
        values = {
            "namespace": "local",
            "release": release,
            "model_version": ".*",
            "__rate_interval": "10s",
            "__range": "60s",
            "__interval": "5s",
        }
        return _VARIABLE.sub(lambda found: values[found[1] or found[2]], self.expr)


def asked() -> Iterator[Asked]:
    """Yield every query of every panel and annotation."""
    for path in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield Asked(f"{path.stem}: {panel['title']} {target['refId']}", target["expr"])
        for annotation in dashboard["annotations"]["list"]:
            if "expr" in annotation:
                yield Asked(f"{path.stem}: {annotation['name']}", annotation["expr"])
