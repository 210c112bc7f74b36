"""Every object fits its API's own schema, closed, in every Kubernetes; an unknown kind is a failure."""

import jsonschema
import pytest

from tests.helm.chart import CASES, render
from tests.helm.schemas import check

VERSIONS = ["1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_object_is_valid(case: str, version: str) -> None:
    objects = render(case)
    assert objects
    for each in objects:
        check(each, version)


def test_a_misspelt_key_would_be_found() -> None:
    for case, kind, path in [
        ("minimal", "Service", ["spec"]),
        ("minimal", "Deployment", ["spec", "template", "spec"]),
        ("monitored", "ServiceMonitor", ["spec"]),
        ("argo-keda", "ScaledObject", ["spec", "advanced"]),
        ("argo-keda", "Rollout", ["spec", "strategy", "canary"]),
        ("argo-keda", "Rollout", ["spec", "template", "spec"]),
        ("argo-keda", "AnalysisTemplate", ["spec"]),
    ]:
        (found,) = [each for each in render(case) if each["kind"] == kind]
        place = found
        for part in path:
            place = place[part]
        place["misspelt"] = 1
        with pytest.raises(jsonschema.ValidationError, match="misspelt"):
            check(found, VERSIONS[-1])
