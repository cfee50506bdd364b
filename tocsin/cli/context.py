"""What commands share: the settings they read, the database they open, and who is asking.

A :class:`Context` is made by the root command and handed to each by ``@pass_context``. It reads and opens nothing until
a command asks. The command line is a composition root of its own: it may ask the system's clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.errors import USAGE, Problem

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from alerts.desk import Desk
    from schemas.authorise import Principal
    from schemas.clock import Clock
    from schemas.vocabulary import Jurisdiction
    from streams.profile import JurisdictionProfile
    from tocsin.database import SqlDatabase
    from tocsin.settings import Settings

SHELL_ACTOR = "shell"
"""Who did it, where a command on the host is nobody's in particular: whoever may use this shell."""


def _system_clock() -> "Clock":
    from tocsin.clocks import SystemClock

    return SystemClock()


@dataclass
class Context:
    """The root command's options, and what follows from them."""

    config: Path | None = None
    debug: bool = False
    clock: "Clock" = field(default_factory=_system_clock)

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return self.clock.now()

    @cached_property
    def settings(self) -> "Settings":
        """The settings of this run."""
        from tocsin.settings import read_settings

        return read_settings(self.config)

    @cached_property
    def profiles(self) -> "dict[Jurisdiction, JurisdictionProfile]":
        """What the event path knows of each jurisdiction; reads the geographies."""
        from schemas.vocabulary import Jurisdiction
        from streams.settings import profile_of

        made = {}
        for name, one in self.settings.jurisdictions.items():
            try:
                made[Jurisdiction(name)] = profile_of(Jurisdiction(name), one)
            except (OSError, ValueError) as error:
                raise Problem(f"The geography of {name} cannot be used: {sentence(error)}", USAGE) from error
        return made

    @cached_property
    def desk(self) -> "Desk":
        """What the people side needs."""
        from alerts.desk import Desk

        return Desk(self.settings.alerts, {name: one.geography for name, one in self.profiles.items()})

    @contextmanager
    def database(self, *, checked: bool = True) -> "Iterator[SqlDatabase]":
        """Open the database for as long as the block runs; refuse one whose tables are not this Tocsin's."""
        from tocsin.cli.config_check import database_problem
        from tocsin.database import SqlDatabase

        if problem := database_problem(self.settings):
            raise Problem(problem, USAGE)
        opened = SqlDatabase(self.settings.database_url.get_secret_value())
        try:
            if checked:
                _check_version(opened)
            yield opened
        finally:
            opened.close()

    def person(self, connection: "Connection", name: str) -> "Principal":
        """Return a known person as they act from this shell.

        Raises
        ------
        Problem
            If nobody of that name is known.
        """
        from alerts.people import principal_of
        from schemas.authorise import Authentication

        found = principal_of(connection, self.desk, name, Authentication.SHELL)
        if found is None:
            raise Problem(f"Nobody called {name} is known; see `tocsin people list`, or add them.")
        return found

    @property
    def shell(self) -> "Principal":
        """Whoever may use this shell: sets up people, rota and keys before anybody has a role, and sees figures.

        It holds a role that sees everything and decides nothing; decisions about incidents and records need a person.
        """
        from schemas.authorise import Authentication, Principal, Role
        from schemas.vocabulary import Jurisdiction

        roles = {Jurisdiction(name): frozenset({Role.EPIDEMIOLOGIST}) for name in self.settings.jurisdictions}
        return Principal(person=SHELL_ACTOR, authenticated_by=Authentication.SHELL, roles=roles)

    def jurisdiction(self, name: str | None) -> "Jurisdiction":
        """Return a jurisdiction of the settings; the only one, where none is named."""
        from schemas.vocabulary import Jurisdiction

        names = sorted(self.settings.jurisdictions)
        if name is None and len(names) == 1:
            return Jurisdiction(names[0])
        if name is None:
            raise Problem(f"Name the jurisdiction with --jurisdiction: {', '.join(names)}.", USAGE)
        if name not in names:
            raise Problem(f"{name} is not a jurisdiction of the settings: {', '.join(names)}.", USAGE)
        return Jurisdiction(name)


pass_context = click.make_pass_decorator(Context, ensure=True)


def sentence(error: Exception) -> str:
    """Return an error's own words as one sentence; of a file that cannot be read, which and why."""
    if isinstance(error, OSError):
        return f"the file {error.filename} cannot be read ({error.strerror})."
    words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _path_of(database: "SqlDatabase") -> Path | None:
    """Return the file of an SQLite database."""
    path = database.url.database
    return Path(path) if database.is_sqlite and path and path != ":memory:" else None


def _check_version(database: "SqlDatabase") -> None:
    from schemas import migrations

    path = _path_of(database)
    if path is not None and not path.exists():
        raise Problem(f"There is no database at {path} yet; make it with `tocsin db upgrade`.")
    with database.read() as connection:
        found = migrations.current(connection)
    if found == migrations.head():
        return
    if found is not None and found not in migrations.versions():
        raise Problem(f"The database is at version {found}, which this Tocsin is too old to know.")
    raise Problem(
        "The database lacks tables that this Tocsin uses; bring it up to date with `tocsin db upgrade`."
    )
