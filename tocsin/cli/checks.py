"""``tocsin counts`` and ``tocsin audit``: what was kept is what was meant to be kept."""

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import Problem
from tocsin.cli.output import print_table

_SHOWN = 20


@click.group()
def counts() -> None:
    """The counts, beside their events."""


@counts.command()
@pass_context
def check(context: Context) -> None:
    """Count every event again and say where the stored counts differ; they never should."""
    from streams.counting import compare

    with context.database() as database, database.read() as connection:
        differences = compare(connection, context.profiles)
    if not differences:
        click.echo("The counts agree with the events.")
        return
    headings = ("jurisdiction", "area", "grain", "day", "feed", "class", "stratum", "stored", "from events")
    rows = [(*one.key, one.stored, one.from_events) for one in differences[:_SHOWN]]
    print_table(headings, rows, empty="")
    raise Problem(
        f"{len(differences)} counts differ from the events; that is a fault of Tocsin: report it, then run "
        "`tocsin counts rebuild`."
    )


@counts.command()
@pass_context
def rebuild(context: Context) -> None:
    """Make the counts anew from the events; needed only after `check` found a difference."""
    from streams import counting, jurisdictions

    with context.database() as database, database.write() as connection:
        cells = counting.rebuild(connection, context.profiles)
        jurisdictions.mark_dirty(connection, sorted(context.profiles), context.now())
    click.echo(f"Rebuilt {cells:,} counts; the next detection run reads them.")


@click.group()
def audit() -> None:
    """The audit trail: who did what."""


@audit.command()
@click.option("--jurisdiction", help="Only this one's trail.")
@pass_context
def verify(context: Context, jurisdiction: str | None) -> None:
    """Check that no line of the audit trail was changed, and none is missing."""
    from alerts.audit import verify as verify_chain
    from schemas.vocabulary import Jurisdiction

    names = [context.jurisdiction(jurisdiction)] if jurisdiction else sorted(context.settings.jurisdictions)
    with context.database() as database, database.read() as connection:
        found = [verify_chain(connection, Jurisdiction(name)) for name in names]
    for one in found:
        click.echo(f"{one.jurisdiction}: {one.entries:,} entries, {'whole' if one.holds else one.problem}")
    if not all(one.holds for one in found):
        raise Problem(
            "The audit trail does not hold: keep this database as it is, and find out who could write to it."
        )


@audit.command("list")
@click.option("--jurisdiction", help="Whose trail; the only one, if there is one.")
@click.option("--incident", help="Only the entries of this incident.")
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@pass_context
def list_(context: Context, jurisdiction: str | None, incident: str | None, last: int) -> None:
    """Show the latest lines of the audit trail, oldest first."""
    from collections import deque

    from alerts.audit import entries

    subject = ("incident", incident) if incident else None
    with context.database() as database, database.read() as connection:
        found = deque(entries(connection, context.jurisdiction(jurisdiction), subject), maxlen=last)
    rows = [
        (
            one.position,
            one.at,
            one.actor,
            one.authenticated_by,
            one.action,
            f"{one.subject_kind} {one.subject}",
        )
        for one in found
    ]
    print_table(
        ("no.", "when", "who", "known by", "did", "to"), rows, empty="The audit trail has no such lines."
    )
