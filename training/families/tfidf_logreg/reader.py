"""How TF-IDF reads a text: lower-cased words, numbers, single signs and emoji, by the number of each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import WordLevelTrainer

PAD, UNKNOWN = "[PAD]", "[UNK]"
PAD_ID, UNKNOWN_ID = 0, 1

# A word keeps its inner apostrophes ("don't"); any other sign is a token of its own, together with the skin
# tone, the variation selector and whatever a zero-width joiner ties to it, so an emoji stays one token.
_TOKEN = Regex(
    r"[\p{L}\p{M}\p{N}_]+(?:'\p{L}+)*"
    r"|[^\s\p{L}\p{N}_](?:\p{M}|[\x{1F3FB}-\x{1F3FF}]|\x{200D}[^\s\p{L}\p{N}])*"
)


def train_tokenizer(texts: Sequence[str], *, min_count: int, max_tokens: int) -> Tokenizer:
    """Return a tokenizer whose vocabulary is every token that occurs at least `min_count` times."""
    tokenizer = Tokenizer(WordLevel({PAD: PAD_ID, UNKNOWN: UNKNOWN_ID}, unk_token=UNKNOWN))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Split(_TOKEN, behavior="removed", invert=True)
    trainer = WordLevelTrainer(
        vocab_size=2**31, min_frequency=min_count, special_tokens=[PAD, UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_truncation(max_tokens)
    tokenizer.encode_special_tokens = True
    return tokenizer


def features(ids: Sequence[int], vocabulary: int) -> Iterator[int]:
    """Yield the number of every known word, and of every pair of neighbours that are both known.

    Args:
        ids: The tokens of a text.
        vocabulary: How many tokens there are; the pair of `a` and `b` has the number `a * vocabulary + b`,
            which no single token has, as the smallest known `a` is 2.
    """
    for token in ids:
        if token > UNKNOWN_ID:
            yield token
    for first, second in pairwise(ids):
        if first > UNKNOWN_ID and second > UNKNOWN_ID:
            yield first * vocabulary + second
