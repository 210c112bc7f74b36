"""Model: does it still see what it was trained on, and what does it say?"""

from grafana_foundation_sdk.builders import barchart
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import side_by_side
from grafana.colours import BAD, GOOD, SENTIMENT, WARN
from grafana.frame import Panels, frame
from grafana.panels import first, lines, number
from grafana.queries import (
    CHOSEN,
    Query,
    mean,
    of,
    quantile,
    rate,
    serving,
    with_version,
)
from grafana.tables import compare, spread

_LOOK = """\
1. **Does it still see what it was trained on?** A drift above **0.1** is worth a look, above \
**0.25** it is another world. It means little below a few hundred predictions; the bars below say \
what has moved, for the version chosen above.
2. **What does it say?** A sentiment that jumps at a dashed line is a new model; one that slides is \
the world. Falling confidence comes before wrong answers.
3. **Is one version different?** Two versions that get the same traffic should say the same. If not: \
*Release*, then evaluate both on the same labelled texts.
"""
_DRIFT = ((0.1, WARN), (0.25, BAD))
_CERTAIN = 'feature="certain"'


def model() -> Dashboard:
    """Return the dashboard."""
    return frame(
        "valence-model",
        "Valence / Model",
        "Does the model still see what it was trained on, and what does it say?",
        first(_LOOK),
        ("", _glance()),
        ("Does it still see what it was trained on?", _drift()),
        ("What does it say?", _says()),
        ("Is one version different?", _versions()),
    )


def _glance() -> Panels:
    return [
        number(
            "Versions that serve",
            "Versions of the model that pods serve now. More than one outside a rollout: look at Release.",
            "none",
            Query(f"count by (version) ({serving()})", "version {{version}}"),
            names=True,
        ),
        number(
            "Predictions",
            "Texts that got a sentiment in a second, by the chosen versions.",
            "ops",
            Query(f"sum({rate('valence_predictions_total', CHOSEN)})", "predictions"),
        ),
        number(
            "Largest drift",
            "Population stability index of the feature that moved most against the training texts, of any "
            "chosen version.",
            "none",
            Query(f"max({_psi()})", "drift"),
            base=GOOD,
            limits=_DRIFT,
            decimals=2,
        ),
        number(
            "Drift stands on",
            "Predictions that the drift was computed from, of the version that has fewest. Below a few "
            "hundred it is mostly chance.",
            "short",
            Query(f"min({_predictions()} and on (model_version) {_psi()})", "predictions"),
            base=WARN,
            limits=((500, GOOD),),
        ),
        number(
            "Mean confidence",
            "Of all predictions. What it was in training is among the bars below.",
            "percentunit",
            Query(mean("valence_confidence"), "confidence"),
            decimals=1,
        ),
        number(
            "Certain",
            "Share of predictions whose confidence is enough to act upon without a person.",
            "percentunit",
            Query(_certain_now(), "certain"),
            decimals=1,
        ),
    ]


def _psi() -> str:
    return of("valence:drift_psi:ratio", CHOSEN)


def _predictions() -> str:
    return of("valence:drift_predictions:increase", CHOSEN)


def _certain_now() -> str:
    certain = rate("valence_observed_total", CHOSEN, _CERTAIN, 'bucket="true"')
    return f"sum({certain}) / sum({rate('valence_observed_total', CHOSEN, _CERTAIN)})"


def _drift() -> Panels:
    return [
        lines(
            "Drift by feature",
            "Population stability index of the last hour against the version's own training texts. Above "
            "0.1: look; above 0.25: another world.",
            "none",
            Query(_psi(), "{{feature}}, version {{model_version}}"),
            limits=_DRIFT,
        ),
        _against_training(
            "Sentiment", "sentiment", "What is said more often than it was of held-out texts in training?"
        ),
        _against_training(
            "Confidence", "confidence", "More bars to the left than in training: it is less sure."
        ),
        lines(
            "Predictions that the drift stands on",
            "Of the last hour. Below a few hundred, the drift is mostly chance.",
            "short",
            Query(_predictions(), "version {{model_version}}"),
            limits=((500, GOOD),),
        ),
        _against_training("Length in tokens", "input_tokens", "Longer or shorter texts than in training?"),
        spread(
            "Length of texts, in tokens",
            "Texts by length; the darker, the more. A band that moves: another caller, or another use.",
            "short",
            Query(f"sum by (le) ({rate('valence_input_tokens_bucket')})", "{{le}}"),
        ),
    ]


def _against_training(title: str, feature: str, asks: str) -> barchart.Panel:
    chosen = f'feature="{feature}"'
    observed = f"increase({of('valence_observed_total', CHOSEN, chosen)}[$__range])"
    return compare(
        f"{title}: training and now",
        f"{asks} Shares of texts: of training, and of the time that is shown. A bar counts what is at most "
        "its name and above the one before. Where several versions serve, choose one.",
        "percentunit",
        Query(_sortable(f"max by (bucket) ({of('valence_reference_ratio', CHOSEN, chosen)})"), "training"),
        Query(_sortable(f"sum by (bucket) ({observed}) / on () group_left () sum({observed})"), "now"),
        by="bucket",
    )


def _sortable(expr: str) -> str:
    """Pad the names of buckets, so that their order as words is their order as numbers."""
    for pattern, name in ((r"\\+Inf", "more"), (r"([0-9][0-9])", " $1"), (r"([0-9])", "  $1")):
        expr = f'label_replace({expr}, "bucket", "{name}", "bucket", "{pattern}")'
    return expr


def _says() -> Panels:
    said = rate("valence_predictions_total", CHOSEN)
    reference = of("valence_reference_ratio", CHOSEN, _CERTAIN, 'bucket="true"')
    return [
        lines(
            "What it says",
            "Share of each sentiment, of the chosen versions.",
            "percentunit",
            Query(f"sum by (sentiment) ({said}) / on () group_left () sum({said})", "{{sentiment}}"),
            colours=SENTIMENT,
            stacked=True,
            maximum=1,
        ),
        lines(
            "How sure it is",
            "Confidence that 90, 50 and 10 of 100 predictions exceed.",
            "percentunit",
            Query(quantile(0.1, "valence_confidence"), "9 of 10 exceed"),
            Query(quantile(0.5, "valence_confidence"), "half exceed"),
            Query(quantile(0.9, "valence_confidence"), "1 of 10 exceed"),
            colours={"9 of 10 exceed": "light-blue", "half exceed": "blue", "1 of 10 exceed": "dark-blue"},
            maximum=1,
        ),
        lines(
            "Certain, now and in training",
            "Share of predictions whose confidence is enough to act upon, now and on the held-out texts of "
            "training by which it was decided what is enough.",
            "percentunit",
            Query(_certain_now(), "now"),
            Query(f"max({reference})", "training"),
            colours={"now": "blue", "training": "#8e8e8e"},
            maximum=1,
        ),
    ]


def _versions() -> Panels:
    said = rate("valence_predictions_total", CHOSEN)
    sure = (with_version(rate(f"valence_confidence_{part}")) for part in ("sum", "count"))
    share = "sum by (model_version) ({}) / on (model_version) sum by (model_version) ({})"
    return [
        lines(
            "Predictions by version",
            "In a second.",
            "ops",
            Query(f"sum by (model_version) ({said})", "version {{model_version}}"),
        ),
        *(
            lines(
                f"Says {sentiment}, by version",
                "Versions that get the same traffic should not differ by more than chance.",
                "percentunit",
                Query(
                    share.format(rate("valence_predictions_total", CHOSEN, f'sentiment="{sentiment}"'), said),
                    "version {{model_version}}",
                ),
                maximum=1,
            )
            for sentiment in ("positive", "negative")
        ),
        lines(
            "Mean confidence, by version",
            "Of the pods that serve a version. Not comparable between families of models.",
            "percentunit",
            Query(" / ".join(f"sum by (version) ({each})" for each in sure), "version {{version}}"),
            maximum=1,
        ),
        side_by_side.slowest(),
        side_by_side.failed(),
    ]
