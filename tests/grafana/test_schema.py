"""The dashboards are what Grafana's own types say, and TypeScript's compiler finds a mistake in them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from grafana.generate import generate

HERE = Path(__file__).parent
TSC = HERE / "node_modules" / "typescript" / "bin" / "tsc"
SCHEMA = HERE / "node_modules" / "@grafana" / "schema"

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and TSC.exists() and SCHEMA.exists()),
    reason="needs Node.js and Grafana's types: `npm ci --prefix tests/grafana`",
)


class Mistake(NamedTuple):
    kind: str
    path: str  # below the first panel of that kind
    value: object
    says: str


MISTAKES = {
    "a height in quotes": Mistake(
        "stat", "gridPos.h", "8", "Type 'string' is not assignable to type 'number'"
    ),
    "a misspelt key": Mistake("stat", "descripton", "What it shows", "descripton"),
    "a misspelt key of fields": Mistake("stat", "fieldConfig.defaults.units", "s", "units"),
    "a misspelt option": Mistake("stat", "options.colourMode", "value", "colourMode"),
    "an unknown value": Mistake("stat", "options.colorMode", "loud", "loud"),
    "a misspelt style": Mistake("timeseries", "fieldConfig.defaults.custom.lineWidht", 2, "lineWidht"),
    "a width in quotes": Mistake("timeseries", "fieldConfig.defaults.custom.lineWidth", "2", "'string'"),
    "a misspelt part of a query": Mistake("timeseries", "targets.0.legend", "p95", "legend"),
    "an unknown scale": Mistake("heatmap", "options.color.scale", "logarithmic", "logarithmic"),
    "an option in the wrong case": Mistake("barchart", "options.xfield", "bucket", "xfield"),
    "a misspelt key of a row": Mistake("row", "colapsed", False, "colapsed"),
    "an unknown kind": Mistake("stat", "type", "pie", "pie"),
}


def spoil(dashboard: dict[str, Any], mistake: Mistake) -> dict[str, Any]:
    place: Any = next(panel for panel in dashboard["panels"] if panel["type"] == mistake.kind)
    *parts, last = mistake.path.split(".")
    for part in parts:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = mistake.value
    return dashboard


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the compiler says of each dashboard and of each mistake, taken literally."""
    made = generate(documents=True)
    checked = {name: json.loads(content) for name, content in made.items()}
    for name, mistake in MISTAKES.items():
        checked[name] = spoil(json.loads(made["valence-model.json"]), mistake)
    folder = tmp_path_factory.mktemp("types")
    shutil.copy(HERE / "schema.ts", folder)
    files = {f"{number}.ts": name for number, name in enumerate(checked)}
    for file, name in files.items():
        literal = json.dumps(checked[name], indent=1)
        text = f'import type {{ Checked }} from "./schema";\nexport const dashboard: Checked = {literal};\n'
        (folder / file).write_text(text)
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
        "paths": {"@grafana/schema": [str(SCHEMA)], "@grafana/schema/*": [f"{SCHEMA}/*"]},
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": [*files]}))
    done = subprocess.run(["node", TSC, "-p", "."], cwd=folder, capture_output=True, text=True)
    said: dict[str, list[str]] = {name: [] for name in checked}
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            said[files[line.partition("(")[0]]].append(line)
    return said


@pytest.mark.parametrize("name", generate())
def test_a_dashboard_is_of_grafanas_types(complaints: dict[str, list[str]], name: str) -> None:
    assert complaints[name] == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused(complaints: dict[str, list[str]], name: str) -> None:
    assert any(MISTAKES[name].says in line for line in complaints[name]), complaints[name]
