"""Release: who runs what, and is the new one worse?"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import side_by_side
from grafana.colours import BAD, GOOD, WARN
from grafana.frame import Panels, frame
from grafana.panels import first, lines, number
from grafana.queries import (
    CHOSEN,
    USERS,
    Query,
    answered_by_version,
    of,
    rate,
    serving,
)
from grafana.tables import rows

_LOOK = """\
1. **Who runs what?** One version of the model and one of the code, outside a rollout. Two for \
longer: the rollout is stuck; `kubectl rollout status` says on which pod.
2. **Is the new one worse?** More failures or slower than the old one at the same time: `helm \
rollback`, then find out why. If both got worse, the release is not the reason: *Service*.
3. **What does Kubernetes say?** Restarts with OOMKilled want memory, those with Error are in the \
logs of the container before (`kubectl logs --previous`). Throttled CPU makes everything slow.
"""
_PODS = 'namespace="$namespace",pod=~"$release-.+"'
_CONTAINERS = f'{_PODS},container="valence"'


def release() -> Dashboard:
    """Return the dashboard."""
    return frame(
        "valence-release",
        "Valence / Release",
        "Who runs what, and is the new version worse?",
        first(_LOOK),
        ("", _glance()),
        ("Who runs what?", _who()),
        ("Is the new one worse?", _worse()),
        ("What does Kubernetes say? (needs kube-state-metrics and the kubelet's metrics)", _cluster()),
    )


def _glance() -> Panels:
    failed = rate("valence_requests_total", USERS, 'code=~"5.."')
    asked = rate("valence_requests_total", USERS)
    return [
        number(
            "Pods",
            "Pods whose metrics are scraped.",
            "short",
            Query(f"count(count by (pod) ({of('valence_build_info')}))", "pods"),
            base=BAD,
            limits=((1, WARN), (2, GOOD)),
        ),
        number(
            "Models",
            "Different models that are served now, by digest. More than 1: a rollout, or one that is stuck.",
            "short",
            Query(f"count(count by (digest) ({of('valence_model_info')} == 1))", "models"),
            base=GOOD,
            limits=((2, WARN),),
        ),
        number(
            "Code versions",
            "Different versions of the code that serve now. More than 1: a rollout, or one that is stuck.",
            "short",
            Query(f"count(count by (version) ({of('valence_build_info')}))", "versions"),
            base=GOOD,
            limits=((2, WARN),),
        ),
        number(
            "Failed",
            "Share of predictions asked for that ended in 5xx.",
            "percentunit",
            Query(f"sum({failed}) / sum({asked})", "failed"),
            base=GOOD,
            limits=((0.001, WARN), (0.01, BAD)),
            decimals=2,
        ),
        number(
            "Pods that do not answer",
            "Pods that Prometheus knows and cannot scrape: hung, cut off, or on their way out.",
            "short",
            Query(f"count({of('up')} == 0) or 0 * sum({of('up')})", "pods"),
            base=GOOD,
            limits=((1, WARN),),
        ),
        number(
            "Restarts in an hour",
            "Workers that were started again in a pod that there was already.",
            "short",
            Query(f"sum(changes({of('valence_worker_start_time_seconds')}[1h]))", "restarts"),
            base=GOOD,
            limits=((1, WARN), (2, BAD)),
        ),
    ]


def _who() -> Panels:
    code = f'label_replace({of("valence_build_info")}, "code", "$1", "version", "(.*)")'
    return [
        rows(
            "What each pod serves",
            "Its model and its code. Pods that differ outside a rollout: one of them is wrong.",
            "none",
            Query(
                f"({serving()}) * on (namespace, release, pod) group_left (code, python_version) {code}", ""
            ),
            columns={
                "pod": "Pod",
                "version": "Model version",
                "family": "Family",
                "digest": "Model digest",
                "code": "Code",
                "python_version": "Python",
            },
            width=24,
        ),
        lines(
            "Pods by model version",
            "A rollout is done when one line is left.",
            "short",
            Query(f"count by (version) ({serving()})", "version {{version}}"),
            stacked=True,
        ),
        lines(
            "Pods by code version",
            "A rollout is done when one line is left.",
            "short",
            Query(f"count by (version) ({of('valence_build_info')})", "code {{version}}"),
            stacked=True,
        ),
        lines(
            "Predictions by version",
            "In a second. A canary should get its share, and no version that is gone anything.",
            "ops",
            Query(
                f"sum by (model_version) ({rate('valence_predictions_total', CHOSEN)})",
                "version {{model_version}}",
            ),
            stacked=True,
        ),
    ]


def _worse() -> Panels:
    return [
        side_by_side.failed(),
        side_by_side.slowest(),
        lines(
            "Turned away, by version",
            "Share of predictions asked for that were answered 429.",
            "percentunit",
            Query(answered_by_version("429"), "version {{version}}"),
            limits=((0.01, WARN), (0.05, BAD)),
        ),
    ]


def _cluster() -> Panels:
    memory = f"container_memory_working_set_bytes{{{_CONTAINERS}}}"
    limit = f'kube_pod_container_resource_limits{{{_CONTAINERS},resource="memory"}}'
    throttled, periods = (
        f"rate(container_cpu_cfs_{what}_total{{{_CONTAINERS}}}[$__rate_interval])"
        for what in ("throttled_periods", "periods")
    )
    return [
        lines(
            "Pods ready",
            "All pods, and those that Kubernetes sends requests to.",
            "short",
            Query(f'count(kube_pod_status_ready{{{_PODS},condition="true"}})', "all"),
            Query(f'sum(kube_pod_status_ready{{{_PODS},condition="true"}})', "ready"),
            height=6,
            colours={"all": "#8e8e8e", "ready": GOOD},
        ),
        lines(
            "Restarts, by pod",
            "Containers started again in the last 10 minutes.",
            "short",
            Query(f"increase(kube_pod_container_status_restarts_total{{{_CONTAINERS}}}[10m])", "{{pod}}"),
            limits=((1, WARN),),
            height=6,
        ),
        lines(
            "Why containers ended last",
            "Containers by the reason of their last end. OOMKilled: more memory, or a smaller model.",
            "short",
            Query(
                f"sum by (reason) (kube_pod_container_status_last_terminated_reason{{{_CONTAINERS}}})",
                "{{reason}}",
            ),
            height=6,
            colours={"OOMKilled": BAD, "Error": WARN, "Completed": "#8e8e8e"},
        ),
        lines(
            "Memory used, by pod",
            "Share of the container's limit. At 100% it is killed.",
            "percentunit",
            Query(f"{memory} / on (namespace, pod, container) {limit}", "{{pod}}"),
            limits=((0.8, WARN), (0.95, BAD)),
            maximum=1,
            width=12,
            height=6,
        ),
        lines(
            "CPU throttled, by pod",
            "Share of scheduling periods in which the container had used up its CPU. Latency suffers from"
            " a tenth on.",
            "percentunit",
            Query(f"{throttled} / {periods}", "{{pod}}"),
            limits=((0.1, WARN), (0.25, BAD)),
            width=12,
            height=6,
        ),
    ]
