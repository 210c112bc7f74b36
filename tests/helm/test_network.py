"""Who gets in: through the load balancer, and past the NetworkPolicy."""

import pytest

from tests.helm.chart import HelmError, find, render

CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/0a1b"
AWS = "service.beta.kubernetes.io/aws-load-balancer-"


def annotations(case: str = "minimal") -> dict[str, str]:
    found: dict[str, str] = find(render(case), "Service")["metadata"]["annotations"]
    return {name.removeprefix(AWS): value for name, value in found.items()}


def test_the_load_balancer_is_internal_unless_said_otherwise() -> None:
    assert annotations()["scheme"] == "internal"
    assert annotations("internet")["scheme"] == "internet-facing"


def test_it_is_an_nlb_that_reaches_the_pods_themselves() -> None:
    assert (annotations()["type"], annotations()["nlb-target-type"]) == ("external", "ip")


def test_all_its_annotations_are_strings() -> None:
    found = [*annotations("minimal").values(), *annotations("internet").values()]
    assert all(isinstance(value, str) for value in found)


def test_the_health_check_times_out_before_the_next() -> None:
    """AWS refuses any other, and the controller's default timeout is 10 s."""
    found = annotations()
    assert 2 <= int(found["healthcheck-timeout"]) < int(found["healthcheck-interval"])


def test_other_annotations_come_beside_those_of_the_chart() -> None:
    found = annotations("placed")
    assert found["networking.gke.io/load-balancer-type"] == "Internal"
    assert found["external-dns.alpha.kubernetes.io/hostname"] == "sentiment.example.org"
    assert found["scheme"] == "internal"


def test_an_annotation_that_is_named_wins() -> None:
    named = {f"{AWS}attributes": "deletion_protection.enabled=true"}
    service = find(render(values={"service.annotations": named}), "Service")
    assert named.items() <= service["metadata"]["annotations"].items()
    assert service["metadata"]["annotations"][f"{AWS}type"] == "external"


def test_annotations_are_there_for_every_type_of_service() -> None:
    named = {"external-dns.alpha.kubernetes.io/hostname": "sentiment.example.org"}
    for case in ("local", "ingress-registry"):
        service = find(render(case, {"service.annotations": named}), "Service")
        assert service["metadata"]["annotations"] == named


def test_no_annotation_opens_the_load_balancer_to_the_internet(major: str) -> None:
    with pytest.raises(HelmError, match=r"set service\.aws\.scheme"):
        render(values={"service.annotations": {f"{AWS}scheme": "internet-facing"}}, major=major)


def test_tls_ends_there_with_a_certificate_and_a_modern_policy() -> None:
    found = annotations("internet")
    assert found["ssl-cert"].startswith("arn:aws:acm:")
    assert found["ssl-ports"] == str(find(render("internet"), "Service")["spec"]["ports"][0]["port"]) == "443"
    assert "TLS13" in found["ssl-negotiation-policy"]
    assert not any(name.startswith("ssl-") for name in annotations())


def test_source_ranges_are_handed_on() -> None:
    assert find(render("internet"), "Service")["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]


def test_facing_the_internet_without_saying_for_whom_is_refused(major: str) -> None:
    with pytest.raises(HelmError, match=r"needs service\.sourceRanges"):
        render(values={"service.aws.scheme": "internet-facing"}, major=major)


@pytest.mark.parametrize(
    ("case", "values", "remedy"),
    [
        ("local", {"service.sourceRanges": ["10.0.0.0/8"]}, "name who may call in networkPolicy.from"),
        ("local", {"service.aws.certificateArn": CERTIFICATE}, "for service.type=LoadBalancer"),
        ("minimal", {"service.aws.certificateArn": CERTIFICATE}, "set service.port=443"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    case: str, values: dict[str, object], remedy: str, major: str
) -> None:
    with pytest.raises(HelmError, match=remedy.replace(".", r"\.")):
        render(case, values, major=major)


@pytest.mark.parametrize("case", ["local", "ingress-registry"])
def test_other_kinds_of_service_carry_nothing_of_aws(case: str) -> None:
    assert "annotations" not in find(render(case), "Service")["metadata"]


def test_a_node_port_is_the_one_that_was_asked_for() -> None:
    (port,) = find(render("local"), "Service")["spec"]["ports"]
    assert port["nodePort"] == 30300
    with pytest.raises(HelmError, match=r"service\.nodePort is for service\.type=NodePort"):
        render(values={"service.nodePort": 30300})


def test_only_the_named_and_monitoring_get_in_and_to_one_port() -> None:
    policy = find(render("ingress-registry"), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress"], "which denies all that no rule allows"
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    names = [
        each.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
        for each in rule["from"]
    ]
    assert names == [None, "monitoring", "ingress-nginx"]
    assert rule["from"][0] == {"podSelector": {}}, "the release's own namespace, for its test"


def test_monitoring_comes_from_the_namespace_that_is_named() -> None:
    (rule,) = find(render("monitored"), "NetworkPolicy")["spec"]["ingress"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}} in rule[
        "from"
    ]


def test_no_rule_is_open_to_everybody() -> None:
    """An empty `from` would allow all."""
    values = {"networkPolicy.from": [], "ingress.enabled": False}
    policy = find(render("ingress-registry", values), "NetworkPolicy")["spec"]
    assert all(rule["from"] and {} not in rule["from"] for rule in policy["ingress"])


def test_a_policy_that_shuts_the_load_balancer_out_is_refused(major: str) -> None:
    with pytest.raises(HelmError, match=r"networkPolicy\.from is empty"):
        render(values={"networkPolicy.from": []}, major=major)


def test_a_policy_that_shuts_the_ingress_controller_out_is_refused(major: str) -> None:
    with pytest.raises(HelmError, match="the ingress controller does not get through"):
        render("ingress-registry", {"networkPolicy.from": []}, major=major)
