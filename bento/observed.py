"""What predictions are like, beside what the training texts were like: drift is between the two."""

from bisect import bisect_left

from bento.metrics import Metrics, Series
from bento.package import Histogram, Manifest

_CERTAIN = {True: "true", False: "false"}


class Observed:
    """Counts the predictions of one version of a model.

    The names of what it counts are made once, as every prediction asks for five of them.

    Args:
        manifest: What the package says of its training texts.
        version: What metrics call the model.
        metrics: Where it counts.
    """

    def __init__(self, manifest: Manifest, version: str, metrics: Metrics) -> None:
        confidence, tokens = manifest.profile.confidence, manifest.profile.input_tokens
        self._manifest = manifest
        self._version = version
        self._metrics = metrics
        self._confidence_bounds, self._tokens_bounds = confidence.bounds, tokens.bounds
        self._predictions: dict[str, Series] = {
            label: ("valence_predictions_total", (label, version)) for label in manifest.labels
        }
        self._sentiment: dict[str, Series] = {
            label: self._series("sentiment", label) for label in manifest.labels
        }
        self._confidence = [self._series("confidence", name) for name in _names(confidence)]
        self._tokens = [self._series("input_tokens", name) for name in _names(tokens)]
        self._certain = {certain: self._series("certain", name) for certain, name in _CERTAIN.items()}

    def count(self, sentiment: str, confidence: float, tokens: int, *, certain: bool) -> None:
        """Count a prediction."""
        self._metrics.observe("valence_confidence", confidence)
        self._metrics.observe("valence_input_tokens", tokens)
        self._metrics.count_each(
            self._predictions[sentiment],
            self._sentiment[sentiment],
            self._confidence[bisect_left(self._confidence_bounds, confidence)],
            self._tokens[bisect_left(self._tokens_bounds, tokens)],
            self._certain[certain],
        )

    def reference(self) -> dict[Series, float]:
        """Return the shares of the training texts in the same buckets."""
        profile, certain = self._manifest.profile, self._manifest.certainty.share
        shares: dict[str, dict[str, float]] = {
            "sentiment": dict(profile.sentiment.items()),
            "confidence": dict(zip(_names(profile.confidence), profile.confidence.shares, strict=True)),
            "input_tokens": dict(zip(_names(profile.input_tokens), profile.input_tokens.shares, strict=True)),
            "certain": {"true": certain, "false": 1 - certain},
        }
        return {
            ("valence_reference_ratio", (feature, bucket, self._version)): share
            for feature, buckets in shares.items()
            for bucket, share in buckets.items()
        }

    def _series(self, feature: str, bucket: str) -> Series:
        return "valence_observed_total", (feature, bucket, self._version)


def _names(histogram: Histogram) -> list[str]:
    """Name each bucket by its inclusive upper bound, as Prometheus does."""
    return [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
