"""``tocsin rota``: who is on call, and when. Times are London's unless they name another zone."""

from datetime import datetime, timedelta

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, told
from tocsin.cli.output import print_table, said

_SHOWN_DAYS = 28


@click.group()
def rota() -> None:
    """The on-call rota."""


@rota.command()
@click.argument("person")
@click.argument("starts")
@click.argument("ends")
@click.option("--jurisdiction", help="Whose rota; the only one, if there is one.")
@pass_context
def add(context: Context, person: str, starts: str, ends: str, jurisdiction: str | None) -> None:
    """Put PERSON on call from STARTS up to ENDS, such as 2026-01-05T17:00 2026-01-06T09:00."""
    from alerts import people
    from schemas.authorise import Action, Authentication, may

    place = context.jurisdiction(jurisdiction)
    begin, end = _moment(starts), _moment(ends)
    with context.database() as database, database.write() as connection, told(ValueError, exit_code=USAGE):
        if people.find_person(connection, context.desk, person) is None:
            raise Problem(f"Nobody called {person} is known; add them with `tocsin people add`.")
        principal = people.principal_of(connection, context.desk, person, Authentication.SHELL)
        if principal is None or not may(principal, Action.ACKNOWLEDGE, place):
            raise Problem(
                f"{person} has no role in {place} that may acknowledge, so Tocsin would go on paging whatever they "
                f"did; first `tocsin people grant {person} on_call`."
            )
        shift = people.Shift(place, person, begin, end)
        people.add_shift(connection, shift, by=context.shell, now=context.now())
    click.echo(f"{person} is on call in {place} from {said(begin)} to {said(end)}.")


@rota.command()
@click.argument("person")
@click.argument("starts")
@click.option("--jurisdiction", help="Whose rota; the only one, if there is one.")
@pass_context
def remove(context: Context, person: str, starts: str, jurisdiction: str | None) -> None:
    """Take the shift of PERSON that begins at STARTS off the rota."""
    from alerts import people

    place = context.jurisdiction(jurisdiction)
    begin = _moment(starts)
    with context.database() as database, database.write() as connection:
        shift = people.Shift(place, person, begin, begin)
        if not people.remove_shift(connection, shift, by=context.shell, now=context.now()):
            raise Problem(
                f"{person} has no shift in {place} that begins at {said(begin)}; see `tocsin rota show`."
            )
    click.echo(f"The shift of {person} from {said(begin)} is off the rota.")


@rota.command()
@click.option("--jurisdiction", help="Whose rota; the only one, if there is one.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=_SHOWN_DAYS, show_default=True, help="How far ahead."
)
@pass_context
def show(context: Context, jurisdiction: str | None, days: int) -> None:
    """Show who is on call now, and the shifts to come."""
    from alerts import people

    place = context.jurisdiction(jurisdiction)
    now = context.now()
    with context.database() as database, database.read() as connection:
        on_call = people.on_call_at(connection, place, now)
        coming = people.shifts(connection, place, now, now + timedelta(days=days))
    fallback = context.settings.alerts.fallback.person
    click.echo(
        f"On call now: {said(on_call) if on_call else f'nobody, so the fallback contact {fallback} is told'}."
    )
    rows = [(one.starts_at, one.ends_at, one.person) for one in coming]
    print_table(("from", "to", "person"), rows, empty=f"No shifts in the next {days} days.")


def _moment(text: str) -> datetime:
    from schemas.clock import LONDON

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(f"{text} is not a date and time such as 2026-01-05T17:00.", USAGE) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=LONDON)
