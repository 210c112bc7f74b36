"""How a model package lies in BentoML's model store."""

from pathlib import Path

import bentoml

PACKAGE_FOLDER = "package"  # beside BentoML's own file: a package holds its three files and no other


def stored_package(tag: str) -> Path:
    """Return the package that the store has under a tag.

    Raises:
        bentoml.exceptions.NotFound: It has none.
    """
    return Path(bentoml.models.get(tag).path) / PACKAGE_FOLDER
