"""`make image`: build the image of a registered model and the code that serves it, and say what is in it.

Whichever of docker, podman and buildah is there builds. `.valence/image/values.yaml` is for Helm: the image's
tag, and the model's version and digest.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / ".valence" / "image"
MODEL = STAGE / "model"
VALUES = STAGE / "values.yaml"
ENGINES = ("docker", "podman", "buildah")
# Its rest is what the image is made of: the code, and the lock of what it needs.
RECIPE = ("Dockerfile", ".dockerignore", "requirements/serve.txt")

# Puts the package that sys.argv[1] names into the folder sys.argv[2].
TAKE = """
import json, shutil, sys
from pathlib import Path
from bento.package import PackageError, read_package
from bento.registry import RegistryError, resolve
from bento.settings import SettingsError, load_settings
try:
    settings = load_settings()
    found = resolve(sys.argv[1], settings.registry, settings.cache_dir)
    package = read_package(found.path, settings.model_digest)
except (PackageError, RegistryError, SettingsError) as error:
    sys.exit(f"make: {error}")
shutil.copytree(package.path, sys.argv[2])
print(json.dumps({
    "name": package.manifest.name,
    "version": settings.model_version or found.version,
    "digest": package.digest,
    "run_id": package.manifest.run_id,
}))
"""


def main() -> int:
    """Build; the exit code is 0, that of the step that failed, or 2 where something is missing."""
    arguments = _parse()
    VALUES.unlink(missing_ok=True)  # of the image before, which nobody should release where this one fails
    engine = arguments.engine or _find_engine()
    model = _take_model(arguments.model)
    tag = image_tag(model, _base_id(engine, arguments.base))
    image = f"{arguments.name}:{tag}"
    print(f"==> building {image} with {engine}", flush=True)
    _run([*_build(engine), *_labels(model), *_arguments(model, arguments.base), f"--tag={image}", str(ROOT)])
    _run([engine, "tag", image, f"{arguments.name}:dev"])  # what docker-compose.yaml takes
    VALUES.write_text(
        f"# Made by `make image`, for Helm.\nimage:\n  tag: {tag}\n"
        f'model:\n  name: {model["name"]}\n  version: "{model["version"]}"\n  digest: {model["digest"]}\n'
    )
    print(_next_steps(engine, image))
    return 0


def image_tag(model: dict[str, str], base_id: str) -> str:
    """Return a tag that no other content has: the model's version, and a hash of what the image is made of.

    Args:
        model: Its name, version and digest.
        base_id: The id of the image that it builds on: a name such as `python:3.11-slim` moves.
    """
    files = [path for path in sorted((ROOT / "bento").rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    digest = hashlib.sha256("\0".join((model["name"], model["digest"], base_id, "")).encode())
    for path in [*files, *(ROOT / name for name in RECIPE)]:
        digest.update(os.fsencode(path.relative_to(ROOT)) + b"\0" + path.read_bytes() + b"\0")
    return f"{model['version']}-{digest.hexdigest()[:8]}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument(
        "--model",
        default="models:/valence-sentiment@production",
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a directory with VALENCE_MODEL_VERSION set",
    )
    parser.add_argument("--name", default="localhost/valence", help="the image's name (default: %(default)s)")
    parser.add_argument(
        "--base",
        default="docker.io/library/python:3.11-slim",
        help="the Python that it builds on; name it by digest for what you publish (default: %(default)s)",
    )
    parser.add_argument(
        "--engine", choices=ENGINES, help="what builds (default: the first of these that works)"
    )
    return parser.parse_args()


def _find_engine() -> str:
    for name in ENGINES:
        if shutil.which(name) and not subprocess.run([name, "info"], capture_output=True).returncode:
            return name
    return _stop("no docker, podman or buildah works here. Install one (Debian, Ubuntu: apt install buildah)")


def _take_model(reference: str) -> dict[str, str]:
    shutil.rmtree(MODEL, ignore_errors=True)
    STAGE.mkdir(parents=True, exist_ok=True)
    environment = {"VALENCE_REGISTRY": f"sqlite:///{ROOT}/.valence/mlflow.db", **os.environ}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", TAKE, reference, str(MODEL)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        sys.exit(done.returncode)
    found: dict[str, str] = json.loads(done.stdout)
    if not found["version"]:
        _stop(f"{reference} has no version of a registry: name it, VALENCE_MODEL_VERSION=3 make image …")
    for path in [MODEL, *MODEL.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # the image's user is none of ours
    return found


def _base_id(engine: str, base: str) -> str:
    """Return the id of the base, which is pulled where it is not there yet."""
    name = "FromImageID" if engine == "buildah" else "Id"
    inspect = [engine, "inspect", "--type=image", f"--format={{{{.{name}}}}}", base]
    done = subprocess.run(inspect, capture_output=True, text=True)
    if done.returncode:
        _run([engine, "pull", base])
        done = subprocess.run(inspect, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        _stop(f"{engine} does not know the base {base}: {done.stderr.strip() or 'it has no id'}")
    return done.stdout.strip()


def _build(engine: str) -> list[str]:
    command = [engine, "build"]
    if engine != "docker":
        # Docker's format and a build without namespaces: both work in containers too.
        command += ["--format=docker", "--isolation=chroot", "--network=host", "--layers"]
    if certificates := os.environ.get("PIP_CERT"):
        command.append(f"--secret=id=certificates,src={certificates}")
    return command


def _arguments(model: dict[str, str], base: str) -> list[str]:
    values = {"BASE": base, "MODEL_VERSION": model["version"], "MODEL_DIGEST": model["digest"]}
    return [f"--build-arg={name}={value}" for name, value in values.items()]


def _labels(model: dict[str, str]) -> list[str]:
    describe = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    described = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True)
    labels = {
        "org.opencontainers.image.title": "valence",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": described.stdout.strip() or "unknown",
        "org.opencontainers.image.version": model["version"],
        "valence.model.name": model["name"],
        "valence.model.version": model["version"],
        "valence.model.digest": model["digest"],
        "valence.model.run-id": model["run_id"] or "none",
    }
    return [f"--label={name}={value}" for name, value in labels.items()]


def _next_steps(engine: str, image: str) -> str:
    run = "podman" if engine == "buildah" else engine
    load = (
        f"kind load docker-image {image} --name valence"
        if engine == "docker"
        else f"podman save {image} | kind load image-archive /dev/stdin --name valence"
    )
    return f"""
{image} is built. Next:

  Run it here      {run} run --rm -p 127.0.0.1:3000:3000 --read-only --tmpfs /tmp --cap-drop all {image}
  On kind          {load}
  On a cluster     helm upgrade --install valence helm/valence -f helm/valence/values-local.yaml \\
                     -f {VALUES.relative_to(ROOT)}
"""


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)


def _stop(message: str) -> NoReturn:
    print(f"make: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
