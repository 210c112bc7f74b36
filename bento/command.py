"""How a command that needs the registry ends: with what it tells, or one line that says what is wrong."""

import sys
from collections.abc import Callable

from bento.package import PackageError
from bento.registry import RegistryError
from bento.settings import Settings, SettingsError, load_settings


def run_command(name: str, work: Callable[[Settings], str]) -> int:
    """Do a command's work and print what it tells.

    Args:
        name: What its errors begin with.
        work: Gets the settings and returns the line for standard output.

    Returns:
        0 when it was done, 1 where the model cannot be had, 2 where a setting is wrong.
    """
    try:
        told = work(load_settings())
    except SettingsError as error:
        return _refuse(name, error, 2)
    except (PackageError, RegistryError, OSError) as error:
        return _refuse(name, error, 1)
    print(told)
    return 0


def _refuse(name: str, error: Exception, code: int) -> int:
    print(f"{name}: {error}", file=sys.stderr)
    return code
