"""Every error that a user can make, as one sentence and an exit code.

Exit codes: 2 for settings and usage (nothing was tried), 1 for everything that was tried and did not go. A traceback is
shown with ``--debug`` only: it may hold what a record says.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

TRIED = 1
USAGE = 2


class Problem(click.ClickException):
    """One sentence on standard error, and an exit code."""

    def __init__(self, sentence: str, exit_code: int = TRIED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance's

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence and nothing else."""
        click.echo(self.message, file=file if file is not None else sys.stderr)


@contextmanager
def told(*kinds: type[Exception], exit_code: int = TRIED) -> Iterator[None]:
    """Turn errors whose message is already a sentence for people into a :class:`Problem`."""
    try:
        yield
    except kinds as error:
        raise Problem(str(error), exit_code) from error


def refuse_missing_folder(file: Path | None) -> None:
    """Refuse to begin long work whose result would have no folder to go to."""
    if file is not None and not file.absolute().parent.is_dir():
        raise Problem(
            f"There is no folder {file.absolute().parent} to write {file.name} in; make it first.", USAGE
        )


def problem_of(error: Exception) -> Problem:
    """Return what to say of an error that no command expected."""
    from tocsin.settings import SettingsError

    if isinstance(error, SettingsError):
        return Problem(str(error), USAGE)
    from schemas.authorise import Forbidden

    if isinstance(error, Forbidden):
        return Problem(str(error))
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, SQLAlchemyError):
        return Problem(
            f"The database did not do what was asked ({type(error).__name__}); check database_url and that the "
            "database runs, and see more with --debug."
        )
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return Problem(
            f"The file or address{where} cannot be used: {error.strerror or type(error).__name__}."
        )
    # Not the error's own words: they may repeat what a record says.
    return Problem(
        f"Tocsin itself failed here ({type(error).__name__}); nothing half-done was kept. See where with --debug."
    )
