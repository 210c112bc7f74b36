"""Inference, online and offline: the service, its HTTP API, the runner, the model package, file scoring.

Importing this package pulls in nothing; each module names what it needs.
"""

import os

# ONNX Runtime (since 1.29) and BentoML report each start to their makers, unless told not to beforehand.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
