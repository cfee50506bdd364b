"""``tocsin keys``, ``sign-in-link`` and ``send-test``: ways in for feeds and people, and a way out to try."""

import click

from tocsin.cli.context import SHELL_ACTOR, Context, pass_context
from tocsin.cli.errors import Problem, told
from tocsin.cli.output import print_table

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
    """Print a link that signs PERSON in to the console once; for when e-mail does not reach them."""
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
    """Send PERSON a test message by CHANNEL now, and say whether it was taken."""
    raise Problem("Not there yet.")
