"""JSON logs: one line a request, or for some where there are many alike.

What a caller sent is not handed to this module, unless `VALENCE_LOG_TEXTS` asks for it. Of an unexpected
error it logs the kind and the place, not the message, since a message may quote what it choked on.
"""

import asyncio
import atexit
import json
import logging
import logging.config
import math
import sys
import time
import traceback
from typing import Any

import structlog

from bento.sampling import Sampler

_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_SELDOM_S = 60
_ENCODER = json.JSONEncoder(default=repr)
_ATOMIC = 4_000  # characters of ASCII that a pipe takes in one piece, however many processes write to it


class _Output:
    """Standard output, to which the lines of one turn of the event loop go together: a write wakes others."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._flushes_on: asyncio.AbstractEventLoop | None = None
        atexit.register(self._flush)

    def msg(self, line: str) -> None:
        """Write a line, at once where there is no event loop."""
        self._lines.append(line + "\n")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
            return
        if loop is not self._flushes_on:  # one that ended before it flushed is not waited for
            self._flushes_on = loop
            loop.call_soon(self._flush)

    debug = info = warning = error = msg

    def _flush(self) -> None:
        self._flushes_on = None
        lines, self._lines = self._lines, []
        piece = ""
        for line in lines:
            if piece and len(piece) + len(line) > _ATOMIC:
                sys.stdout.write(piece)
                sys.stdout.flush()
                piece = ""
            piece += line
        if piece:
            sys.stdout.write(piece)
            sys.stdout.flush()


_OUTPUT = _Output()
_sampler: Sampler[tuple[str, int]] = Sampler(0)

_logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure(level: str, requests_per_s: int = 100) -> None:
    """Send everything to standard output as JSON, also what libraries log; access logs of others go.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        requests_per_s: How many requests of one route and code are logged in a second.
    """
    global _sampler
    _sampler = Sampler(requests_per_s)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_PROCESSORS, structlog.processors.JSONRenderer(_write)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _OUTPUT,
    )
    global _logger  # bound once, as binding it for each line took a third of the time
    _logger = structlog.get_logger().bind()
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*_PROCESSORS, structlog.stdlib.add_logger_name],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_write),
        ],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "stream": "ext://sys.stdout",
                },
                "seldom": {"()": _Seldom},
            },
            "root": {"handlers": ["stdout"], "level": max(number, logging.WARNING)},
            "loggers": {
                "bentoml": {"handlers": [], "level": number, "propagate": True},
                "opentelemetry": {"handlers": ["seldom"], "propagate": False},
                # of its warnings, callers can bring about as many as they like
                "uvicorn.error": {"handlers": [], "level": logging.ERROR, "propagate": True},
                "uvicorn.access": {"handlers": [], "level": logging.CRITICAL, "propagate": False},
            },
        }
    )


class _Seldom(logging.Handler):
    """Passes on one line a minute: while a collector of traces is away, each batch of spans has several."""

    def __init__(self) -> None:
        super().__init__()
        self._next = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        root, now = logging.getLogger(), time.monotonic()
        if root.isEnabledFor(record.levelno) and now >= self._next:
            self._next = now + _SELDOM_S
            root.handle(record)


def _write(event: dict[str, Any], **_: object) -> str:
    """Write JSON with an encoder that was made once."""
    return _ENCODER.encode(event)


def log_request(*, route: str, code: int, **known: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Log an answered request, probes at level debug; `requests` says for how many alike the line stands."""
    if route in _PROBES and code < 400:
        _logger.debug("request", route=route, code=code, requests=1, **known)
    elif requests := _sampler.take((route, code), time.monotonic()):
        _logger.info("request", route=route, code=code, requests=requests, **known)


def log_rest(now: float = math.inf) -> None:
    """Log how many requests stand behind no line yet, of the seconds before `now` by `time.monotonic`."""
    for (route, code), requests in _sampler.rest(now):
        _logger.info("request", route=route, code=code, requests=requests)


def log_failure(request_id: str, error: BaseException) -> None:
    """Log an error that nobody expected, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    _logger.error("failure", request_id=request_id, error=type(error).__name__, where=where)


def log_event(event: str, **known: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Log something of the server's life."""
    _logger.info(event, **known)


def log_warning(event: str, **known: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Log something that somebody should look at."""
    _logger.warning(event, **known)


def log_error(event: str, **known: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Log what keeps the server from doing its work."""
    _logger.error(event, **known)
