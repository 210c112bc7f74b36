"""`python -m tests.e2e`, which is `make e2e`."""

import sys

from k8s.needing import needing

with needing("tests.e2e", "python3 scripts/bootstrap.py dev, then .venv/bin/python -m tests.e2e"):
    from tests.e2e.cli import main

if __name__ == "__main__":
    sys.exit(main())
