"""The server's settings: `VALENCE_*` environment variables, read once at start.

`python -m bento.settings` prints the table of the README.
"""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "VALENCE_"

_ALIKE = 0.85
_DIGEST = r"^sha256:[0-9a-f]{64}$"
_TOKEN = re.compile(r"[!-~]{16,}")
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.\-\[\]:]+")


class SettingsError(Exception):
    """An environment variable has a value that cannot be used; the message names it and the remedy."""


class Settings(BaseSettings):
    """Every setting has a default that works, and one line that says what it does."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    model: str = Field(
        "",
        description="A package directory, `models:/name@alias` or `models:/name/3`; empty: the Bento's.",
    )
    model_digest: str | None = Field(
        None,
        pattern=_DIGEST,
        description="The digest that the package must have, else the server refuses it.",
    )
    model_version: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="The registry's version of the model, to be shown.",
    )
    registry: str = Field(
        "sqlite:///.valence/mlflow.db", description="The model registry: `sqlite:///path` or MLflow's URL."
    )
    cache_dir: Path = Field(Path(".valence/cache"), description="Where packages from the registry are kept.")
    max_text_chars: int = Field(10_000, ge=1, description="How many characters of a text are read.")
    long_texts: Literal["truncate", "refuse"] = Field(
        "truncate", description="What happens to a longer text: `truncate` (and say so) or `refuse` (422)."
    )
    max_batch_texts: int = Field(256, ge=1, description="How many texts one batch request may hold.")
    max_body_bytes: int = Field(1 << 20, ge=1, description="How large a request body may be.")
    max_queue_ms: int = Field(
        1_000, ge=1, description="The longest predicted wait; beyond it, requests are answered with 429."
    )
    workers: int = Field(
        1, ge=1, le=256, description="How many processes serve; `bentoml serve` starts them."
    )
    lanes: int = Field(
        0,
        ge=0,
        le=256,
        description="How many batches a worker scores side by side; 0: its share of the quota's CPUs.",
    )
    batch_tokens: int = Field(512, ge=1, description="How many tokens, padding included, one batch may hold.")
    drain_serve_ms: int = Field(
        5_000,
        ge=0,
        le=600_000,
        description="How long requests are still answered after SIGTERM, while `/readyz` fails already.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web origins that may call, separated by commas; `*`: all; empty: CORS is off."
    )
    admin_token: SecretStr | None = Field(
        None,
        description="What `POST /reload` asks for as `Authorization: Bearer …`, 16 characters or more; "
        "empty: it is off.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`debug` logs probes too, `warning` and above no requests."
    )
    log_requests_per_s: int = Field(
        100,
        ge=1,
        description="How many requests of a route and code are logged in a second; a line says for how many "
        "it stands.",
    )
    log_texts: bool = Field(
        default=False,
        description="Whether a request's line in the log has its texts, cut to 3,000 characters. They may be "
        "personal data: only where whoever reads the log may read them.",
    )

    @field_validator("admin_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("is not 16 or more printable ASCII characters without spaces")
        return token

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        origins = tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        wrong = [origin for origin in origins if not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not an origin such as https://example.org")
        return origins


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: A variable has a wrong value.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)
        raise SettingsError("; ".join(_explain(str(part["loc"][0]), part["msg"]) for part in wrong)) from None


def misspelt() -> dict[str, str]:
    """Return the variables that look like a setting and are none, each with what it looks like.

    Others that begin alike are not ours to judge: in a cluster a Service's name makes some.
    """
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    near = {
        name: get_close_matches(name, known, 1, _ALIKE)
        for name in os.environ
        if name.startswith(PREFIX) and name not in known
    }
    return {name: matches[0] for name, matches in near.items() if matches}


def markdown_table() -> str:
    """Return the settings as a table: variable, default, meaning."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        written = str(field.default).lower() if isinstance(field.default, bool) else field.default
        default = "" if field.default in (None, "", ()) else f"`{written}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def _explain(name: str, reason: str) -> str:
    description = Settings.model_fields[name].description
    reason = reason.removeprefix("Value error, ")
    return f"{PREFIX}{name.upper()}: {reason}. Correct or unset it. ({description})"


if __name__ == "__main__":
    print(markdown_table())
