"""What somebody says when starting the suite."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.helm import ROOT, Values

REPLICAS = 3
_HELP = """
What it needs
  KUBECONFIG           the cluster (--context chooses within it)
  VALENCE_IMAGE        an image, present on the nodes or pullable: localhost/valence:1-0a1b2c3d
  VALENCE_IMAGE_OTHER  the same with another model; `make image MODEL=… NAME=…` makes both
  VALENCE_E2E_URL      only where requests are to go through an address that you made: http://localhost:3000
  helm                 3 or 4; where none is installed, a pinned one is fetched
  Room for three to seven pods of half a CPU and 512 MiB each, each able to answer 50 requests a second alone;
  larger models need more: --values with resources: {cpu: "2", memory: 1Gi}

How requests get to the pods, the first of these that is there
  1. VALENCE_E2E_URL
  2. the Service's load balancer, with service.type=LoadBalancer in a --values file
  3. the pods' own addresses, in turns among the ready endpoints; a pod that leaves is forgotten 5 s late
  4. the Service's port on a node's address
  Port-forwarding is no way: it ends with its pod.

On kind (Linux; elsewhere pods and nodes cannot be reached from the host: use the extra port of k8s/kind.yaml,
VALENCE_E2E_URL=http://localhost:3000 and --values with service: {type: NodePort, nodePort: 30300})
  kind create cluster --name valence --config k8s/kind.yaml
  kind load docker-image "$VALENCE_IMAGE" "$VALENCE_IMAGE_OTHER" --name valence
  make e2e OPTIONS=--preflight                 # names the routes to add, so that pods can be reached
  make e2e

On minikube
  minikube image load "$VALENCE_IMAGE" && minikube image load "$VALENCE_IMAGE_OTHER"
  make e2e                                     # through the node's port at `minikube ip`

On Amazon EKS, from a machine in the VPC, whose security group the nodes let in
  export VALENCE_IMAGE=111122223333.dkr.ecr.eu-west-1.amazonaws.com/valence:1-0a1b2c3d VALENCE_IMAGE_OTHER=…
  make e2e                                     # by the pods' addresses
  To have the load balancer in it too, which takes 40 minutes: --values with service: {type: LoadBalancer} and
  drain: {serveSeconds: 180}

It makes a namespace valence-e2e-…, and deletes it at the end, also when it is interrupted. Outside of it, it
touches one thing: a node is cordoned while the release's pods are evicted from it, and uncordoned after.

Exit codes: 0 every case passed, 1 one did not, 2 it could not begin.
"""


@dataclass(frozen=True)
class Options:
    """How to run; where `preflight_only`, `image` and `other` may be empty."""

    image: str
    other: str
    url: str
    context: str
    values: list[Path]
    cases: list[str]
    reports: Path
    preflight_only: bool


def parse(names: list[str], arguments: list[str] | None = None) -> Options:
    """Read the command line and the environment; ends the process where they are wrong.

    Args:
        names: Of the cases that there are.
        arguments: Instead of the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e",
        description="Releases on a real cluster under a constant load of which not one request may fail. "
        f"Cases: {', '.join(names)}",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--case", action="append", choices=names, metavar="CASE", help="only this; repeatable"
    )
    parser.add_argument("--context", default="", help="of the kubeconfig (default: the current one)")
    parser.add_argument(
        "--values",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="Helm values on top; repeatable",
    )
    parser.add_argument(
        "--preflight", action="store_true", help="say what is missing, change nothing, and end"
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=ROOT / ".valence" / "e2e",
        help="folder for report.md, report.xml (JUnit) and failures.csv (default: .valence/e2e)",
    )
    given = parser.parse_args(arguments)
    image, other = (os.environ.get(name, "") for name in ("VALENCE_IMAGE", "VALENCE_IMAGE_OTHER"))
    if not (image and other) and not given.preflight:  # which says so among what else is missing
        parser.error(
            "VALENCE_IMAGE and VALENCE_IMAGE_OTHER have to name two images; --help says how to make them"
        )
    for name in filter(None, (image, other)):
        try:
            image_values(name)
        except ValueError as error:
            parser.error(str(error))
    for path in given.values:
        if not path.is_file():
            parser.error(f"--values {path}: there is no such file")
    return Options(
        image=image,
        other=other,
        url=os.environ.get("VALENCE_E2E_URL", "").rstrip("/"),
        context=given.context,
        values=given.values,
        cases=given.case or names,
        reports=given.reports,
        preflight_only=given.preflight,
    )


def image_values(image: str) -> Values:
    """Return an image's name as the chart's values have it."""
    repository, _, digest = image.partition("@")
    if digest:
        name, colon, tag = repository.rpartition(":")
        return {"repository": name if colon and "/" not in tag else repository, "digest": digest}
    repository, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:  # a port of the registry is no tag
        raise ValueError(f"{image} has no tag")
    return {"repository": repository, "tag": tag, "digest": ""}
