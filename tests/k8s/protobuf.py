"""Secrets as helm sends them: in protobuf, of which as much is read here as they need.

Field numbers are those of k8s.io/api/core/v1 and k8s.io/apimachinery's generated.proto.
"""

import base64
from collections.abc import Iterator

from tests.k8s.kinds import Json

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


def read_secret(body: bytes) -> Json:
    """Return a Secret that came in Kubernetes's envelope.

    Raises:
        ValueError: It is something else.
    """
    if not body.startswith(_MAGIC):
        raise ValueError("not in the envelope of Kubernetes")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    kind = dict(_fields(envelope[1]))
    if (kind[1], kind[2]) != (b"v1", b"Secret"):
        raise ValueError(f"{kind[2].decode()} in protobuf")
    made: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {}}
    for number, value in _fields(envelope[2]):
        if number == 1:
            made["metadata"] = _metadata(value)
        elif number == 2:
            key, content = _entry(value)
            made["data"][key] = base64.b64encode(content).decode()
        elif number == 3:
            made["type"] = value.decode()
    return made


def _metadata(content: bytes) -> Json:
    made: Json = {}
    names = {1: "name", 3: "namespace", 6: "resourceVersion"}
    for number, value in _fields(content):
        if number in names and value:
            made[names[number]] = value.decode()
        elif number in (11, 12):
            key, text = _entry(value)
            made.setdefault("labels" if number == 11 else "annotations", {})[key] = text.decode()
    return made


def _entry(content: bytes) -> tuple[str, bytes]:
    parts = dict(_fields(content))
    return parts[1].decode(), parts.get(2, b"")


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields that have a length; numbers are passed over."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        value, at = _varint(content, at)
        if tag & 7 == 2:
            yield tag >> 3, content[at : at + value]
            at += value
        elif tag & 7 != 0:
            raise ValueError(f"wire type {tag & 7}")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
