"""What only a cluster exposes, and series of it such as kube-state-metrics and cAdvisor have."""

_POD = 'namespace="local",pod="valence-6d5f-x7",container="valence"'

# The metric, its series and its values, a minute each.
SERIES = {
    "kube_pod_status_ready": ('namespace="local",pod="valence-6d5f-x7",condition="true"', "1x60"),
    "kube_pod_container_status_restarts_total": (_POD, "0x20 1x40"),
    "kube_pod_container_status_last_terminated_reason": (f'{_POD},reason="OOMKilled"', "1x60"),
    "kube_pod_container_resource_limits": (f'{_POD},resource="memory",unit="byte"', "1073741824x60"),
    "container_memory_working_set_bytes": (_POD, "268435456x60"),
    "container_cpu_cfs_throttled_periods_total": (_POD, "0+6x60"),
    "container_cpu_cfs_periods_total": (_POD, "0+600x60"),
}


def needs_cluster(expr: str) -> bool:
    """Say whether a query asks for any of them."""
    return any(name in expr for name in SERIES)
