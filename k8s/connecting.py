"""Which cluster is meant, found as kubectl finds it."""

import os
from pathlib import Path

import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException

_NO_KUBECONFIG = (yaml.YAMLError, OSError, TypeError, AttributeError, LookupError)  # as the client meets it
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoClusterError(Exception):
    """None is named, or it is not to be found; the message says what helps."""


def connect(context: str | None) -> tuple[client.ApiClient, str]:
    """Sign in to a cluster.

    Args:
        context: Of the kubeconfig (`KUBECONFIG`, else `~/.kube/config`); None: its current one. Where neither
            a context nor `KUBECONFIG` is given and there is no such file, the account of the pod that this
            runs in is taken.

    Returns:
        The client, and the namespace that goes with the context.

    Raises:
        NoClusterError: There is none.
    """
    file = os.environ.get("KUBECONFIG") or None
    try:
        contexts, current = config.list_kube_config_contexts(file)
        api = config.new_client_from_config(file, context)
    except (ConfigException, *_NO_KUBECONFIG) as error:
        if context is None and file is None and _NAMESPACE.is_file():
            return _as_pod()
        where = f"KUBECONFIG={file}" if file else "~/.kube/config"
        why = " ".join(str(error).split()).rstrip(".")
        raise NoClusterError(
            f"no cluster: {where}: {why}; name a file with KUBECONFIG, and a context of it with --context "
            "(kubectl config get-contexts)"
        ) from error
    chosen = next((each for each in contexts if each["name"] == context), current)
    return api, chosen["context"].get("namespace") or "default"


def _as_pod() -> tuple[client.ApiClient, str]:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise NoClusterError(f"no cluster: the account of this pod: {error}") from error
    return client.ApiClient(configuration), _NAMESPACE.read_text().strip()
