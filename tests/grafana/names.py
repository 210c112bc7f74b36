"""What dashboards may ask for besides the service's own metrics."""

_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

# Of the recording rules, with the labels that they have besides namespace and release.
RECORDED: dict[str, tuple[str, ...]] = {
    "valence:requests:rate5m": ("route", "code"),
    **{f"valence:slo_errors:ratio_rate{window}": ("slo",) for window in _WINDOWS},
    **{f"valence:slo_requests:rate{window}": ("slo",) for window in _WINDOWS},
    "valence:slo_objective:ratio": ("slo",),
    "valence:slo_error_budget_left:ratio": ("slo",),
    **{f"valence:request_duration_seconds:{quantile}_5m": ("route",) for quantile in ("p50", "p95", "p99")},
    "valence:drift_psi:ratio": ("feature", "model_version"),
    "valence:drift_predictions:increase": ("model_version",),
}

# Of kube-state-metrics and the kubelet: there only on a cluster.
CLUSTER = {
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_memory_working_set_bytes",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_container_status_restarts_total",
    "kube_pod_status_ready",
}

# That Prometheus makes itself.
PROMETHEUS = {"ALERTS", "up"}
