"""`python -m tests.e2e.images`: build two images of tiny models, and print them as the suite takes them.

They are built by the command behind `make image`; what it writes goes to the standard error.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.bento.conftest import _make_package

_ROOT = Path(__file__).resolve().parents[2]
_NAME = "localhost/valence-e2e"


def main() -> int:
    """Build and print; the exit code is that of the build that failed, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        for version, variable in (("1", "VALENCE_IMAGE"), ("2", "VALENCE_IMAGE_OTHER")):
            package = _make_package(Path(folder) / version, extra_words=[f"word{version}"])
            wanted = ["--model", str(package.path), "--name", _NAME, *sys.argv[1:]]
            done = subprocess.run(
                [sys.executable, "-m", "scripts.image", *wanted],
                cwd=_ROOT,
                env=os.environ | {"VALENCE_MODEL_VERSION": version},
                stdout=sys.stderr,
            )
            if done.returncode:
                return done.returncode
            values = yaml.safe_load((_ROOT / ".valence" / "image" / "values.yaml").read_text())
            sys.stdout.write(f"{variable}={_NAME}:{values['image']['tag']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
