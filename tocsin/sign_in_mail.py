"""Mails a person the link that signs them in: the one message that is not about an incident, and never stored."""

from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import structlog

from alerts.channels.email import Email
from alerts.people import Person
from alerts.settings import EmailSettings
from schemas.clock import LONDON, Clock

log = structlog.get_logger(__name__)


def mail_sign_in_links(
    settings: EmailSettings | None, clock: Clock
) -> Callable[[Person, str, datetime], None]:
    """Return what mails a sign-in link; without an e-mail channel it says so in the log, and never the link."""
    if settings is None:

        def refuse(_person: Person, _url: str, _until: datetime) -> None:
            log.warning("sign_in.no_email_channel")

        return refuse

    channel = Email(settings)

    def send(person: Person, url: str, until: datetime) -> None:
        if person.email is not None:
            channel.transmit(sign_in_email(settings.sender, person.email, url, until, clock.now()))

    return send


def sign_in_email(sender: str, to: str, url: str, until: datetime, now: datetime) -> EmailMessage:
    """Return the e-mail that carries a link."""
    local, _, domain = sender.partition("@")
    to_local, _, to_domain = to.partition("@")
    built = EmailMessage()
    built["From"] = Address("Tocsin", local, domain)
    built["To"] = Address("", to_local, to_domain)
    built["Subject"] = "Your link to sign in to Tocsin"
    built["Date"] = format_datetime(now)
    built["Message-ID"] = make_msgid(domain=domain)
    built["Auto-Submitted"] = "auto-generated"
    built.set_content(
        "This link signs you in to Tocsin once:\n\n"
        f"{url}\n\n"
        f"It works until {until.astimezone(LONDON):%H:%M} today. If you did not ask for it, you need do nothing.\n"
    )
    return built
