"""What the chart says of the service is so: paths, settings, threads."""

import re

import pytest
from starlette.routing import Route

from bento.api import create_app
from bento.registry import RegistryError, Resolved
from bento.settings import PREFIX, Settings
from tests.helm.chart import CASES, containers, environment, find, pods, render, server

READY_WITHIN_S = 60


def no_model() -> Resolved:
    raise RegistryError("there is none here")


@pytest.fixture(scope="module")
def routes() -> set[str]:
    app = create_app(Settings(), no_model)
    return {route.path for route in app.routes if isinstance(route, Route)}


@pytest.mark.parametrize("case", CASES)
def test_probes_ask_for_what_the_service_answers(case: str, routes: set[str]) -> None:
    container = server(render(case))
    asked = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
    }
    assert asked == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    assert set(asked.values()) <= routes


def test_a_slow_start_is_no_failure() -> None:
    probe = server(render())["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= READY_WITHIN_S


def test_a_pod_that_drains_is_found_out_within_seconds() -> None:
    probe = server(render())["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= 5


@pytest.mark.parametrize("case", CASES)
def test_every_setting_exists_and_is_accepted(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(server(render(case))).items():
        if name.startswith(PREFIX):
            assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name
            monkeypatch.setenv(name, value if isinstance(value, str) else "https://mlflow.example.org")
    assert Settings().max_queue_ms > 0


def test_limits_and_origins_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(server(render("placed"))).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.max_text_chars, settings.max_batch_texts) == (2000, 512)
    assert settings.cors_origins == ("https://example.org", "https://www.example.org:8443")


def test_the_chart_changes_no_default_limit() -> None:
    variables = environment(server(render()))
    for name in ("max_text_chars", "max_batch_texts", "max_queue_ms"):
        assert variables[PREFIX + name.upper()] == str(Settings.model_fields[name].default)
    assert f"{PREFIX}CORS_ORIGINS" not in variables


def test_traces_are_made_where_a_collector_is_named_and_of_a_share() -> None:
    named = environment(server(render("ingress-registry")))
    assert {name: value for name, value in named.items() if name.startswith("OTEL_")} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector.monitoring.svc:4318",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    assert not [name for name in environment(server(render())) if name.startswith("OTEL_")]


@pytest.mark.parametrize("case", CASES)
def test_one_worker_with_as_many_threads_as_the_cpu_limit(case: str) -> None:
    container = server(render(case))
    variables = environment(container)
    assert (variables["VALENCE_WORKERS"], variables["VALENCE_LANES"]) == ("1", "0")
    assert container["resources"]["limits"] == container["resources"]["requests"]


@pytest.mark.parametrize("case", CASES)
def test_what_the_service_writes_lies_where_it_may(case: str) -> None:
    assert environment(server(render(case)))["VALENCE_CACHE_DIR"].startswith("/tmp/")  # noqa: S108


def test_the_load_balancer_asks_what_the_readiness_probe_asks() -> None:
    annotations = find(render(), "Service")["metadata"]["annotations"]
    path = annotations["service.beta.kubernetes.io/aws-load-balancer-healthcheck-path"]
    assert path == server(render())["readinessProbe"]["httpGet"]["path"]


def test_the_ingress_publishes_what_users_need_and_nothing_else(routes: set[str]) -> None:
    ingress = find(render("ingress-registry"), "Ingress")
    (rule,) = ingress["spec"]["rules"]
    paths = {each["path"]: each["pathType"] for each in rule["http"]["paths"]}
    private = {"/metrics", "/reload", "/models", "/health", "/livez", "/readyz", "/"}
    published = {
        route
        for route in routes
        if any(
            route == path or (kind == "Prefix" and route.startswith(f"{path}/"))
            for path, kind in paths.items()
        )
    }
    assert published == routes - private, (
        "publish a new route in ingress.yaml, or name it among the private here"
    )
    assert set(paths) - {"/static"} <= routes, "what the service does not serve is not published"
    assert ingress["spec"]["tls"] == [{"hosts": ["sentiment.example.org"], "secretName": "sentiment-tls"}]
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt"}


def test_the_helm_test_asks_the_service_and_knows_the_answer() -> None:
    objects = render()
    pod = find(objects, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    script, url, digest = containers(pod)[0]["args"]
    service = find(objects, "Service")
    assert url == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert digest == environment(server(objects))["VALENCE_MODEL_DIGEST"]
    assert re.search(r"/predict\b", script)
    compile(script, "helm test", "exec")


@pytest.mark.parametrize("case", CASES)
def test_every_pod_is_a_python_of_the_image(case: str) -> None:
    for pod in pods(render(case)):
        for container in containers(pod):
            assert container.get("command", ["python"])[0] == "python"
