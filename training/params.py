"""`params.yaml`: read, and checked section by section by whoever uses a section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, ValidationError

from training.errors import InputError

PARAMS = Path("params.yaml")

_Section = TypeVar("_Section", bound=BaseModel)


# A number, or a list of numbers to choose from.
OneOrMore = Annotated[
    tuple[PositiveFloat, ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
    Field(min_length=1),
]


class Section(BaseModel):
    """Base of all sections: a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """The section `data`: where the labelled texts are and how much of them is held out."""

    path: Path
    test: Path | None = None
    validation_share: float = Field(gt=0, lt=0.5)
    test_share: float = Field(gt=0, lt=0.5)


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
