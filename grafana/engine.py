"""Engine: how much more can it take, and where does the time go?"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.colours import BAD, GOOD, QUANTILE, STAGE, WARN
from grafana.frame import Panels, frame
from grafana.panels import first, lines, number
from grafana.queries import DONE, USERS, Query, mean, of, quantile, rate
from grafana.service import FULL
from grafana.tables import spread

_LOOK = """\
1. **Is there room?** Capacity used says how full the busiest worker is; it rises before anybody \
waits. Texts that wait while it is low: one pod gets everything, look at it by pod.
2. **Where does the time go?** If *wait for a lane* grows, it is full. If *model* grows and batches \
do not, the machine is slower than it was (throttled CPU, a noisy neighbour).
3. **Are batches good?** They grow with the load and hold little padding. Much padding: lengths \
differ too much for the load, or a few long texts set the pace.
"""
_STAGES = {
    "tokenise": "valence_tokenise_seconds",
    "wait for a lane": "valence_queue_wait_seconds",
    "model": "valence_inference_seconds",
}
_SHARE = ((0.3, WARN), (0.5, BAD))


def engine() -> Dashboard:
    """Return the dashboard."""
    return frame(
        "valence-engine",
        "Valence / Engine",
        "How much more can it take, and where does the time go?",
        first(_LOOK),
        ("", _glance()),
        ("Is there room?", _room()),
        ("Where does the time go?", _time()),
        ("Are batches good?", _batches()),
    )


def _glance() -> Panels:
    used = f"max({of('valence_capacity_used_ratio')})"
    texts = f"sum({rate('valence_batch_texts_sum')})"
    return [
        number(
            "Capacity used",
            "Tokens asked for over what can be scored, of the busiest worker. From 100% on requests are "
            "turned away.",
            "percentunit",
            Query(used, "used"),
            base=GOOD,
            limits=FULL,
        ),
        number(
            "Texts scored",
            "Texts scored in a second, by all pods.",
            "ops",
            Query(texts, "texts"),
        ),
        number(
            "Room for",
            "Texts in a second that could be scored besides, going by the busiest worker: an estimate "
            "that wants some load.",
            "ops",
            Query(f"clamp_min({texts} * (1 / {used} - 1), 0)", "texts"),
        ),
        number(
            "Texts that wait",
            "Texts admitted that no lane has taken yet.",
            "short",
            Query(f"sum({of('valence_queue_texts')})", "texts"),
        ),
        number(
            "Texts in a batch",
            "Texts that are scored together, on average. 1: nobody ever waits.",
            "short",
            Query(mean("valence_batch_texts"), "texts"),
            decimals=1,
        ),
        number(
            "Padding",
            "Share of a batch's tokens that is padding. It costs less than text where the graph packs.",
            "percentunit",
            Query(mean("valence_batch_padding_ratio"), "padding"),
            base=GOOD,
            limits=_SHARE,
        ),
    ]


def _room() -> Panels:
    refused = f"sum by (reason) ({rate('valence_rejected_total')})"
    return [
        lines(
            "Capacity used, by pod",
            "Tokens asked for in 10 s over what the busiest worker of a pod can score. Pods that differ: "
            "an uneven load.",
            "percentunit",
            Query(of("valence_capacity_used_ratio"), "{{pod}}"),
            limits=FULL,
            maximum=1,
        ),
        lines(
            "Texts that wait, by pod",
            "Texts admitted that no lane has taken yet.",
            "short",
            Query(of("valence_queue_texts"), "{{pod}}"),
        ),
        lines(
            "Turned away, by reason",
            "Requests in a second. queue_full: the wait would be over the budget; deadline: over the "
            "caller's.",
            "reqps",
            Query(refused, "{{reason}}"),
            colours={"queue_full": WARN, "deadline": "dark-orange"},
        ),
    ]


def _time() -> Panels:
    whole = "valence_request_duration_seconds"
    return [
        lines(
            "Mean time of each stage",
            "Of a request: tokenise and, where it has a result, the whole; of a text: its wait for a lane; "
            "of a batch: the model.",
            "s",
            *(Query(mean(histogram), name) for name, histogram in _STAGES.items()),
            Query(
                f"sum({rate(f'{whole}_sum', USERS, DONE)}) / sum({rate(f'{whole}_count', USERS, DONE)})",
                "whole request",
            ),
            colours=STAGE,
        ),
        lines(
            "p95 of each stage",
            "95 of 100 are quicker.",
            "s",
            *(Query(quantile(0.95, histogram), name) for name, histogram in _STAGES.items()),
            colours=STAGE,
        ),
        lines(
            "Lanes at work, by pod",
            "Seconds of model in a second, so the lanes that are busy on average. As many as there are: "
            "full.",
            "short",
            Query(f"sum by (pod) ({rate('valence_inference_seconds_sum')})", "{{pod}}"),
        ),
    ]


def _batches() -> Panels:
    return [
        spread(
            "Batches by their texts",
            "Batches by the texts in them; the darker, the more. It climbs with the load.",
            "short",
            Query(f"sum by (le) ({rate('valence_batch_texts_bucket')})", "{{le}}"),
        ),
        lines(
            "Tokens in a batch",
            "Padding included, bounded by the budget. Long batches make others wait.",
            "short",
            Query(quantile(0.5, "valence_batch_tokens"), "p50"),
            Query(quantile(0.95, "valence_batch_tokens"), "p95"),
            colours=QUANTILE,
        ),
        lines(
            "Padding in a batch",
            "Share of a batch's tokens that is padding: the mean, and what 95 of 100 batches stay below.",
            "percentunit",
            Query(mean("valence_batch_padding_ratio"), "mean"),
            Query(quantile(0.95, "valence_batch_padding_ratio"), "p95"),
            limits=_SHARE,
            colours={"mean": "light-blue", "p95": "blue"},
        ),
        lines(
            "Batches by pod",
            "Runs of the model in a second.",
            "ops",
            Query(f"sum by (pod) ({rate('valence_batch_texts_count')})", "{{pod}}"),
        ),
        lines(
            "Tokens scored",
            "In a second. What lies between the lines is padding.",
            "ops",
            Query(f"sum({rate('valence_batch_tokens_sum')})", "with padding"),
            Query(f"sum({rate('valence_input_tokens_sum')})", "of texts"),
            colours={"with padding": "#8e8e8e", "of texts": "blue"},
        ),
        lines(
            "Texts in a request",
            "Of /predict it is 1, of /predict/batch what callers send: the mean, and what 95 of 100 stay "
            "below.",
            "short",
            Query(mean("valence_request_texts"), "mean"),
            Query(quantile(0.95, "valence_request_texts"), "p95"),
            colours={"mean": "light-blue", "p95": "blue"},
        ),
    ]
