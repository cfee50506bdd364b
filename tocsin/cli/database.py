"""``tocsin db``: the tables of the database, made and brought up to date."""

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import Problem, told


@click.group()
def db() -> None:
    """The database: its tables and their version."""


@db.command()
@pass_context
def upgrade(context: Context) -> None:
    """Make the tables, or bring them up to date. Take a copy of the database first."""
    from schemas import migrations

    with context.database(checked=False) as database, told(migrations.UnknownVersionError):
        with database.write() as connection:
            changed = migrations.upgrade(connection)
        shown = database.url.render_as_string(hide_password=True)
    was = "is now" if changed else "was already"
    click.echo(f"The database {shown} {was} at version {migrations.head()}.")


@db.command()
@pass_context
def check(context: Context) -> None:
    """Say whether the database holds exactly the tables that this Tocsin uses."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from schemas import migrations
    from schemas.tables import metadata

    with context.database() as database, database.read() as connection:
        version = migrations.current(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    if differences:
        raise Problem(
            f"The database says that it is at version {version}, but {len(differences)} of its tables, columns or "
            "indexes differ from that version's; somebody changed them by hand, so restore a copy."
        )
    click.echo(f"The database is at version {version}, the newest, and its tables are as they should be.")
