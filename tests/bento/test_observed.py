"""Predictions fall into the buckets of their model's training texts, and into no other model's."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bento.metrics import Metrics
from bento.observed import Observed
from bento.package import Manifest, read_package

Bucket = tuple[str, str, str]

PREDICTIONS = st.tuples(
    st.sampled_from(["negative", "neutral", "positive"]), st.floats(0, 1), st.integers(0, 1000), st.booleans()
)


@pytest.fixture(scope="session")
def manifest(package_dir: Path) -> Manifest:
    """Confidence has the bounds 0.5 and 0.8, length 8 and 64 tokens."""
    return read_package(package_dir).manifest


def counted(metrics: Metrics) -> dict[Bucket, float]:
    metrics.flush()
    return {
        (sample.labels["feature"], sample.labels["bucket"], sample.labels["model_version"]): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == "valence_observed_total"
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(PREDICTIONS, max_size=20))
def test_a_prediction_is_in_one_bucket_of_each_feature_and_training_texts_have_it_too(
    manifest: Manifest, predictions: list[tuple[str, float, int, bool]]
) -> None:
    metrics = Metrics()
    observed = Observed(manifest, "7", metrics)
    for sentiment, confidence, tokens, certain in predictions:
        observed.count(sentiment, confidence, tokens, certain=certain)
    found = counted(metrics)
    assert found.keys() <= {labels for _, labels in observed.reference()}
    times: Counter[str] = Counter()
    for (feature, _, _), value in found.items():
        times[feature] += int(value)
    expected = dict.fromkeys(("sentiment", "confidence", "input_tokens", "certain"), len(predictions))
    assert times == Counter(expected)


@pytest.mark.parametrize(
    ("confidence", "tokens", "buckets"),
    [
        (0.5, 8, ("0.5", "8")),
        (0.500001, 9, ("0.8", "64")),
        (0.8, 64, ("0.8", "64")),
        (1.0, 65, ("+Inf", "+Inf")),
    ],
)
def test_a_bound_belongs_to_the_bucket_of_its_name(
    manifest: Manifest, confidence: float, tokens: int, buckets: tuple[str, str]
) -> None:
    metrics = Metrics()
    Observed(manifest, "7", metrics).count("positive", confidence, tokens, certain=True)
    found = counted(metrics)
    assert found["confidence", buckets[0], "7"] == found["input_tokens", buckets[1], "7"] == 1


def test_two_versions_are_counted_apart(manifest: Manifest) -> None:
    metrics = Metrics()
    for version, times in (("7", 1), ("8", 2)):
        for _ in range(times):
            Observed(manifest, version, metrics).count("positive", 0.9, 5, certain=False)
    found = counted(metrics)
    assert {version: found["sentiment", "positive", version] for version in ("7", "8")} == {"7": 1, "8": 2}


def test_the_shares_of_the_training_texts_add_up(manifest: Manifest) -> None:
    shares: defaultdict[str, float] = defaultdict(float)
    for (_, (feature, _, _)), share in Observed(manifest, "7", Metrics()).reference().items():
        shares[feature] += share
    assert shares == pytest.approx(dict.fromkeys(("sentiment", "confidence", "input_tokens", "certain"), 1))
