"""Inference, online and offline: the service, its HTTP API, the runner, the model package, file scoring.

Importing this package pulls in nothing; each module names what it needs.
"""
