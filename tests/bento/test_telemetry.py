"""Nothing that the server is made of tells its makers that it runs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAID_BY_HAND = {"CI", "ORT_DISABLE_TELEMETRY", "BENTOML_DO_NOT_TRACK", "XDG_CACHE_HOME"}


def test_onnx_runtime_keeps_no_identifier_of_the_machine_and_bentoml_does_not_track(tmp_path: Path) -> None:
    """What ONNX Runtime is about to send it first lays down in the user's cache, with such an identifier."""
    told = "bentoml._internal.utils.analytics.usage_stats"
    code = f"import bento.scorer, {told} as told; print(told.do_not_track())"
    kept = {name: value for name, value in os.environ.items() if name not in SAID_BY_HAND}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=kept | {"HOME": str(tmp_path), "BENTOML_HOME": str(tmp_path / "bentoml")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"
    assert "telemetry" not in done.stderr
    assert [path for path in tmp_path.rglob("*onnxruntime*") if "bentoml" not in path.parts] == []
