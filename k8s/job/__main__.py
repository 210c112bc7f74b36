"""`python -m k8s.job`."""

from k8s.needing import needing

with needing("k8s.job", "python -m pip install -r requirements/cluster.txt"):
    from k8s.job.cli import app

if __name__ == "__main__":
    app(prog_name="python -m k8s.job")
