"""`dvc repro` without its parting advice, which is wrong here: `dvc.lock` is not committed.

DVC has a setting for neither `git add dvc.lock` nor `dvc push`.
"""

import argparse
import logging

from dvc.exceptions import DvcException  # type: ignore[import-untyped]
from dvc.logger import setup  # type: ignore[import-untyped]
from dvc.repo import Repo  # type: ignore[import-untyped]

from training.errors import TrainingError, run


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.repro", description=__doc__)
    parser.add_argument("--force", action="store_true", help="run every stage, changed or not")
    arguments = parser.parse_args()
    setup()
    logging.getLogger("dvc.repo.scm_context").setLevel(logging.WARNING)
    try:
        with Repo() as repo:
            repo.reproduce(force=arguments.force)
    except DvcException as error:
        raise TrainingError(_whole(error)) from error


def _whole(error: BaseException) -> str:
    return f"{error}: {_whole(error.__cause__)}" if error.__cause__ else str(error)


if __name__ == "__main__":
    run(_main)
