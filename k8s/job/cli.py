"""Run the training pipeline on a cluster: `python -m k8s.job train`.

The exit code is that of the training: 0 when it registered a version. It is 2 where nothing could be begun, 3
where the Job can be followed no longer, 130 where you stopped following it; then the Job goes on.
"""

import json
import subprocess
import sys
import uuid
from typing import Annotated

import typer
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from k8s.connecting import NoClusterError, connect
from k8s.job.following import Follower, FollowError
from k8s.job.manifest import Wish, make_job

_INTERRUPTED = 130
_LOST = 3

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@app.callback()
def _main() -> None:
    pass  # so that `train` is a command, not the only thing there is


@app.command()
def train(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What follows -- goes to python -m training, as --data s3://…")
    ] = None,
    *,
    image: Annotated[str, typer.Option(help="Image of Dockerfile.train; needed on a cluster.")] = "",
    cpu: Annotated[str, typer.Option(help="CPUs.")] = "4",
    memory: Annotated[str, typer.Option(help="Memory.")] = "8Gi",
    gpus: Annotated[int, typer.Option(min=0, help="NVIDIA GPUs.")] = 0,
    retries: Annotated[int, typer.Option(min=0, help="How often a run that failed is begun again.")] = 1,
    ttl_hours: Annotated[int, typer.Option(min=0, help="How long the finished Job and its log stay.")] = 24,
    tracking_uri: Annotated[str, typer.Option(help="MLflow's URL, without credentials.")] = "",
    secret: Annotated[
        list[str] | None,
        typer.Option(help="A Secret whose keys become environment variables (MLFLOW_TRACKING_URI, AWS_…)."),
    ] = None,
    service_account: Annotated[str, typer.Option(help="As which the pod runs, for its IAM role.")] = "",
    pull_secret: Annotated[str, typer.Option(help="The Secret that opens a private image registry.")] = "",
    namespace: Annotated[str, typer.Option(help="By default that of the context.")] = "",
    context: Annotated[str, typer.Option(help="Of the kubeconfig; by default the current one.")] = "",
    local: Annotated[bool, typer.Option("--local", help="Train in a process of this machine.")] = False,
) -> None:
    """Train as a Job and follow its log; without a cluster, in a process of this machine."""
    if local:
        raise typer.Exit(_train_here(arguments or []))
    try:
        api, its_namespace = connect(context or None)
    except NoClusterError as error:
        if context:
            raise _stop(f"{error}; to train here: --local") from error
        _say(f"{error}. Until then: training in a process of this machine")
        raise typer.Exit(_train_here(arguments or [])) from None
    if not image:
        raise _stop("--image is missing: build one (docs/deploy.md), or train on this machine with --local")
    if not tracking_uri and not secret:
        raise _stop(
            "what is trained would end with its pod: name MLflow with --tracking-uri, or with a --secret "
            "that has MLFLOW_TRACKING_URI in it"
        )
    wish = Wish(
        image=image,
        arguments=arguments or [],
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        retries=retries,
        ttl_s=ttl_hours * 3600,
        tracking_uri=tracking_uri,
        secrets=secret or [],
        service_account=service_account,
        pull_secret=pull_secret,
    )
    raise typer.Exit(_run(api, namespace or its_namespace, wish))


def _run(api: client.ApiClient, namespace: str, wish: Wish) -> int:
    name = f"valence-train-{uuid.uuid4().hex[:6]}"
    try:
        job = make_job(name, wish)
        client.BatchV1Api(api).create_namespaced_job(namespace, job, _request_timeout=(5, 30))
        _say(f"job/{name} in namespace {namespace} of {api.configuration.host}")
        code = Follower(api, namespace, name, typer.echo, _say).follow()
    except ApiException as error:
        raise _stop(f"the Job was refused: {error.status} {error.reason}: {_said(error)}") from error
    except HTTPError as error:
        raise _stop(f"{api.configuration.host} does not answer: {error}; to train here: --local") from error
    except FollowError as error:
        _say(str(error))
        return _LOST
    except KeyboardInterrupt:
        where = f"-n {namespace} job/{name}"
        _say(f"it goes on. Follow it: kubectl logs -f {where}; end it: kubectl delete {where}")
        return _INTERRUPTED
    if code == 0:
        _say(f"job/{name} is done; the cluster deletes it in {wish.ttl_s // 3600} h")
        _say("next: python -m k8s.release VERSION, with the version that the log names")
    return code


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.body)[:200]


def _train_here(arguments: list[str]) -> int:
    try:
        return subprocess.run([sys.executable, "-m", "training", *arguments], check=False).returncode  # noqa: S603
    except KeyboardInterrupt:
        return _INTERRUPTED


def _say(line: str) -> None:
    typer.echo(f"k8s.job: {line}", err=True)


def _stop(why: str) -> typer.Exit:
    _say(why)
    return typer.Exit(2)
