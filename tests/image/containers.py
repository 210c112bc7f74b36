"""What the tests of the image share: podman, and a container as restricted as a pod."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

WITHIN_S = 600
PATIENCE_S = 60
RESTRICTED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")


def try_podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run podman, whatever comes of it."""
    return subprocess.run(
        ["podman", *arguments],
        cwd=tempfile.gettempdir(),  # where it leaves a note when a container runs out of memory
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )


def podman(*arguments: str) -> str:
    """Run podman; its output."""
    done = try_podman(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, str]]:
    """Yield the id and the address of a container, run with these arguments, that is ready."""
    name = podman("run", "--detach", "--publish=127.0.0.1::3000", *arguments).strip()
    try:
        url = f"http://{podman('port', name, '3000').strip()}"
        _wait_until_ready(name, url)
        yield name, url
    finally:
        try_podman("rm", "--force", "--time", "1", name)


def log(name: str) -> str:
    """Return what a container has written."""
    done = try_podman("logs", name)
    return done.stdout + done.stderr


def _wait_until_ready(name: str, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert podman("inspect", "--format", "{{.State.Running}}", name).strip() == "true", log(name)
        time.sleep(0.02)
    raise AssertionError(log(name))
