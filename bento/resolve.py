"""Say what a registry knows of a model version, as JSON: for tools that are no part of the server.

python -m bento.resolve models:/valence-sentiment@production --download
"""

import argparse
import json
import sys

from bento.command import run_command
from bento.package import read_digest
from bento.registry import find_version, open_registry
from bento.settings import Settings


def main() -> int:
    """Print what is found.

    Returns:
        0 when it was found, 1 where it cannot be had, 2 where a setting is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m bento.resolve", description=__doc__)
    parser.add_argument("model", help="models:/name/version or models:/name@alias")
    parser.add_argument(
        "--download", action="store_true", help="fetch the package as well, and name its path"
    )
    arguments = parser.parse_args()

    def work(settings: Settings) -> str:
        version = find_version(arguments.model, settings.registry)
        found: dict[str, object] = {
            "name": version.name,
            "version": version.version,
            "aliases": version.aliases,
            "digest": version.digest,
            "run_id": version.run_id,
        }
        if arguments.download:
            path = open_registry(settings.registry).download(version, settings.cache_dir)
            found |= {"digest": read_digest(path), "path": str(path.resolve())}
        return json.dumps(found)

    return run_command("bento.resolve", work)


if __name__ == "__main__":
    sys.exit(main())
