"""Text normalisation: the one place where text is rewritten, for training and for serving alike.

A change here changes what every model sees, so it comes with a new `NORMALISER_VERSION`;
a server refuses a model package that was made with another version.
"""

import hashlib
import html
import re
import unicodedata

NORMALISER_VERSION = "1"

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,512}>")
_URL = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"]+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@.])@\w+")
_SPACE = re.compile(r"\s+")
_AMPERSANDS = re.compile(r"&(?:(?:amp|#0*38(?![0-9])|#x0*26(?![0-9a-f]));?)+", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ROUNDS = 8  # of looking for what hides in what; nobody but an attacker needs more
_ASCII_MARKS = bytes(code for code in range(128) if not chr(code).isalnum())
_ZERO_WIDTH_JOINER = "\u200d"  # kept: it joins emoji
_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc", "'") | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
)


def normalise(text: str) -> str:
    """Bring a text into the form that the models read.

    In order: lone surrogates become U+FFFD, Unicode form NFKC, HTML entities are resolved, control
    characters become spaces and invisible format characters go, typographic quotes become plain ones,
    URLs become `http` and handles `@user` (the convention of the TweetEval data sets), HTML tags
    become spaces, white space is folded and stripped. Letter case stays: that is the tokenizer's business.

    Args:
        text: Any string, also one that UTF-8 cannot encode.

    Returns:
        The normalised text, possibly empty. Normalising it again changes nothing.
    """
    text = _unwrap(text)
    if not text.isascii():
        text = text.translate(_QUOTES)
    text = _URL.sub("http", text)
    if "@" in text:
        text = _HANDLE.sub("@user", text)
    text = _SPACE.sub(" ", text)
    text = _remove_tags(text)
    return text.strip()


def row_key(text: str) -> str:
    """Return the key of a text's normal form: what is left without letter case, marks and spaces.

    Texts that say the same in another spelling ("So good!", "so good") share a key, so a repeated remark is
    known again wherever it stands. A text without any letter or digit is its own normal form.

    Args:
        text: Normalised.

    Returns:
        32 hexadecimal digits, as good as random: their order and either half of them place a text by chance
        that never changes.
    """
    if text.isascii():
        form = text.lower().encode().translate(None, _ASCII_MARKS)
    else:
        form = "".join(filter(str.isalnum, text.casefold())).encode()
    return hashlib.sha256(form or text.encode()).hexdigest()[:32]


def _remove_tags(text: str) -> str:
    """Replace tags by spaces, those that others stood in too; at the end no `<` can begin one."""
    for _ in range(_ROUNDS):
        if "<" not in text or not _TAG.search(text):
            return text
        text = _SPACE.sub(" ", _TAG.sub(" ", text))
    return _SPACE.sub(" ", text.replace("<", " "))


def _unwrap(text: str) -> str:
    """Resolve Unicode forms, invisible characters and entities to the end, as each may hide another."""
    for _ in range(_ROUNDS):
        plain = _unwrap_once(text)
        if plain == text or ("&" not in plain and plain.isascii()):
            return plain
        text = plain
    return _unwrap_once(text.replace("&", " "))


def _unwrap_once(text: str) -> str:
    if text.isascii():
        plain = _ASCII_CONTROL.sub(" ", text)
    else:
        plain = unicodedata.normalize("NFKC", _SURROGATE.sub("\ufffd", text))
        plain = "".join(map(_visible, plain))
    if "&" in plain:
        plain = html.unescape(_AMPERSANDS.sub("&", plain))
    return plain


def _visible(character: str) -> str:
    if character.isalnum() or character.isascii():
        return " " if character < " " or character == "\x7f" else character
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    if category == "Cf" and character != _ZERO_WIDTH_JOINER:
        return ""
    return character
