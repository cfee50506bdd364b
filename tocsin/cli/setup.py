"""``tocsin init`` and ``tocsin check-config``: from an empty folder to settings that hold."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem
from tocsin.cli.output import print_facts

_SECRET_BYTES = 48


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@pass_context
def init(context: Context, directory: Path) -> None:
    """Make a folder to run Tocsin in.

    DIRECTORY is given settings for Kent and Medway, a fresh secret, and an empty database.
    """
    import secrets

    from schemas import migrations

    path = directory / "tocsin.toml"
    text = files("tocsin.cli").joinpath("example.toml").read_text(encoding="utf-8")
    text = text.replace("@SECRET@", secrets.token_urlsafe(_SECRET_BYTES))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise Problem(f"{path} exists already; it was not changed.") from None
    path.write_text(text, encoding="utf-8")
    context.config = path
    with context.database(checked=False) as database, database.write() as connection:
        migrations.upgrade(connection)
    click.echo(f"Wrote {path} and made the database. Next:")
    click.echo(f"  1. fill in the fallback contact, then: tocsin --config {path} check-config")
    click.echo(f"  2. say who there is:                   tocsin --config {path} people add --help")
    click.echo(f"  3. start the service:                  tocsin --config {path} run")


@click.command("check-config")
@click.option("--all", "everything", is_flag=True, help="Show the defaults too, not only what is set.")
@pass_context
def check_config(context: Context, everything: bool) -> None:
    """Say what is set, and what is wrong with it.

    Reads the settings and every file that they name; opens no database and no connection.
    """
    from tocsin.cli.config_check import notes_on, problems_in

    settings = context.settings
    shown = dict(_flat(settings.model_dump(exclude_unset=not everything)))
    shown["database_url"] = _without_password(settings.database_url.get_secret_value())
    print_facts(dict(sorted(shown.items())))
    problems = problems_in(settings)
    click.echo()
    for note in notes_on(settings):
        click.echo(f"Note: {note}")
    if problems:
        raise Problem("\n".join(problems), USAGE)
    click.echo("The settings can be used.")


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, object]]:  # noqa: ANN401 (a tree of settings)
    """Yield each setting's dotted name and value; a secret is a type that hides itself."""
    if isinstance(value, Mapping) and (value or not place):
        for name, item in value.items():
            yield from _flat(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value, 1):
            yield from _flat(item, f"{place}.{number}")
    else:
        yield place, value


def _without_password(url: str) -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(not a database URL)"
