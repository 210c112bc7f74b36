"""Training as a Kubernetes Job: `python -m k8s.job train`."""
