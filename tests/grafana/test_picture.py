"""Every query gives data where there is some, and the pictures show it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from grafana.asked import Asked, queries, variables
from grafana.generate import generate
from grafana.picture.source import Source, SourceError
from tests.grafana.samples import END, HERE, START

ROOT = Path(__file__).resolve().parents[2]
MINUTES = (END - START) / 60
DASHBOARDS = {name.removesuffix(".json"): json.loads(text) for name, text in generate().items()}
ASKED = [(name, asked) for name, dashboard in DASHBOARDS.items() for asked in queries(dashboard)]


@pytest.fixture(scope="session")
def source(prometheus: str) -> Source:
    return Source(prometheus, START, END, variables(**HERE, over=f"{END - START}s"))


@pytest.mark.parametrize(
    "asked",
    [asked for _, asked in ASKED],
    ids=[f"{name}: {asked.title} {asked.ref}" for name, asked in ASKED],
)
def test_a_query_gives_data(source: Source, asked: Asked) -> None:
    found = [series for series in source.ask(asked) if series.values]
    assert found
    assert all(series.name or not asked.legend for series in found)
    assert len({series.name for series in found}) == len(found) or asked.instant, "series of one name"


def test_a_rollout_is_marked_when_it_began(source: Source) -> None:
    (model,) = (asked for asked in queries(DASHBOARDS["valence-release"]) if asked.title == "Model")
    began = {series.name: series.times[0] - START for series in source.ask(model)}
    assert began["model version 1 began to serve"] == 0
    assert began["model version 2 began to serve"] == pytest.approx(16 * 15, abs=15)


def test_a_query_that_is_refused_is_shown(source: Source) -> None:
    with pytest.raises(SourceError, match=r"parse error.*in: sum\("):
        source.ask(Asked("", "A", "sum(", "", instant=True))


def draw(url: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    shown = ["--minutes", str(MINUTES), "--until", str(END)]
    command = [sys.executable, "-m", "grafana.picture", "--url", url, *shown, "--out", str(out), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="session")
def drawn(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    done = draw(prometheus, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_drawn_with_every_panel(drawn: Path, name: str) -> None:
    written = " ".join(ET.parse(drawn / f"{name}.svg").getroot().itertext())  # noqa: S314 - drawn here
    assert "not a screenshot of Grafana" in written
    assert [panel["title"] for panel in DASHBOARDS[name]["panels"] if panel["title"] not in written] == []
    assert "no data" not in written


def test_the_same_data_give_the_same_picture(drawn: Path, prometheus: str, tmp_path: Path) -> None:
    draw(prometheus, tmp_path)
    for path in drawn.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_nobody_is_there(tmp_path: Path) -> None:
    done = draw("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 2
    assert "http://127.0.0.1:9 does not answer like a Prometheus" in done.stderr


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_pictures_in_the_documents_are_of_these_dashboards(name: str) -> None:
    picture = ROOT / "docs" / "dashboards" / f"{name}.svg"
    assert picture.stat().st_size <= 200_000
    written = " ".join(ET.parse(picture).getroot().itertext())  # noqa: S314 - ours
    titles = [panel["title"] for panel in DASHBOARDS[name]["panels"]]
    assert [title for title in titles if title not in written] == [], "draw it again: docs/dashboards.md"
