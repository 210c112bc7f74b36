"""`python -m bento.build`: put a model package and the code that serves it into one Bento.

BentoML builds; this brings the package into its model store first and gives the Bento a version that says
what is in it, so that the same package and the same code are built once.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import bentoml
import yaml
from bentoml.exceptions import BentoMLException, NotFound
from rich.console import Console

from bento.package import GRAPH, MANIFEST, MODEL_NAME, TOKENIZER, Package, PackageError, read_package
from bento.registry import RegistryError, resolve
from bento.settings import SettingsError, load_settings
from bento.store import PACKAGE_FOLDER

_ROOT = Path(__file__).resolve().parent.parent
_BENTOFILE = _ROOT / "bentofile.yaml"


def main() -> int:
    """Run the command; what was built goes to standard output as one line of JSON."""
    arguments = _parse()
    console = Console(stderr=True)
    try:
        settings = load_settings()
        found = resolve(arguments.model, settings.registry, settings.cache_dir)
        package = read_package(found.path, settings.model_digest)
        with console.status("Building the Bento"):
            tag = build(package)
    except (BentoMLException, PackageError, RegistryError, SettingsError, OSError) as error:
        console.print(f"bento.build: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    told = {
        "bento": str(tag),
        "model": package.manifest.name,
        "version": found.version,
        "digest": package.digest,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def build(package: Package) -> bentoml.Tag:
    """Build the Bento of a package, or find the one that was built of the same package and code.

    Raises:
        BentoMLException: BentoML refused.
        PackageError: BentoML's store holds a damaged copy of the package.
    """
    model = import_package(package)
    tag = bentoml.Tag("valence", f"{model.tag.version}-{_code_digest()[:8]}")
    try:
        return bentoml.get(tag).tag
    except NotFound:
        pass
    built = bentoml.bentos.build_bentofile(
        str(_BENTOFILE), version=tag.version, build_ctx=str(_ROOT), args={"model": str(model.tag)}
    )
    return built.tag


def import_package(package: Package) -> bentoml.Model:
    """Bring a package into BentoML's model store, under a version that is the start of its digest.

    Raises:
        BentoMLException: BentoML refused.
        PackageError: The store has that version already, and it is damaged.
    """
    tag = bentoml.Tag(MODEL_NAME, package.digest.removeprefix("sha256:")[:16])
    try:
        stored = bentoml.models.get(tag)
    except NotFound:
        pass
    else:
        _check_stored(stored, package.digest)
        return stored
    labels = {
        "digest": package.digest.replace(":", "-"),
        "family": package.manifest.family,
        "run_id": package.manifest.run_id or "none",
    }
    with bentoml.models.create(tag, labels=labels) as model:
        folder = Path(model.path) / PACKAGE_FOLDER
        folder.mkdir()
        for name, content in _files(package).items():
            (folder / name).write_bytes(content)
        read_package(folder, package.digest)
    return bentoml.models.get(tag)


def _check_stored(model: bentoml.Model, digest: str) -> None:
    try:
        read_package(Path(model.path) / PACKAGE_FOLDER, digest)
    except PackageError as error:
        raise PackageError(
            f"{error}. BentoML's copy of the model is damaged; remove it with "
            f"'bentoml models delete {model.tag}' (and before, with 'bentoml delete', the Bentos that this "
            "names), then build again"
        ) from error


def _files(package: Package) -> dict[str, bytes]:
    return {
        MANIFEST: (package.path / MANIFEST).read_bytes(),
        TOKENIZER: package.tokenizer,
        GRAPH: package.graph,
    }


def _code_digest() -> str:
    """Hash what goes into the Bento beside the model."""
    spec = yaml.safe_load(_BENTOFILE.read_text())
    files = {_BENTOFILE, _ROOT / spec["python"]["requirements_txt"]}
    for pattern in spec["include"]:
        files.update(path for path in _ROOT.glob(pattern) if path.is_file())
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(os.fsencode(path.relative_to(_ROOT)) + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bento.build",
        description="Build a Bento of a registered model; print its tag and the model as JSON.",
        epilog="Next: bentoml serve TAG, or bentoml containerize TAG. Bentos are kept under BENTOML_HOME.",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        default=f"models:/{MODEL_NAME}@production",
        help="a package directory, models:/NAME@ALIAS or models:/NAME/VERSION (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
