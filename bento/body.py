"""Reading a request's body: bounded, JSON only, checked against a schema in one go."""

from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from bento.exchange import Exchange
from bento.problems import ProblemError, refuse_fields
from bento.schemas import FieldError

_MOST_ERRORS = 32  # that are worth listing
_ELSEWHERE: dict[int | str, str] = {
    "text": "one text goes to POST /predict",
    "texts": "several texts go to POST /predict/batch",
}

T = TypeVar("T", bound=BaseModel)


async def read_json(scope: Scope, receive: Receive, schema: type[T], max_bytes: int) -> T:
    """Read and check a JSON body.

    Raises:
        ProblemError: 415 not declared as JSON, 413 too large, 400 not JSON, 422 not what the schema says.
        ClientDisconnect: The caller left before it was complete.
    """
    headers = Exchange.of(scope).headers
    require_json(headers)
    return parse_json(await _read(headers, receive, max_bytes), schema)


def parse_json(raw: bytes, schema: type[T]) -> T:
    """Check a JSON body.

    Raises:
        ProblemError: 400 not JSON, 422 not what the schema says.
    """
    try:
        return schema.model_validate_json(raw)
    except ValidationError as error:
        raise _explain(error, schema) from None


def require_json(headers: dict[bytes, bytes]) -> None:
    """Make sure that a body is declared as JSON.

    Raises:
        ProblemError: 415, it is not.
    """
    media_type, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    media_type = media_type.strip()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, and content-type: application/json", reason="type"
        )
    if "charset" in parameters and "utf-8" not in parameters:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is UTF-8 (RFC 8259)", reason="type")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body uncompressed", reason="type")


async def _read(headers: dict[bytes, bytes], receive: Receive, max_bytes: int) -> bytes:
    """Read the body; what the caller declares may spare the reading, but only what arrives is believed."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > max_bytes:
            raise _too_large(max_bytes)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"a body may have {max_bytes} bytes; send several smaller requests",
        reason="too_large",
    )


def _explain(error: ValidationError, schema: type[BaseModel]) -> ProblemError:
    if error.error_count() > _MOST_ERRORS:
        reason = f"{error.error_count()} errors; see /docs for what is expected"
        return refuse_fields([FieldError(field="body", reason=reason)])
    details = error.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return ProblemError(
            HTTPStatus.BAD_REQUEST, details[0]["msg"].replace("Invalid JSON", "not JSON"), reason="not_json"
        )
    return refuse_fields(
        [FieldError(field=_field(part, schema), reason=_reason(part, schema)) for part in details]
    )


def _reason(part: ErrorDetails, schema: type[BaseModel]) -> str:
    if part["type"] != "extra_forbidden":
        return part["msg"]
    known = f"not a field of this request, which may have {', '.join(schema.model_fields)}"
    elsewhere = _ELSEWHERE.get(part["loc"][0])
    return known if elsewhere is None else f"{known}; {elsewhere}"


def _field(part: ErrorDetails, schema: type[BaseModel]) -> str:
    """Name the field; a name that the schema does not know is the caller's own, so it is not repeated."""
    if not part["loc"]:
        return "body"
    first, *rest = part["loc"]
    if first not in schema.model_fields:
        return "(unknown)"
    return str(first) + "".join(f"[{index}]" for index in rest)
