"""``tocsin people``: who there is, and what each may do.

Whoever may use this shell may say who there is: that is how the first person comes in. It is recorded as such.
"""

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem
from tocsin.cli.output import print_table

ROLES = ("on_call", "coordinator", "panel", "epidemiologist", "operator", "viewer")
"""The roles of ``schemas.authorise`` (a test compares them), written out so that help loads nothing."""


@click.group()
def people() -> None:
    """People and their roles."""


@people.command()
@click.argument("person")
@click.option("--name", required=True, help="What colleagues call them.")
@click.option("--email", help="Where messages and sign-in links reach them.")
@click.option(
    "--role", "roles", type=click.Choice(ROLES), multiple=True, help="What they are; can be repeated."
)
@click.option("--jurisdiction", help="Where they have these roles; the only one, if there is one.")
@pass_context
def add(
    context: Context,
    person: str,
    name: str,
    email: str | None,
    roles: tuple[str, ...],
    jurisdiction: str | None,
) -> None:
    """Add PERSON (a short name such as asha-patel), or change their name and address."""
    from pydantic import TypeAdapter, ValidationError

    from alerts import people as book
    from alerts.settings import EmailAddress
    from schemas.authorise import Role
    from schemas.vocabulary import Slug

    try:
        TypeAdapter(Slug).validate_python(person)
    except ValidationError:
        raise Problem(
            "PERSON is lower-case letters, digits and hyphens, such as asha-patel.", USAGE
        ) from None
    if email is not None:
        try:
            TypeAdapter[str](EmailAddress).validate_python(email)
        except ValidationError:
            raise Problem("--email must look like name@example.org.", USAGE) from None
    place = context.jurisdiction(jurisdiction) if roles else None
    now = context.now()
    with context.database() as database, database.write() as connection:
        book.save_person(connection, book.Person(person, name, email), now)
        for role in roles:
            assert place is not None  # noqa: S101 (there are roles)
            book.grant(connection, place, person, Role(role), by=context.shell, now=now)
    what = f", {', '.join(roles)} in {place}" if roles else ""
    click.echo(f"{person} is {name}{what}.")


@people.command()
@click.argument("person")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--jurisdiction", help="Where; the only one, if there is one.")
@click.option("--withdraw", is_flag=True, help="Take the role away instead.")
@pass_context
def grant(context: Context, person: str, role: str, jurisdiction: str | None, withdraw: bool) -> None:
    """Give PERSON a ROLE, or take it away."""
    from alerts import people as book
    from schemas.authorise import Role

    place = context.jurisdiction(jurisdiction)
    now = context.now()
    with context.database() as database, database.write() as connection:
        if book.find_person(connection, context.desk, person) is None:
            raise Problem(f"Nobody called {person} is known; add them with `tocsin people add`.")
        change = book.withdraw_role if withdraw else book.grant
        change(connection, place, person, Role(role), by=context.shell, now=now)
    click.echo(f"{person} is {'no longer' if withdraw else 'now'} {role} in {place}.")


@people.command("list")
@pass_context
def list_(context: Context) -> None:
    """Show everybody, with their roles; the fallback contact of the settings too."""
    from alerts import people as book
    from schemas.authorise import Authentication

    with context.database() as database, database.read() as connection:
        known = {one.id: one for one in book.list_people(connection)}
        fallback = context.settings.alerts.fallback.person
        rows = []
        for name in sorted({*known, fallback}):
            one = book.find_person(connection, context.desk, name)
            principal = book.principal_of(connection, context.desk, name, Authentication.SHELL)
            assert one is not None  # noqa: S101 (the fallback contact is always found)
            assert principal is not None  # noqa: S101 (as above)
            roles = [
                f"{role.value} in {place}"
                for place, held in sorted(principal.roles.items())
                for role in sorted(held)
            ]
            said = [*roles, *(["fallback contact"] if name == fallback else [])]
            rows.append((name, one.name, one.email, said))
    print_table(("person", "name", "e-mail", "is"), rows, empty="Nobody is known yet.")
