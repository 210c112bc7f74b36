"""Which model: by name, exact version and digest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STAMP = re.compile(r"(?P<name>[^/]+)/(?P<version>[^@]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Model:
    """One package, as the registry and the chart name it."""

    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.digest[:19]}…)"

    @property
    def reference(self) -> str:
        """What the registry calls it."""
        return f"models:/{self.name}/{self.version}"


def from_values(values: Mapping[str, Any]) -> Model:
    """Read the model out of the chart's values."""
    model = values["model"]
    return Model(model["name"], str(model["version"]), model["digest"])


def from_template(deployment: Mapping[str, Any]) -> Model | None:
    """Read the model out of the annotation that the chart gives to pods; None where there is none."""
    annotations = deployment["spec"]["template"]["metadata"].get("annotations", {})
    match = _STAMP.fullmatch(annotations.get("valence/model", ""))
    return Model(match["name"], match["version"], match["digest"]) if match else None
