"""``tocsin keys``, ``sign-in-link`` and ``send-test``: ways in for feeds and people, and a way out to try."""

from typing import TYPE_CHECKING

import click

from tocsin.cli.context import SHELL_ACTOR, Context, pass_context
from tocsin.cli.errors import USAGE, Problem, told
from tocsin.cli.output import print_table

if TYPE_CHECKING:
    from alerts.people import Person
    from schemas.messages import Message

FEEDS = ("suspected-deaths", "ambulance-naloxone", "ed-presentations", "drug-checking")
"""The feeds of ``schemas.vocabulary`` (a test compares them), written out so that help loads nothing."""


@click.group()
def keys() -> None:
    """The keys with which feeds are sent in."""


@keys.command()
@click.argument("feed", type=click.Choice(FEEDS))
@click.option("--jurisdiction", help="Whose feed; the only one, if there is one.")
@click.option("--organisation", help="The only organisation it may report for; left out, any.")
@click.option("--may-backfill", is_flag=True, help="It may also send old records, which never page.")
@pass_context
def create(
    context: Context, feed: str, jurisdiction: str | None, organisation: str | None, may_backfill: bool
) -> None:
    """Make a key for FEED and show it, once."""
    from alerts import audit
    from schemas.vocabulary import Feed
    from tocsin.web.api_keys import create_api_key

    place = context.jurisdiction(jurisdiction)
    now = context.now()
    with context.database() as database, database.write() as connection:
        made, key = create_api_key(
            connection,
            jurisdiction=place,
            feed=Feed(feed),
            organisation=organisation,
            may_backfill=may_backfill,
            by=SHELL_ACTOR,
            now=now,
        )
        audit.append(
            connection,
            place,
            context.shell,
            now,
            action="key_created",
            subject=("key", made.id),
            detail={"feed": feed},
        )
    click.echo(
        f"Key {made.id} for {feed} in {place}. Send it as `Authorization: Bearer KEY`; it is not shown again:"
    )
    click.echo(key)


@keys.command("list")
@pass_context
def list_(context: Context) -> None:
    """Show every key ever made, without its secret."""
    from tocsin.web.api_keys import list_api_keys

    with context.database() as database, database.read() as connection:
        found = list_api_keys(connection)
    rows = [
        (
            one.id,
            one.jurisdiction,
            one.feed,
            one.organisation,
            one.may_backfill,
            one.created_at,
            one.revoked_at,
        )
        for one in found
    ]
    headings = ("key", "jurisdiction", "feed", "organisation", "may backfill", "made", "revoked")
    print_table(headings, rows, empty="There are no keys yet; make one with `tocsin keys create`.")


@keys.command()
@click.argument("key")
@pass_context
def revoke(context: Context, key: str) -> None:
    """Revoke a key by the identifier that `list` shows. It is refused from then on."""
    from alerts import audit
    from tocsin.web.api_keys import UnknownKey, revoke_api_key

    now = context.now()
    with context.database() as database, database.write() as connection, told(UnknownKey):
        gone = revoke_api_key(connection, key, by=SHELL_ACTOR, now=now)
        audit.append(
            connection, gone.jurisdiction, context.shell, now, action="key_revoked", subject=("key", gone.id)
        )
    click.echo(f"Key {gone.id} for {gone.feed.value} is revoked.")


@click.command("sign-in-link")
@click.argument("person")
@pass_context
def sign_in_link(context: Context, person: str) -> None:
    """Print a link that signs somebody in once.

    For PERSON, when e-mail does not reach them. Whoever opens it is them.
    """
    from alerts import audit
    from tocsin.web.sign_in import sign_in_url

    now = context.now()
    with context.database() as database, database.write() as connection:
        principal = context.person(connection, person)
        if not principal.roles:
            raise Problem(f"{person} has no role anywhere; give one with `tocsin people grant`.")
        for place in sorted(principal.roles):
            subject = ("person", person)
            audit.append(connection, place, context.shell, now, action="sign_in_link_made", subject=subject)
    url, _ = sign_in_url(context.settings.alerts.links, person, now)
    minutes = context.settings.alerts.links.sign_in_minutes
    click.echo(f"Works once, for {minutes} minutes; whoever opens it is {person}:", err=True)
    click.echo(url)


@click.command("send-test")
@click.argument("channel", type=click.Choice(["console_log", "email"]))
@click.argument("person")
@pass_context
def send_test(context: Context, channel: str, person: str) -> None:
    """Send PERSON a test message by CHANNEL.

    It goes now and past the outbox, so that you see at once whether it was taken.
    """
    from alerts.channels import PermanentFailure, TransientFailure
    from alerts.jobs import channels_of
    from alerts.people import find_person

    with context.database() as database, database.read() as connection:
        found = find_person(connection, context.desk, person)
    if found is None:
        raise Problem(f"Nobody called {person} is known; see `tocsin people list`.")
    if channel == "email" and found.email is None:
        raise Problem(f"{person} has no e-mail address; give one with `tocsin people add`.")
    way = channels_of(context.desk, click.echo).get(channel)
    if way is None:
        raise Problem(f"{channel} is not set up: see alerts.channels.{channel} in the settings.", USAGE)
    try:
        receipt = way.send(_test_message(context, found))
    except (TransientFailure, PermanentFailure) as failure:
        again = " It may go later." if isinstance(failure, TransientFailure) else ""
        raise Problem(f"The message was not taken ({failure.code}).{again}") from failure
    click.echo(f"{channel} took the message for {person} ({receipt.reference}).")


def _test_message(context: Context, person: "Person") -> "Message":
    from secrets import token_hex

    from schemas.messages import Message, MessageKind, OutsideCard
    from schemas.vocabulary import Jurisdiction

    now = context.now()
    return Message(
        delivery_id=f"test-{token_hex(8)}",
        kind=MessageKind.TEST,
        jurisdiction=Jurisdiction(min(context.settings.jurisdictions)),
        incident_id=None,
        recipient=person.id,
        recipient_name=person.name,
        address=person.email,
        card=OutsideCard(
            title="This is a test of Tocsin",
            lines=(
                "Nothing has happened. Somebody wanted to know whether this way reaches you; you need do nothing.",
            ),
        ),
        created_at=now,
        sent_at=now,
    )
