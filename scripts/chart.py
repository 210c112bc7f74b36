"""`python -m scripts.chart`: remake what comes of the chart: its README's table and the bases in k8s/base.

`tests/helm/test_fresh.py` compares.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.tools import ToolError, helm

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm" / "valence"
README = CHART / "README.md"
BASES = ROOT / "k8s" / "base"
START, END = "<!-- values: python -m scripts.chart -->\n", "\n<!-- end of values -->"

_KEY = re.compile(r"( *)([A-Za-z]+):")
_HEAD = "# Made from helm/valence by `python -m scripts.chart`; change it there.\n"
_HELM_LABELS = ("helm.sh/chart", "app.kubernetes.io/managed-by")
_OF_THE_MODEL = ("checksum/settings", "valence/model")  # annotations that an overlay would make untrue
# A model that no server accepts, an account that nobody has: whoever uses a base names theirs in an overlay.
_MODEL = {"model.version": "1", "model.digest": "sha256:" + "0" * 64}
_PLACEHOLDERS = {
    "local": _MODEL,
    "eks": _MODEL
    | {
        "image.repository": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/valence",
        "service.aws.certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/"
        "00000000-0000-0000-0000-000000000000",
    },
}
KINDS = tuple(_PLACEHOLDERS)  # of clusters: each has values of its own, and a base


def values_table() -> str:
    """Return the table of the chart's values: key, default, meaning."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    rows = ["| value | default | what it does |", "|---|---|---|"]
    for key, meaning in _comments(text):
        default = defaults
        for part in key.split("."):
            default = default[part]
        shown = "" if isinstance(default, dict) and default else f"`{_inline(default)}`"
        rows.append(f"| `{key}` | {shown} | {meaning} |")
    return "\n".join(rows)


def readme() -> str:
    """Return the chart's README with the table of now."""
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return before + START + values_table() + END + after


def base(kind: str) -> dict[str, str]:
    """Return the files of a kustomize base: name to content.

    Args:
        kind: One of `KINDS`.

    Raises:
        ToolError: Helm cannot be had, or refuses the chart.
    """
    values = [f"--values={CHART / f'values-{kind}.yaml'}"]
    values += [f"--set-string={key}={value}" for key, value in _PLACEHOLDERS[kind].items()]
    command = [str(helm("4")), "template", "valence", str(CHART), "--no-hooks", *values]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ToolError(done.stderr.strip())
    files: dict[str, str] = {}
    for document in filter(None, yaml.safe_load_all(done.stdout)):
        for label in _HELM_LABELS:
            document["metadata"]["labels"].pop(label, None)
        if document["kind"] == "Deployment":
            for name in _OF_THE_MODEL:
                del document["spec"]["template"]["metadata"]["annotations"][name]
        name = f"{document['kind'].lower()}.yaml"
        files[name] = (files[name] + "---\n" if name in files else _HEAD) + _dump(document)
    listed = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return files | {"kustomization.yaml": _HEAD + _dump(listed)}


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Yield each key that has a comment above it, with its path and the comment as one line."""
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# "))
            continue
        if found := _KEY.match(line):
            depth = len(found[1]) // 2
            path[depth:] = [found[2]]
            if comment:
                yield ".".join(path), " ".join(comment)
        comment = []


def _inline(value: object) -> str:
    shown = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n")
    return shown.strip().replace("''", '""')


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Readable, sort_keys=False, width=110)


class _Readable(yaml.SafeDumper):
    """Writes text of several lines, such as a dashboard, as lines."""


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if text.count("\n") > 1 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _lines)


def main() -> int:
    """Write it all."""
    argparse.ArgumentParser(prog="python -m scripts.chart", description=__doc__).parse_args()
    try:
        bases = {BASES / kind: base(kind) for kind in KINDS}
    except ToolError as error:
        print(f"scripts.chart: {error}", file=sys.stderr)
        return 2
    README.write_text(readme(), encoding="utf-8")
    for folder, files in bases.items():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.name not in files:
                old.unlink()
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
