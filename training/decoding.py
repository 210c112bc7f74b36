"""Raw files as lines of text, strictly: what is not UTF-8 or not gzip is told with its place."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from training.errors import InputError
from training.storage import open_file


@contextmanager
def open_lines(location: str) -> Iterator[Iterator[str]]:
    """Open a file, unpacked if its name ends in `.gz`, and give its lines with their ends.

    Raises:
        InputError: It cannot be read; the message says where and why.
    """
    with _open_bytes(location) as content:
        try:
            yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        except UnicodeDecodeError:
            raise _not_utf8(location) from None
        except (EOFError, OSError, zlib.error) as error:
            if location.endswith(".gz"):
                raise InputError(
                    f"{location}: not a complete gzip file ({error}); download it again"
                ) from error
            raise InputError(f"{location}: cannot be read ({error})") from error


@contextmanager
def _open_bytes(location: str) -> Iterator[BinaryIO]:
    with open_file(location) as content:
        if location.endswith(".gz"):
            with gzip.open(content) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield content


def _not_utf8(location: str) -> InputError:
    """Find the first byte that is not UTF-8, line by line from the beginning."""
    offset = 0
    with _open_bytes(location) as content:
        for number, line in enumerate(content, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                utf16 = offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
                return InputError(
                    f"{location}: not UTF-8: byte 0x{line[error.start]:02x} at offset "
                    f"{offset + error.start}, line {number}. Save it as UTF-8, for example: "
                    f"iconv -f {'UTF-16' if utf16 else 'WINDOWS-1252'} -t UTF-8 OLD > NEW"
                )
            offset += len(line)
    return InputError(f"{location}: it changed while it was read; run this again")
