"""`python -m k8s.release`."""

from k8s.release.cli import app

if __name__ == "__main__":
    app(prog_name="python -m k8s.release")
