"""Releases of a model: rolled out, watched, kept or undone. `python -m k8s.release --help` says how."""
