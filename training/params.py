"""`params.yaml`: read, and checked section by section by whoever uses a section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from training.errors import InputError

PARAMS = Path("params.yaml")

_Section = TypeVar("_Section", bound=BaseModel)


# A number, or a list of numbers to choose from.
OneOrMore = Annotated[
    tuple[PositiveFloat, ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
    Field(min_length=1),
]


# A path or an `s3://` address.
Location = Annotated[str, BeforeValidator(str)]


class Section(BaseModel):
    """Base of all sections: a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Flag = Literal["too_short", "too_long", "repeated_characters", "mostly_non_letters", "label_against_rating"]
FLAGS: tuple[Flag, ...] = get_args(Flag)


class Columns(Section):
    """What the columns of the raw files are called; without `label`, labels follow from ratings."""

    text: str = "text"
    label: str | None = "label"
    rating: str | None = None

    @model_validator(mode="after")
    def _some_label(self) -> Self:
        if self.label is None and self.rating is None:
            raise ValueError("label or rating must name a column")
        return self


class Clean(Section):
    """The section `data.clean`: which rows are of no use."""

    null_words: tuple[str, ...] = ()
    neutral: Literal["keep", "drop"] = "keep"
    conflicts: Literal["drop", "majority"] = "drop"
    exempt_chars: int = Field(default=0, ge=0)


class Validate(Section):
    """The section `data.validate`: the schema contract."""

    max_chars: PositiveInt = 100_000
    violations: Literal["stop", "quarantine"] = "stop"


class Flagging(Section):
    """The section `data.flag`: from where on a row is odd, and which odd rows are left out."""

    min_chars: int = Field(default=3, ge=0)
    max_chars: PositiveInt = 5_000
    max_run: PositiveInt = 8
    min_letter_share: float = Field(default=0.5, ge=0, le=1)
    exclude: tuple[Flag, ...] = ()


class Balance(Section):
    """The section `data.balance`: how many rows of a label are trained on for one of the rarest."""

    max_ratio: float | None = Field(default=None, ge=1)


class Data(Section):
    """The section `data`: where the labelled texts are and what becomes of them."""

    path: Location
    test: Location | None = None
    engine: Literal["duckdb", "spark"] = "duckdb"
    columns: Columns = Columns()
    clean: Clean = Clean()
    # A model of pydantic has a method of that name.
    validate_: Validate = Field(default=Validate(), alias="validate")
    flag: Flagging = Flagging()
    balance: Balance = Balance()
    validation_share: float = Field(gt=0, lt=0.5)
    test_share: float = Field(gt=0, lt=0.5)


class Packaging(Section):
    """The section `package`: what a package promises."""

    promise: float = Field(default=0.95, gt=0.5, lt=1)


class Behaviours(Section):
    """The section `gate.min_behaviour`: the share of behavioural cases that must pass, by kind."""

    functionality: float = Field(default=0.8, ge=0, le=1)
    invariance: float = Field(default=0.85, ge=0, le=1)
    direction: float = Field(default=0.5, ge=0, le=1)


class Gate(Section):
    """The section `gate`: what a version must hold before it goes into production."""

    max_macro_f1_loss: float = Field(default=0.02, ge=0, le=1)
    max_slice_loss: float = Field(default=0.05, ge=0, le=1)
    min_slice_rows: PositiveInt = 50
    max_latency_ms: PositiveFloat = 100
    max_package_mb: PositiveFloat = 500
    min_behaviour: Behaviours = Behaviours()
    max_behaviour_loss: float = Field(default=0.1, ge=0, le=1)
    max_flips: float = Field(default=0.25, ge=0, le=1)


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read the whole file.

    Raises:
        InputError: It is not there or not a YAML mapping.
    """
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path.absolute()}: not there; run this in the directory that holds it") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path.absolute()}: not YAML: {error}") from error
    if not isinstance(params, dict):
        raise InputError(f"{path.absolute()}: expected is a mapping with the sections `data` and `train`")
    return params


def section(params: Mapping[str, Any], name: str, kind: type[_Section]) -> _Section:
    """Return the section at a dotted name, checked.

    Raises:
        InputError: The section is missing or a value in it cannot be used; the message names the key.
    """
    value: Any = params
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        raise InputError(f"{PARAMS}: the section `{name}` is missing")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([name, *map(str, first["loc"])])
        raise InputError(f"{PARAMS}: {place}: {first['msg']} (found {first['input']!r})") from error
