"""What builds the image and knows images: docker, podman or buildah, whichever works here."""

import os
import shutil
import subprocess
from collections.abc import Sequence

ENGINES = ("docker", "podman", "buildah")
# The Dockerfile needs it, and docker before 23 has to be told.
_ENVIRONMENT = {"DOCKER_BUILDKIT": "1"}


class EngineError(Exception):
    """Nothing builds here, or a step failed; the message is empty where the engine itself has said why.

    Attributes:
        code: What to exit with.
    """

    def __init__(self, message: str = "", code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def find(names: Sequence[str] = ENGINES) -> str:
    """Return the first engine of these that can build here.

    Raises:
        EngineError: None can.
    """
    troubles = []
    for name in names:
        trouble = _trouble(name)
        if not trouble:
            return name
        troubles.append(f"\n  {trouble}")
    raise EngineError(
        f"no {' or '.join(names)} works here. Mend it or install another (Debian, Ubuntu: apt install "
        f"buildah):{''.join(troubles)}"
    )


def _trouble(engine: str) -> str:
    """Return what keeps an engine from building, or nothing."""
    if not shutil.which(engine):
        return f"{engine} is not installed"
    for probe in (["info"], ["build", "--help"]):  # the latter fails where docker has no BuildKit
        done = _ask(engine, *probe)
        if done.returncode:
            return f"{engine} {' '.join(probe)}: {' '.join(done.stderr.split()) or 'failed without a word'}"
    return ""


def base_id(engine: str, base: str) -> str:
    """Return the id of the image to build on, which is pulled where it is not there yet.

    Raises:
        EngineError: It cannot be had.
    """
    name = "FromImageID" if engine == "buildah" else "Id"
    inspect = ["inspect", "--type=image", f"--format={{{{.{name}}}}}", base]
    done = _ask(engine, *inspect)
    if done.returncode:
        run(engine, "pull", base)
        done = _ask(engine, *inspect)
    if done.returncode or not done.stdout.strip():
        raise EngineError(f"{engine} does not know the base {base}: {done.stderr.strip() or 'it has no id'}")
    return done.stdout.strip()


def build(engine: str, *arguments: str) -> None:
    """Build what the arguments say.

    Raises:
        EngineError: It failed.
    """
    options = []
    if engine != "docker":
        # Docker's format and a build without namespaces: both work in containers too.
        options += ["--format=docker", "--isolation=chroot", "--network=host", "--layers"]
    if certificates := os.environ.get("PIP_CERT"):
        options.append(f"--secret=id=certificates,src={certificates}")
    run(engine, "build", *options, *arguments)


def run(engine: str, *arguments: str) -> None:
    """Run an engine's command, which says what it does.

    Raises:
        EngineError: It failed, and has said why.
    """
    if code := subprocess.run([engine, *arguments], env=os.environ | _ENVIRONMENT).returncode:
        raise EngineError(code=code)


def _ask(engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([engine, *arguments], env=os.environ | _ENVIRONMENT, capture_output=True, text=True)
