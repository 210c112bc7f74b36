"""Say what a registry knows of a model version, as JSON: for tools that are no part of the server.

python -m bento.resolve models:/valence-sentiment@production --download
"""

import argparse
import json
import sys

from bento.package import PackageError, read_digest
from bento.registry import RegistryError, find_version, open_registry
from bento.settings import SettingsError, load_settings


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
    try:
        settings = load_settings()
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
    except SettingsError as error:
        print(f"bento.resolve: {error}", file=sys.stderr)
        return 2
    except (PackageError, RegistryError, OSError) as error:
        print(f"bento.resolve: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
