"""Where raw files are: paths on this machine, and `s3://` addresses."""

import os
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import fs

from training.errors import InputError

_S3 = "s3://"


def is_remote(location: str) -> bool:
    """Say whether a location is an address in S3."""
    return location.startswith(_S3)


def name_of_file(location: str) -> str:
    """Return the last part of a location."""
    return location.rstrip("/").rsplit("/", 1)[-1]


def data_name(location: str) -> str:
    """Return what a data set is called: the name of its file or folder, without endings."""
    name = name_of_file(location)
    return name.split(".", 1)[0] or name


def files_at(location: str, endings: tuple[str, ...]) -> list[str]:
    """Return the files at a location, sorted by name: itself, or those in the folder that it is.

    Raises:
        InputError: There is nothing there, or it is a folder without such files.
    """
    system, path = _resolve(location)
    try:
        info = system.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise InputError(f"{location}: no such file")
        if info.type != fs.FileType.Directory:
            return [location]
        found = [file.base_name for file in system.get_file_info(fs.FileSelector(path)) if file.is_file]
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{location}: cannot be read ({error})") from error
    names = sorted(name for name in found if name.endswith(endings))
    if not names:
        raise InputError(f"{location}: a folder without any {', '.join(endings)} file; put one in")
    return [f"{location.rstrip('/')}/{name}" for name in names]


def open_file(location: str) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        InputError: It cannot be opened.
    """
    if not is_remote(location):
        try:
            return Path(location).open("rb")
        except OSError as error:
            raise InputError(f"{location}: cannot be read ({error.strerror})") from error
    system, path = _resolve(location)
    try:
        return cast("BinaryIO", system.open_input_file(path))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{location}: cannot be read ({error})") from error


def absolute(location: str) -> str:
    """Return a location that means the same from every directory."""
    return location if is_remote(location) else str(Path(location).resolve())


def _resolve(location: str) -> tuple[fs.FileSystem, str]:
    if not is_remote(location):
        return fs.LocalFileSystem(), location
    # Keys and region come from where AWS's own tools look for them; only a server of one's own is named.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(endpoint_override=endpoint), location.removeprefix(_S3)
