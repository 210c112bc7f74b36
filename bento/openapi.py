"""The description of the API (OpenAPI 3.1), made from the very schemas that check and answer."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bento.answers import MOST_TIMEOUT_MS
from bento.schemas import (
    BatchAnswer,
    BatchRequest,
    Health,
    Models,
    PredictAnswer,
    PredictRequest,
    Problem,
    ReloadAnswer,
    ReloadRequest,
)
from bento.settings import Settings

API_VERSION = "1.0.0"

_WHY = {
    400: "The body is not JSON.",
    401: "The server's admin token is missing or wrong.",
    403: "Reloading is off: the server has no admin token.",
    404: "The registry has no such version or alias.",
    409: "The model is pinned or refused, or another change is under way. Nothing has changed.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field or a header is missing, unknown or of the wrong type, or a text cannot be judged.",
    429: "More is waiting than can be answered in time.",
    500: "An error of the server.",
    502: "The registry does not answer.",
    503: "The server is starting or shutting down.",
    504: "The caller's deadline passed before the answer was there.",
}
_POST_ERRORS = (400, 413, 415, 422, 429, 500, 503, 504)
_RELOAD_ERRORS = (400, 401, 403, 404, 409, 413, 415, 422, 500, 502, 503)
_DEADLINE = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "description": "How long the caller waits; what is not begun by then is not computed.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_TIMEOUT_MS},
}
_HEADERS = {
    "X-Request-ID": "The id that the request brought, or one made for it.",
    "traceparent": "The W3C trace that the request belongs to, if it named one.",
    "X-Model-Version": "The model that is served: its version, else the beginning of its digest.",
    "Server-Timing": "Milliseconds in the queue, tokenising and inferring.",
    "Retry-After": "Seconds to wait.",
    "WWW-Authenticate": "Which credentials are asked for.",
}
_EVERYWHERE = ("X-Request-ID", "traceparent")
_OF_THE_MODEL = ("X-Model-Version",)
_OF_AN_ERROR = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def describe(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document of a server with these settings."""
    used: tuple[type[BaseModel], ...] = (
        PredictRequest,
        BatchRequest,
        ReloadRequest,
        ReloadAnswer,
        PredictAnswer,
        BatchAnswer,
        Health,
        Models,
        Problem,
    )
    _, definitions = models_json_schema(
        [(model, "validation" if model in used[:3] else "serialization") for model in used],
        ref_template="#/components/schemas/{model}",
    )
    schemas = definitions["$defs"]
    schemas["BatchRequest"]["properties"]["texts"]["maxItems"] = settings.max_batch_texts
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Valence",
            "version": API_VERSION,
            "description": "Says whether a text is negative, neutral or positive.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/predict": {"post": _post("predict", "Judge one text", PredictRequest, PredictAnswer)},
            "/predict/batch": {
                "post": _post("predict_batch", "Judge several texts", BatchRequest, BatchAnswer)
            },
            "/reload": {"post": _reload()},
            "/models": {
                "get": _get("models", "The model and its versions", Models, 500, 503, more=_OF_THE_MODEL)
            },
            "/health": {
                "get": _get("health", "How the server is, for people", Health, 500, 503, more=_OF_THE_MODEL)
            },
            "/livez": {"get": _get("livez", "Liveness probe", "text/plain")},
            "/readyz": {"get": _get("readyz", "Readiness probe", "text/plain", 503, more=_OF_THE_MODEL)},
            "/metrics": {"get": _get("metrics", "Metrics, for Prometheus", "text/plain", 500)},
            "/docs": {"get": _get("docs", "This description, to read and to try", "text/html", 500)},
            "/openapi.json": {"get": _get("openapi", "This description", "application/json", 500)},
            "/": {"get": _get("index", "Where to start", "text/html", 500)},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
            "headers": {
                name: {
                    "description": why,
                    "schema": {"type": "integer" if name == "Retry-After" else "string"},
                }
                for name, why in _HEADERS.items()
            },
        },
    }


def _post(name: str, summary: str, asked: type[BaseModel], answered: type[BaseModel]) -> dict[str, Any]:
    more = (*_OF_THE_MODEL, "Server-Timing")
    return {
        **_get(name, summary, answered, *_POST_ERRORS, more=more),
        "parameters": [_DEADLINE],
        "requestBody": _body(asked),
    }


def _reload() -> dict[str, Any]:
    return {
        **_get("reload", "Change the model", ReloadAnswer, *_RELOAD_ERRORS, more=_OF_THE_MODEL),
        "security": [{"admin": []}],
        "requestBody": _body(ReloadRequest),
    }


def _body(asked: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _ref(asked)}}}


def _get(
    name: str,
    summary: str,
    answered: type[BaseModel] | str,
    *errors: int,
    more: Sequence[str] = (),
) -> dict[str, Any]:
    if isinstance(answered, str):
        content: dict[str, Any] = {
            answered: {"schema": {} if answered.endswith("json") else {"type": "string"}}
        }
    else:
        content = {"application/json": {"schema": _ref(answered)}}
    answer = {
        "description": "The answer.",
        "headers": _headers(*_EVERYWHERE, *more),
        "content": content,
    }
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": answer} | {str(code): _problem(code) for code in errors},
    }


def _problem(code: int) -> dict[str, Any]:
    return {
        "description": _WHY[code],
        "headers": _headers(*_EVERYWHERE, *_OF_AN_ERROR.get(code, ())),
        "content": {"application/problem+json": {"schema": _ref(Problem)}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
