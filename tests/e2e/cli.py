"""`make e2e`: every case on the cluster that KUBECONFIG names, under one constant load."""

import signal
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from scripts.tools import ToolError
from tests.e2e import preflight, report
from tests.e2e.balancer import REMOVAL_DELAY_S
from tests.e2e.cases import CASES
from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.helm import Helm, HelmError
from tests.e2e.load import RATE, Load, LoadError
from tests.e2e.options import Options, parse
from tests.e2e.report import Outcome
from tests.e2e.route import RouteError, open_route
from tests.e2e.scene import CaseError, Scene, SkippedError, base_values, look_into, now

_GONE_WITHIN_S = 120
# A case is over when the balancer has forgotten the pods that left, as some are sent to them until then.
_AFTERWARDS_S = REMOVAL_DELAY_S + 1
_KEPT_RATE = 0.9  # of the rate, below which too little was sent to prove anything
_MISSING = "what is MISSING above has to be there first; nothing was changed"
_EXPECTED = (CaseError, ClusterError, HelmError, LoadError, ApiException, HTTPError)


def main() -> int:
    """Run the cases; see `--help` for the exit codes."""
    options = parse(list(CASES))
    _say("before anything is changed:")
    missing = False
    for finding in preflight.unnamed(options.image, options.other):
        _say(str(finding))
        missing = True
    try:
        api = config.new_client_from_config(context=options.context or None)
    except ConfigException as error:
        _say(str(preflight.no_cluster(error)))
        return _stop(_MISSING)
    cluster = Cluster(api, f"valence-e2e-{uuid.uuid4().hex[:6]}")
    images = [image for image in (options.image, options.other) if image]
    try:
        for finding in preflight.look(api, cluster, images, options.url):
            _say(str(finding))
            missing = missing or finding.level is preflight.Level.MISSING
    except (ApiException, HTTPError) as error:
        return _stop(f"the Kubernetes API: {error}")
    if missing:
        return _stop(_MISSING)
    if options.preflight_only:
        _say("nothing is missing; nothing was changed. Next: make e2e")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that what was made is deleted
    try:
        return _run(options, api, cluster)
    except KeyboardInterrupt:
        return _stop("interrupted")
    except (*_EXPECTED, RouteError, ToolError) as error:
        return _stop(str(error))


def _run(options: Options, api: client.ApiClient, cluster: Cluster) -> int:
    began = now()
    outcomes: list[Outcome] = []
    about = {"images": f"{options.image}, {options.other}", "load": f"{RATE:.0f} requests/s"}
    try:
        with ExitStack() as stack:
            _say(f"namespace {cluster.namespace}")
            stack.callback(_wait_until_gone, cluster)
            stack.enter_context(cluster.made())
            first = look_into(cluster, options.image, "1")
            other = look_into(cluster, options.other, "2")
            _say(f"model version 1 is {first.digest[:19]}…, version 2 is {other.digest[:19]}…")
            if first.digest == other.digest:
                return _stop("both images hold the same model: VALENCE_IMAGE_OTHER has to be of another one")
            helm = Helm(options.reports, cluster.namespace, options.values, options.context)
            about["helm"] = helm.version
            base = base_values(cluster)
            try:
                helm.install(base | first.values, timeout_s=300)
            except HelmError as error:
                return _stop(f"{error}\n{cluster.describe_pods()}")
            route = stack.enter_context(open_route(api, cluster, options.url))
            about["requests go to"] = route.told
            _say(f"ready after {now() - began:.0f} s; requests go to {route.told}")
            load = stack.enter_context(Load(route.pick, route.way))
            say = lambda line: _say(f"   {line}")  # noqa: E731
            scene = Scene(cluster, helm, route, load, first, other, base, options.reports, say)
            outcomes.extend(_try(name, scene) for name in options.cases)
    finally:
        if outcomes:
            _say(f"\n{report.write(outcomes, about, options.reports).read_text()}")
            _say(f"in {now() - began:.0f} s; the report is in {options.reports}")
    return int(any(outcome.wrong for outcome in outcomes))


def _try(name: str, scene: Scene) -> Outcome:
    case: Callable[[Scene], None] = CASES[name]
    what = (case.__doc__ or name).strip().rstrip(".")
    _say(f"\n== {what}")
    began = now()
    wrong = skipped = ""
    try:
        scene.begin()
        case(scene)
    except SkippedError as error:
        skipped = str(error)
    except _EXPECTED as error:
        wrong = str(error)
    time.sleep(_AFTERWARDS_S)
    try:
        window = scene.load.window(began)
    except LoadError as error:
        return Outcome(name, what, now() - began, wrong=wrong or str(error))
    lost = report.failures(window)
    if lost:
        wrong = "\n".join([*filter(None, [wrong]), f"{len(window.failures)} requests failed:", *lost])
    elif not wrong and not skipped and window.rate < _KEPT_RATE * RATE:
        wrong = f"only {window.rate:.1f} requests/s were sent: this machine is too busy to prove anything"
    outcome = Outcome(name, what, now() - began, window, wrong, skipped)
    _say(f"   {report.told(window)}")
    for line in (wrong or skipped).splitlines():
        _say(f"   {line}")
    _say(f"   {outcome.verdict} after {outcome.took_s:.0f} s")
    return outcome


def _wait_until_gone(cluster: Cluster) -> None:
    _say(f"deleting namespace {cluster.namespace}")
    try:
        gone = cluster.wait_until_deleted(_GONE_WITHIN_S)
    except (ApiException, HTTPError, KeyboardInterrupt):
        gone = False
    if not gone:
        _say(f"it is still there: kubectl delete namespace {cluster.namespace}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _stop(why: str) -> int:
    sys.stderr.write(f"e2e: {why}\n")
    return 2
