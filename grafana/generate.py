"""`python -m grafana.generate`: make the dashboards in grafana/dashboards and in the chart.

The chart's have links to the documents besides: `monitoring.docsUrl` says where these can be read.

Exit codes: 0 they are made, or as they should be; 1 `--check` found one that is not.
"""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.engine import engine
from grafana.frame import link_documents
from grafana.model import model
from grafana.release import release
from grafana.service import service

_ROOT = Path(__file__).resolve().parent.parent
DASHBOARDS = _ROOT / "grafana" / "dashboards"
# Whether there are links to the documents.
FOLDERS = {DASHBOARDS: False, _ROOT / "helm" / "valence" / "files" / "dashboards": True}


def generate(*, documents: bool = False) -> dict[str, str]:
    """Return the dashboards, with or without links to the documents: name of the file to content."""
    made = {}
    for dashboard in (service(), engine(), model(), release()):
        if documents:
            link_documents(dashboard)
        made[f"{dashboard.uid}.json"] = _json(dashboard)
    return made


def _json(dashboard: Dashboard) -> str:
    return json.dumps(dashboard, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def stale() -> list[Path]:
    """Return the files that are not what would be made now: changed, missing, or of no dashboard any more."""
    return [
        folder / name
        for folder, documents in FOLDERS.items()
        for made in [generate(documents=documents)]
        for name in sorted({*made, *(path.name for path in folder.glob("*.json"))})
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != made.get(name)
    ]


def write() -> None:
    """Make them."""
    for folder, documents in FOLDERS.items():
        made = generate(documents=documents)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.json"):
            if path.name not in made:
                path.unlink()
        for name, content in made.items():
            (folder / name).write_text(content, encoding="utf-8")


def main() -> int:
    """Make or check them."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is not up to date")
    if not parser.parse_args().check:
        write()
        return 0
    for path in stale():
        print(f"{path.relative_to(_ROOT)} is stale: run `python -m grafana.generate`", file=sys.stderr)
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main())
