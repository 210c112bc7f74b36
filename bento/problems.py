"""Errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.exchange import CLIENT_LEFT, Exchange
from bento.logs import log_failure
from bento.schemas import FieldError, Problem

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Ends a request with an error that its caller can act on."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        """Describe the error.

        Args:
            status: The HTTP status.
            detail: What is wrong and what helps; never what the caller sent.
            errors: The same by field.
            headers: Additional ones.
            reason: Under which name the rejection is counted; None: it is not.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.reason = reason


def refuse_field(field: str, reason: str) -> ProblemError:
    """Return the error for one field that cannot be used."""
    return refuse_fields([FieldError(field=field, reason=reason)])


def refuse_fields(errors: Sequence[FieldError]) -> ProblemError:
    """Return the error for fields that cannot be used."""
    detail = "; ".join(f"{error.field}: {error.reason}" for error in errors[:3])
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors, reason="invalid")


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router raises: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    status = HTTPStatus(error.status_code)
    allowed = (error.headers or {}).get("Allow")
    if status == HTTPStatus.NOT_FOUND:
        detail = "see /docs for what this server answers"
    elif allowed:
        detail = f"this path takes {' or '.join(sorted(allowed.split(', ')))}; see /docs"
    else:
        detail = status.description
    return _response(Exchange.of(request.scope), status, detail, headers=error.headers)


class Guard:
    """ASGI middleware that answers every error with a problem, and logs where an unexpected one happened."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            await explain(Exchange.of(scope), error)(scope, receive, send)


def explain(exchange: Exchange, error: Exception) -> Response:
    """Return the answer that an error leads to; one that nobody expected is logged."""
    match error:
        case ProblemError():
            exchange.rejected = error.reason
            return _response(
                exchange, error.status, error.detail, headers=error.headers, errors=list(error.errors) or None
            )
        case ClientDisconnect():
            return Response(status_code=CLIENT_LEFT)  # closes the books; nobody reads it
        case _:
            log_failure(exchange.request_id, error)
            detail = "an error of the server; its log has more under this request id"
            return _response(exchange, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _response(
    exchange: Exchange,
    status: HTTPStatus,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
) -> Response:
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=detail,
        instance=exchange.request_id,
        errors=errors,
    )
    return Response(
        problem.model_dump_json(exclude_none=True), status.value, dict(headers or {}), media_type=MEDIA_TYPE
    )
