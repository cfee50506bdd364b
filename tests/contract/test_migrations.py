"""The steps of the database make exactly the tables that the code uses, on SQLite and on PostgreSQL."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from schemas import migrations
from schemas.tables import metadata
from tocsin.database import SqlDatabase


@pytest.fixture
def database(database_url: str) -> Iterator[SqlDatabase]:
    opened = SqlDatabase(database_url)
    yield opened
    opened.close()


def test_the_steps_make_the_tables_that_the_code_uses(database: SqlDatabase) -> None:
    with database.write() as connection:
        assert migrations.upgrade(connection)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_on_sqlite_the_steps_make_them_word_for_word(fresh_sqlite_url: str, tmp_path: Path) -> None:
    # Alembic does not compare everything: whether positions are ever reused, for one.
    def definitions(engine: sa.Engine) -> dict[str, str]:
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            )
            return {
                name: re.sub(r"\s+", " ", sql) for name, sql in rows if not name.startswith("alembic_version")
            }

    stepped = sa.create_engine(fresh_sqlite_url)
    migrations.upgrade(stepped)
    straight = sa.create_engine(f"sqlite:///{tmp_path / 'straight.db'}")
    metadata.create_all(straight)
    assert definitions(stepped) == definitions(straight)
    stepped.dispose()
    straight.dispose()


def test_a_database_that_is_up_to_date_is_left_alone(database: SqlDatabase) -> None:
    with database.write() as connection:
        assert migrations.upgrade(connection)
    with database.write() as connection:
        assert not migrations.upgrade(connection)
        assert migrations.is_at_head(connection)


def test_a_fresh_database_is_at_no_version(database: SqlDatabase) -> None:
    with database.read() as connection:
        assert migrations.current(connection) is None
        assert not migrations.is_at_head(connection)


def test_an_upgrade_that_fails_halfway_leaves_nothing_behind(database: SqlDatabase) -> None:
    class StoppedError(Exception):
        pass

    def stop() -> None:
        with database.write() as connection:
            migrations.upgrade(connection)
            raise StoppedError

    with pytest.raises(StoppedError):
        stop()
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_an_engine_or_a_url_will_do(database_url: str) -> None:
    assert migrations.upgrade(database_url)
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    assert not migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.head()
    assert migrations.is_at_head(database_url)


def test_a_database_of_a_newer_tocsin_is_refused(database: SqlDatabase) -> None:
    with database.write() as connection:
        migrations.upgrade(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with (
        pytest.raises(migrations.UnknownVersionError, match="too old to know"),
        database.write() as connection,
    ):
        migrations.upgrade(connection)


def test_no_step_goes_back(database: SqlDatabase) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.write() as connection:
        migrations.upgrade(connection)
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError, match="does not go back"):
            command.downgrade(config, "base")
