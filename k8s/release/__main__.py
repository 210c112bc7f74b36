"""`python -m k8s.release`."""

import sys

from k8s.release.cli import main

if __name__ == "__main__":
    main(sys.argv[1:])
