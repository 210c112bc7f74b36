"""`make observe` says what is missing or in the way."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def observe(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/observe.py"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def executable(path: Path) -> None:
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)


def test_what_is_not_installed_is_named_with_the_remedy(tmp_path: Path) -> None:
    done = observe(PATH=str(tmp_path))
    assert done.returncode == 2
    assert "make: prometheus is not on the PATH" in done.stderr
    assert "apt install prometheus prometheus-alertmanager" in done.stderr


def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    for name in ("prometheus", "alertmanager"):
        executable(tmp_path / name)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # then somebody else has it, which is as good
            taken.bind(("127.0.0.1", 9093))
            taken.listen()
        done = observe(PATH=str(tmp_path))
    assert done.returncode == 2
    assert "make: port 9093 is taken, which Alertmanager needs" in done.stderr
    assert "systemctl disable --now alertmanager" in done.stderr
