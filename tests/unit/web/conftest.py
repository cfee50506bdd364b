"""Fixtures of the web's suite."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.tables import metadata
from tests.unit.web.house import House, make_house
from tocsin.database import SqlDatabase


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    made = SqlDatabase(f"sqlite:///{tmp_path / 'tocsin.db'}")
    metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def house(database: SqlDatabase) -> House:
    return make_house(database)


@pytest.fixture
def later(house: House) -> Callable[[timedelta], None]:
    """Let time pass."""

    def pass_by(span: timedelta) -> None:
        house.clock.move_to(house.clock.now() + span)

    return pass_by
