"""What is said of an address that does not answer: never the password that may be in it."""

import httpx


def hide_password(url: str) -> str:
    """Return an address without the user and password before its host."""
    return url.rpartition("@")[2]


def explain(error: Exception) -> str:
    """Say why a request has failed; what httpx itself says of a refusal repeats the whole address."""
    if isinstance(error, httpx.HTTPStatusError):
        answer, said = error.response, " ".join(error.response.text[:200].split())
        return f"{answer.status_code} {answer.reason_phrase}: {said}".rstrip(": ")
    return f"{type(error).__name__}: {error}".rstrip(": ")
