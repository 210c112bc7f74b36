"""What is made from the chart is what the chart would make now."""

import pytest
import yaml

from scripts import chart

REMEDY = "run `.venv/bin/python -m scripts.chart`"


def test_the_readme_has_the_table_of_now() -> None:
    assert chart.README.read_text() == chart.readme(), REMEDY


def test_the_table_names_every_value() -> None:
    def paths(values: object, path: str = "") -> set[str]:
        if not isinstance(values, dict) or not values:
            return {path}
        return {found for key, value in values.items() for found in paths(value, f"{path}.{key}".strip("."))}

    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    table = chart.values_table()
    assert [path for path in paths(values) if f"| `{path}` |" not in table] == []
    assert "|  |\n" not in table, "a value without a comment"


@pytest.mark.parametrize("kind", chart.KINDS)
def test_the_kustomize_bases_are_fresh(kind: str) -> None:
    folder = chart.BASES / kind
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == chart.base(kind), REMEDY


def test_the_base_for_eks_holds_every_dashboard() -> None:
    maps = yaml.safe_load_all(chart.base("eks")["configmap.yaml"])
    held = {name for each in maps for name in each["data"]}
    assert held == {path.name for path in (chart.CHART / "files" / "dashboards").iterdir()}
