"""``tocsin quarantine``: records that could not be taken in, and the two decisions about them.

What the console does with one field at a time, this does with as many as needed; both call
``tocsin.quarantine_release``. Records are shown as quarantine keeps them: without the values that were taken out.
"""

import json
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, told
from tocsin.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from schemas.authorise import Principal
    from tocsin.database import SqlDatabase


@click.group()
def quarantine() -> None:
    """Records that could not be taken in."""


@quarantine.command("list")
@click.option("--jurisdiction", help="Only this one's records.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@pass_context
def list_(context: Context, jurisdiction: str | None, limit: int, as_json: bool) -> None:
    """Show the records that wait for a decision, oldest first, and why."""
    from streams.quarantine import counts_by_state, waiting

    places = [context.jurisdiction(jurisdiction)] if jurisdiction else None
    with context.database() as database, database.read() as connection:
        rows = waiting(connection, jurisdictions=places, limit=limit)
        states = counts_by_state(connection)
    if as_json:
        print_json({"counts": dict(states), "records": [_content(row) for row in rows]}, internal=True)
        return
    headings = ("no.", "since", "feed", "from", "place", "why")
    table = [(row.id, row.quarantined_at, row.feed, row.origin, row.place, row.reason) for row in rows]
    print_table(headings, table, empty="No record waits for a decision.")
    if states.get("waiting", 0) > len(rows) and places is None:
        click.echo(f"{states['waiting'] - len(rows):,} more wait; see them with --limit.")


@quarantine.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@pass_context
def show(context: Context, number: int, as_json: bool) -> None:
    """Show record NUMBER: what it says, what is wrong with it, and what became of it."""
    from streams.quarantine import NotInQuarantine, get

    with context.database() as database, database.read() as connection, told(NotInQuarantine):
        row = get(connection, number)
    if as_json:
        print_json(_content(row), internal=True)
        return
    print_facts(
        {
            "record": row.id,
            "state": row.state,
            "why": row.reason,
            "feed": row.feed,
            "jurisdiction": row.jurisdiction,
            "from": f"{row.origin}, {row.place}",
            "received": row.received_at,
            "delivery": row.delivery,
            "decided": row.decided_at,
            "decided by": row.decided_by,
            "note": row.decision_note,
        }
    )
    if row.body is None:
        click.echo("\nIt could not be read, so nothing of it was kept: ask the sender to send it again.")
    else:
        click.echo(f"\n{json.dumps(json.loads(row.body), indent=2)}")
        if not row.body_complete:
            click.echo(
                "\nParts of it were taken out: they must be set again with --set before it can be released."
            )


@quarantine.command()
@click.argument("number", type=int)
@click.option(
    "--set",
    "corrections",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A correction, such as areas.event=E07000114; without a value, the field is removed. Can be repeated.",
)
@click.option("--as", "person", required=True, help="Who releases it.")
@click.option("--note", default="", help="Why.")
@pass_context
def release(context: Context, number: int, corrections: tuple[str, ...], person: str, note: str) -> None:
    """Send record NUMBER in after all, corrected where need be. It is counted, and never pages."""
    from streams.log.embedded import EmbeddedLog
    from streams.quarantine import NotInQuarantine
    from tocsin import quarantine_release

    changes = dict(_correction(text) for text in corrections)
    with context.database() as database, told(NotInQuarantine, quarantine_release.CannotRelease):
        by = _may_decide(context, database, number, person)
        quarantine_release.release(
            database,
            EmbeddedLog(database),
            context.clock,
            number,
            profiles=context.profiles,
            corrections=changes,
            by=by,
            note=note,
        )
    click.echo(f"Record {number} is on its way in; `tocsin run` takes it in within a second.")


@quarantine.command()
@click.argument("number", type=int)
@click.option("--as", "person", required=True, help="Who discards it.")
@click.option("--note", required=True, help="Why.")
@pass_context
def discard(context: Context, number: int, person: str, note: str) -> None:
    """Decide that record NUMBER is not to be taken in. It is kept, with who decided and why."""
    from streams.quarantine import NotInQuarantine
    from tocsin import quarantine_release

    with context.database() as database, told(NotInQuarantine):
        by = _may_decide(context, database, number, person)
        quarantine_release.discard(database, context.clock, number, by=by, note=note)
    click.echo(f"Record {number} is discarded.")


def _may_decide(context: Context, database: "SqlDatabase", number: int, person: str) -> "Principal":
    """Return the person, if they may decide about this record; one that names no jurisdiction is anybody's."""
    from schemas.authorise import Action, authorise, may
    from schemas.vocabulary import Jurisdiction
    from streams.quarantine import get

    with database.read() as connection:
        row = get(connection, number)
        principal = context.person(connection, person)
    if row.jurisdiction is not None:
        authorise(principal, Action.DECIDE_QUARANTINE, Jurisdiction(row.jurisdiction))
    elif not any(may(principal, Action.DECIDE_QUARANTINE, place) for place in principal.roles):
        raise Problem(f"{person} may not decide about quarantined records in any jurisdiction.")
    return principal


def _correction(text: str) -> tuple[str, Any]:
    """Return the field and its new value: a list or object as JSON, else text; nothing removes the field."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Problem("--set wants FIELD=VALUE, such as areas.event=E07000114.", USAGE)
    if not value:
        return name, None
    if not value.startswith(("[", "{")):
        return name, value  # the message's own types make a number of "3", and leave an identifier as it is
    try:
        return name, json.loads(value)
    except ValueError:
        raise Problem(
            f"--set {name}: what looks like a list or an object is not valid JSON.", USAGE
        ) from None


def _content(row: Any) -> dict[str, Any]:  # noqa: ANN401 (a database row)
    content = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)
    content.pop("fingerprint")
    return content | {"body": None if row.body is None else json.loads(row.body)}
