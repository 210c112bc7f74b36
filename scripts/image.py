"""`make image`: build the image of a registered model and the code that serves it, and say what is in it.

Whichever of docker, podman and buildah is there builds. `.valence/image/values.yaml` is for Helm: the image's
name and tag, and the model's version and digest.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from scripts import engine

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / ".valence" / "image"
MODEL = STAGE / "model"
VALUES = STAGE / "values.yaml"
# Where it lies and what it is called there; without the host, docker and podman mean different places.
NAME = re.compile(
    r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)+"
)
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
    try:
        builder = engine.find([arguments.engine] if arguments.engine else engine.ENGINES)
        model = _take_model(arguments.model)
        tag = image_tag(model, engine.base_id(builder, arguments.base))
        image = f"{arguments.name}:{tag}"
        print(f"==> building {image} with {builder}", flush=True)
        built_of = [*_labels(model), *_arguments(model, arguments.base)]
        engine.build(builder, *built_of, f"--tag={image}", str(ROOT))
        engine.run(builder, "tag", image, f"{arguments.name}:dev")  # what docker-compose.yaml takes
    except engine.EngineError as error:
        _stop(str(error), error.code)
    VALUES.write_text(
        f"# Made by `make image`, for Helm.\nimage:\n  repository: {arguments.name}\n  tag: {tag}\n"
        f'model:\n  name: {model["name"]}\n  version: "{model["version"]}"\n  digest: {model["digest"]}\n'
    )
    print(_next_steps(builder, image, local=arguments.name.startswith("localhost/")))
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
    parser.add_argument(
        "--name",
        type=_name,
        default="localhost/valence",
        help="HOST/REPOSITORY without a tag; localhost/… stays on this machine (default: %(default)s)",
    )
    parser.add_argument(
        "--base",
        default="docker.io/library/python:3.11-slim",
        help="the Python that it builds on; name it by digest for what you publish (default: %(default)s)",
    )
    parser.add_argument(
        "--engine", choices=engine.ENGINES, help="what builds (default: the first of these that works)"
    )
    return parser.parse_args()


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise argparse.ArgumentTypeError(
            f"{given!r} is no HOST/REPOSITORY without a tag: say registry.example.org/team/valence, or "
            "localhost/valence for an image that stays on this machine"
        )
    return given


def _take_model(reference: str) -> dict[str, str]:
    """Put the package into the stage, in place of the one before, and return what it is."""
    STAGE.mkdir(parents=True, exist_ok=True)
    environment = {"VALENCE_REGISTRY": f"sqlite:///{ROOT}/.valence/mlflow.db", **os.environ}
    environment["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(dir=STAGE) as scratch:
        draft = Path(scratch) / "model"
        done = subprocess.run(
            [sys.executable, "-c", TAKE, reference, str(draft)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            sys.exit(done.returncode)
        found: dict[str, str] = json.loads(done.stdout)
        if not re.fullmatch("[1-9][0-9]{0,8}", found["version"] or ""):
            _stop(f"{reference} has no version of a registry: name it, VALENCE_MODEL_VERSION=3 make image …")
        for path in [draft, *draft.iterdir()]:
            path.chmod(0o755 if path.is_dir() else 0o644)  # the image's user is none of ours
        shutil.rmtree(MODEL, ignore_errors=True)
        draft.rename(MODEL)
    return found


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


def _next_steps(builder: str, image: str, *, local: bool) -> str:
    run = "podman" if builder == "buildah" else builder
    if local:
        load = (
            f"kind load docker-image {image} --name valence"
            if builder == "docker"
            else f"podman save {image} | kind load image-archive /dev/stdin --name valence"
        )
        steps = [("Load into kind", load), ("Then, on kind", _helm("local", "--wait"))]
    else:
        login = f"{builder} login {image.partition('/')[0]}"
        steps = [
            ("Push it", f"{builder} push {image}    # after `{login}`"),
            ("Then, on EKS", _helm("eks", "--wait --timeout 20m")),
        ]
    restricted = "--read-only --tmpfs /tmp --cap-drop all"
    steps.insert(0, ("Run it here", f"{run} run --rm -p 127.0.0.1:3000:3000 {restricted} {image}"))
    return f"\n{image} is built. Next:\n\n" + "".join(f"  {what:<17}{command}\n" for what, command in steps)


def _helm(kind: str, options: str) -> str:
    """Return the command that releases what was built on a kind of cluster."""
    return (
        f"helm upgrade --install valence helm/valence -f helm/valence/values-{kind}.yaml \\\n"
        f"{'':21}-f {VALUES.relative_to(ROOT)} {options}"
    )


def _stop(message: str, code: int = 2) -> NoReturn:
    if message:
        print(f"make: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
