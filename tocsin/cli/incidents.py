"""``tocsin incidents``, ``ack``, ``unack`` and ``close``: what a person on the host can see and do.

What is shown is inside: true numbers, for whoever may use this shell. What is done is done by the person that ``--as``
names, recorded as shell access, and only if that person may.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, told
from tocsin.cli.output import print_facts, print_json, print_table, said

if TYPE_CHECKING:
    from schemas.incidents import Incident

OUTCOMES = ("no_action", "information_only", "alert_issued", "duplicate")
"""The outcomes of ``schemas.incidents`` but "none" (a test compares them), written out so that help loads nothing."""


@click.group()
def incidents() -> None:
    """Incidents: what was found, and who has it."""


@incidents.command("list")
@click.option("--jurisdiction", help="Only this one's.")
@click.option("--open", "open_only", is_flag=True, help="Only those that nobody has closed.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@pass_context
def list_(context: Context, jurisdiction: str | None, open_only: bool, limit: int, as_json: bool) -> None:
    """Show incidents, the newest first."""
    from alerts.reading import list_incidents
    from schemas.disclosure import exact

    places = [context.jurisdiction(jurisdiction)] if jurisdiction else sorted(context.profiles)
    with context.database() as database, database.read() as connection:
        found = list_incidents(connection, places, open_only=open_only, most=limit)
    if as_json:
        print_json({"incidents": [_content(context, one) for one in found]}, internal=True)
        return
    rows = [
        (
            one.id,
            one.tier.value,
            one.phase.value,
            one.opened_at,
            _areas(context, one),
            one.substance_class.value.replace("_", " "),
            f"{exact(one.observed, context.shell)} where {said(one.expected)} is usual",
            _holders(one),
        )
        for one in found
    ]
    headings = ("incident", "tier", "phase", "opened", "where", "what", "how many", "who has it")
    print_table(headings, rows, empty="There are no incidents." if not open_only else "No incident is open.")


@incidents.command()
@click.argument("incident")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@pass_context
def show(context: Context, incident: str, as_json: bool) -> None:
    """Show INCIDENT: the evidence, who was told, who acknowledged."""
    from alerts.reading import get_incident, messages_of, signals_of
    from schemas.disclosure import exact

    with context.database() as database, database.read() as connection:
        found = get_incident(connection, incident)
        if found is None:
            raise Problem(f"There is no incident {incident}; see `tocsin incidents list`.")
        signals = signals_of(connection, incident)
        messages = messages_of(connection, incident)
    if as_json:
        evidence = [one.model_dump(mode="json") for one in signals]
        print_json(_content(context, found) | {"evidence": evidence}, internal=True)
        return
    print_facts(
        {
            "incident": found.id,
            "jurisdiction": found.jurisdiction,
            "tier": found.tier.value,
            "phase": found.phase.value,
            "outcome": found.outcome.value,
            "opened": found.opened_at,
            "where": _areas(context, found),
            "what": found.substance_class.value.replace("_", " "),
            "feeds": [feed.value for feed in found.feeds],
            "window": f"{said(found.window[0])} to {said(found.window[1])}",
            "observed": exact(found.observed, context.shell),
            "expected": found.expected,
            "by chance": f"once in {said(found.recurrence_interval_days)} days",
            "who has it": _holders(found),
            "next step": found.next_step_at,
            "linked to": found.linked_to,
            "closed": found.closed_at,
            "closed by": found.closed_by,
        }
    )
    click.echo("\nWhat was found")
    for one in signals:
        click.echo(f"  {said(one.window_end)}  {one.sentence}")
    if found.acknowledgements:
        click.echo("\nAcknowledgements")
        rows = [
            (one.acknowledged_at, one.person, one.authenticated_by.value, one.review_by, _end_of(one))
            for one in found.acknowledgements
        ]
        print_table(("when", "who", "known by", "has it until", "since then"), rows, empty="")
    if messages:
        click.echo("\nMessages")
        sent = [
            (one.created_at, one.kind, one.recipient, one.channel, one.state, one.finished_at, one.reason)
            for one in messages
        ]
        print_table(("owed", "kind", "to", "by", "state", "at", "why"), sent, empty="")


@click.command()
@click.argument("incident")
@click.option("--as", "person", required=True, help="Who acknowledges.")
@click.option(
    "--review-by",
    metavar="HOURS|MOMENT",
    help="Until when they have it: hours from now, or a moment such as 2026-01-05T17:00, London time.",
)
@pass_context
def ack(context: Context, incident: str, person: str, review_by: str | None) -> None:
    """Acknowledge an incident.

    PERSON has INCIDENT, and others are not woken again until the review-by. It is recorded as shell access.
    """
    from alerts import acknowledge

    now = context.now()
    until = _review_by(review_by, now) if review_by is not None else None
    with context.database() as database, database.write() as connection, _sentences():
        by = context.person(connection, person)
        made = acknowledge.acknowledge(connection, incident, by, now, until, desk=context.desk)
    click.echo(
        f"{person} has {incident} until {said(made.review_by)}. Undo: tocsin unack {incident} --as {person}"
    )


@click.command()
@click.argument("incident")
@click.option("--as", "person", required=True, help="Who undoes it.")
@click.option("--of", "whose", help="Whose acknowledgement; left out, their own.")
@pass_context
def unack(context: Context, incident: str, person: str, whose: str | None) -> None:
    """Undo an acknowledgement.

    The calls about INCIDENT go on at once. The audit trail keeps both.
    """
    from alerts import acknowledge

    now = context.now()
    with context.database() as database, database.write() as connection, _sentences():
        by = context.person(connection, person)
        gone = acknowledge.undo_acknowledgement(connection, incident, by, now, person=whose)
    click.echo(f"{gone.person} no longer has {incident}; whoever is on call is told again.")


@click.command()
@click.argument("incident")
@click.option("--as", "person", required=True, help="Who closes it.")
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True, help="What came of it.")
@pass_context
def close(context: Context, incident: str, person: str, outcome: str) -> None:
    """Close an incident.

    Later evidence opens another that is linked to INCIDENT.
    """
    from alerts import acknowledge
    from schemas.incidents import Outcome

    now = context.now()
    with context.database() as database, database.write() as connection, _sentences():
        by = context.person(connection, person)
        acknowledge.close_incident(connection, incident, by, now, outcome=Outcome(outcome))
    click.echo(f"{incident} is closed: {outcome.replace('_', ' ')}.")


def _sentences() -> Any:  # noqa: ANN401 (a context manager)
    """Say what ``alerts`` refuses in its own words."""
    from alerts.acknowledge import IncidentClosedError, NoSuchIncidentError, NothingToUndoError

    return told(NoSuchIncidentError, IncidentClosedError, NothingToUndoError)


def _review_by(text: str, now: datetime) -> datetime:
    from alerts.acknowledge import LONGEST_HOLD
    from schemas.clock import LONDON

    try:
        until = now + timedelta(hours=float(text))
    except (ValueError, OverflowError):
        try:
            until = datetime.fromisoformat(text)
        except ValueError:
            raise Problem(
                "--review-by wants hours, such as 4, or a moment, such as 2026-01-05T17:00.", USAGE
            ) from None
    until = until if until.tzinfo is not None else until.replace(tzinfo=LONDON)
    if not now < until <= now + LONGEST_HOLD:
        hours = LONGEST_HOLD // timedelta(hours=1)
        raise Problem(f"The review-by must lie between now and {hours} hours from now.", USAGE)
    return until


def _areas(context: Context, incident: "Incident") -> str:
    return ", ".join(context.desk.name_of(incident.jurisdiction, code) for code in incident.areas)


def _holders(incident: "Incident") -> str:
    if not incident.is_open:
        return "closed"
    return ", ".join(f"{one.person} until {said(one.review_by)}" for one in incident.held_by) or "nobody"


def _end_of(acknowledgement: Any) -> str:  # noqa: ANN401 (schemas.incidents.Acknowledgement)
    if acknowledgement.undone_at is not None:
        return f"undone by {acknowledgement.undone_by} on {said(acknowledgement.undone_at)}"
    if acknowledgement.lapsed_at is not None:
        return f"lapsed on {said(acknowledgement.lapsed_at)}"
    return "stands"


def _content(context: Context, incident: "Incident") -> dict[str, Any]:
    from schemas.disclosure import exact

    return incident.model_dump(mode="json") | {"observed": exact(incident.observed, context.shell)}
