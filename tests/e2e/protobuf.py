"""As much of Kubernetes' protobuf as helm sends: it keeps its releases in Secrets, and talks of no others so.

The numbers are those of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1, generated.proto.
"""

import base64
from typing import Any

from tests.k8s.kinds import Json

_MAGIC = b"k8s\0"
_Fields = dict[int, list[Any]]


def secret(body: bytes) -> Json:
    """Return a Secret as JSON; a body that holds something else, such as DeleteOptions, is empty."""
    if not body.startswith(_MAGIC):
        return {}
    envelope = _fields(body.removeprefix(_MAGIC))
    if _text(_fields(envelope[1][0]), 2) != "Secret":
        return {}
    each = _fields(envelope[2][0])
    meta = _fields(each[1][0])
    named = {"name": 1, "namespace": 3, "resourceVersion": 6}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            **{name: _text(meta, number) for name, number in named.items() if _text(meta, number)},
            "labels": {name: value.decode() for name, value in _map(meta, 11).items()},
        },
        "data": {name: base64.b64encode(value).decode() for name, value in _map(each, 2).items()},
        "type": _text(each, 3),
    }


def _fields(content: bytes) -> _Fields:
    """Return the values of a message by their numbers: whole numbers, or the bytes of texts and messages."""
    found: _Fields = {}
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        if key & 7 == 0:
            value, at = _varint(content, at)
            found.setdefault(key >> 3, []).append(value)
        else:
            assert key & 7 == 2, f"wire type {key & 7}"
            length, at = _varint(content, at)
            found.setdefault(key >> 3, []).append(content[at : at + length])
            at += length
    return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _text(fields: _Fields, number: int) -> str:
    return bytes(fields.get(number, [b""])[0]).decode()


def _map(fields: _Fields, number: int) -> dict[str, bytes]:
    pairs = [_fields(each) for each in fields.get(number, [])]
    return {_text(pair, 1): bytes(pair.get(2, [b""])[0]) for pair in pairs}
