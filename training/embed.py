"""The stage `embed`: `python -m training.embed` makes the embeddings that SVMs learn from, once for all."""

from pathlib import Path

from training.errors import run
from training.families.embeddings import Params
from training.families.embeddings.encoder import embed_to_learn, load_encoder, make_reader
from training.families.embeddings.kept import Kept, limit
from training.params import read_params, section
from training.prepare import DATA
from training.records import EMBEDDINGS
from training.rows import Rows
from training.usage import no_arguments


def embed(train: Rows, validation: Rows, params: Params, folder: Path) -> None:
    """Make the embeddings of what is learnt from and of what is chosen by, and write them below a folder.

    Raises:
        TrainingError: The model that makes them cannot be had.
    """
    encoder = load_encoder()
    reader = make_reader(encoder, params.max_tokens)
    texts = list(dict.fromkeys([*limit(train, params.max_rows).texts, *validation.texts]))
    Kept(reader, texts, embed_to_learn(encoder, reader, texts)).write(folder)


def _main() -> None:
    no_arguments("training.embed", __doc__)
    params = section(read_params(), "embed", Params)
    train, validation = (Rows.read(DATA / f"{part}.parquet") for part in ("train", "validation"))
    embed(train, validation, params, EMBEDDINGS)


if __name__ == "__main__":
    run(_main)
