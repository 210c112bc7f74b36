"""What fine-tuning is told. One recipe serves all data: it takes its length and its epochs from them."""

from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from bento.package import MAX_TOKENS
from training.params import Location, Section


class Params(Section):
    """The section `train.transformer` of `params.yaml`."""

    base: Annotated[str, BeforeValidator(str)]
    pretrain: tuple[Location, ...] = ()
    max_epochs: PositiveInt
    max_steps: PositiveInt | None = None
    patience: PositiveFloat
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    layer_decay: float = Field(gt=0, le=1)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    average_epochs: float = Field(ge=0)
    max_tokens: int = Field(ge=8, le=MAX_TOKENS)
    seed: int = Field(ge=0)
