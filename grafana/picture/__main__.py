"""`python -m grafana.picture`."""

import sys

try:
    from grafana.picture.cli import main
except ModuleNotFoundError as error:
    print(
        f"grafana.picture: the package {error.name} is missing; install what developers have: "
        "python3 scripts/bootstrap.py dev, then .venv/bin/python -m grafana.picture",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
