"""What goes over HTTP: requests are strict and closed, answers are what `/openapi.json` says."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, model_validator
from pydantic_core import PydanticCustomError

from bento.package import Label, Ratio

Text = Annotated[str, Field(description="What to judge; markup and white space do not count.", min_length=1)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PredictRequest(_Request):
    """One text."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "The film was fantastic, with great performances."}]}
    )

    text: Text


class BatchRequest(_Request):
    """Several texts; one that cannot be used fails the request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["What a film!", "Broke on day one."]}]}
    )

    texts: Annotated[list[Text], FailFast(), Field(min_length=1)]


def _describe_reload(schema: dict[str, Any]) -> None:
    schema |= {
        "minProperties": 1,
        "maxProperties": 1,
        "examples": [{"version": "3"}, {"alias": "production"}],
    }
    for field in schema["properties"].values():
        del field["default"]


class ReloadRequest(_Request):
    """Which of the registry's versions to serve from now on: its number, or one of its aliases."""

    model_config = ConfigDict(json_schema_extra=_describe_reload)

    version: str = Field("", pattern=r"^[1-9][0-9]{0,8}$")
    alias: str = Field("", pattern=r"^[A-Za-z0-9_-]{1,128}$")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("exactly_one", "give either a version or an alias")
        return self


class Model(_Answer):
    """The model that answered."""

    name: str
    version: str | None = Field(description="The registry's version; null where none was given.")
    digest: str = Field(description="The identity of the model package.")


class Prediction(_Answer):
    """What the model says of one text."""

    id: str = Field(description="A UUID (version 7).")
    sentiment: Label
    confidence: Ratio
    scores: dict[Label, Ratio] = Field(
        description="One for each label that the model knows; they add up to 1."
    )
    certain: bool = Field(
        description="At least 95% of the predictions of which this is said are right, unless the model was "
        "made with another promise, on texts like those that it was made with."
    )
    truncated: bool = Field(description="Only the beginning of the text was read.")


class PredictAnswer(Prediction):
    """What the model says of the text."""

    model: Model
    latency_ms: float


class BatchAnswer(_Answer):
    """What the model says of the texts, in their order."""

    model: Model
    latency_ms: float
    predictions: list[Prediction]


class ReloadAnswer(_Answer):
    """The model that all workers serve now, and the one before; the same where nothing had to be done."""

    model: Model
    previous: Model
    workers: int


class Queue(_Answer):
    """How busy the server is."""

    texts: int = Field(description="Texts that wait for a lane.")
    lanes: int = Field(description="Batches that are scored side by side.")


class Capacity(_Answer):
    """How much more the server could do, as measured on what it does."""

    used_ratio: float = Field(
        description="Tokens asked for in the last 10 s, over what could be scored; above 1: overload."
    )
    headroom_texts_per_s: float = Field(
        description="More texts a second that could be scored, if they are as long as those of late."
    )


class Health(_Answer):
    """For people; probes use `/livez` and `/readyz`."""

    model: Model
    family: str
    labels: list[Label]
    queue: Queue
    capacity: Capacity
    build: str = Field(description="Which code serves: the Bento's version.")
    uptime_s: float


class Version(_Answer):
    """A version in the model registry."""

    version: str
    aliases: list[str]
    digest: str | None
    run_id: str | None = Field(description="The MLflow run that made it.")
    created_at: datetime
    metrics: dict[str, float]
    tags: dict[str, str]
    serving: bool = Field(description="This server runs it.")


class Models(_Answer):
    """The model that this server runs, and what else the registry holds."""

    serving: Model
    family: str
    created_at: datetime
    run_id: str | None
    data_sha256: str
    git_commit: str | None
    metrics: dict[str, float]
    versions: list[Version] | None = Field(description="Null where the registry cannot be read.")


class FieldError(_Answer):
    """What is wrong with one field; what it holds is never repeated."""

    field: str
    reason: str


class Problem(_Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="The request id.")
    errors: list[FieldError] | None = None
