"""What a browser sees: the front page and the API's documentation, all of it from this server."""

import re
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

_OURS = Path(__file__).parent / "static"
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_CACHED = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}


def page_routes() -> list[Route]:
    """Return the routes of the pages and of the files that they load."""
    theirs = _swagger_ui()
    assets = {
        "/static/page.css": _OURS / "page.css",
        "/static/docs.js": _OURS / "docs.js",
        "/static/swagger-ui.css": theirs / "swagger-ui.css",
        "/static/swagger-ui-bundle.js": theirs / "swagger-ui-bundle.js",
    }
    for file in assets.values():
        if not file.is_file():
            raise FileNotFoundError(
                f"{file}: missing; install the version of BentoML that pyproject.toml names, "
                f"which brings Swagger UI along"
            )
    return [
        Route("/", _front_page),
        Route("/docs", _docs),
        *(Route(path, _serve(file)) for path, file in assets.items()),
    ]


async def _front_page(request: Request) -> Response:
    host = request.headers.get("host", "")
    page = (_OURS / "index.html").read_text()
    return _page(
        page.replace("localhost:3000", host if _HOST.fullmatch(host) else "localhost:3000"), "'self'"
    )


async def _docs(_: Request) -> Response:
    return _page((_OURS / "docs.html").read_text(), "'self' 'unsafe-inline'")  # as Swagger UI styles inline


def _page(content: str, styles: str) -> Response:
    policy = (
        f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(content, headers=headers)


def _serve(file: Path) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return FileResponse(file, headers=_CACHED)

    return serve


def _swagger_ui() -> Path:
    """Find the Swagger UI that BentoML brings along."""
    spec = find_spec("bentoml")
    assert spec is not None  # noqa: S101 - a requirement of this project
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "_internal/server/static_content"
