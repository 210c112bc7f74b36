"""`python -m k8s.release`."""

import sys

from k8s.needing import needing

with needing("k8s.release", "python -m pip install -r requirements/cluster.txt"):
    from k8s.release.cli import main

if __name__ == "__main__":
    main(sys.argv[1:])
