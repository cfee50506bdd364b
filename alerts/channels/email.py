"""E-mail by SMTP: plain text and HTML, the 14-day strip as a picture, an acknowledge link where one is wanted.

The sender calls it, outside any transaction. It opens a connection for each message: pages are rare, and a connection
that was left open is a way to fail. It never puts an address or a server's answer into an error.
"""

import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Final

from alerts.channels import PermanentFailure, TransientFailure
from alerts.channels.words import lines_of, subject_of
from alerts.outbox import EMAIL
from alerts.settings import EmailSettings
from schemas.disclosure import CountBand
from schemas.messages import Message, Receipt

Picture = Callable[[Sequence[CountBand], str], bytes]
"""Draws the strip of a message: bands, oldest first, and a label; returns a PNG."""

_GREYLISTED: Final = timedelta(minutes=5)
_BUSY_CODES: Final = frozenset({421, 450, 451, 452})
"""Service not available, mailbox busy, greylisted, out of space: come back later."""


class Email:
    """Sends messages by SMTP.

    Parameters
    ----------
    settings : EmailSettings
    picture : callable, optional
        Draws the strip; left out, messages have words only.
    """

    name = EMAIL

    def __init__(self, settings: EmailSettings, picture: Picture | None = None) -> None:
        self._settings = settings
        self._picture = picture

    def send(self, message: Message) -> Receipt:
        """Send the message; see :class:`alerts.channels.Channel`."""
        if message.address is None:
            raise PermanentFailure("no_address")
        built = self.build(message)
        self.transmit(built)
        return Receipt(reference=str(built["Message-ID"]))

    def transmit(self, built: EmailMessage) -> None:
        """Hand a finished e-mail to the server; failures as in :meth:`send`. Also used for sign-in links."""
        try:
            server = self._connect()
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from error
        except (OSError, smtplib.SMTPException) as error:
            raise TransientFailure("smtp_unreachable") from error
        with _closing(server):
            self._hand_over(server, built)

    def build(self, message: Message) -> EmailMessage:
        """Return the e-mail: headers, text, HTML, picture."""
        local, _, domain = str(message.address).partition("@")
        sender_local, _, sender_domain = self._settings.sender.partition("@")
        built = EmailMessage()
        built["From"] = Address("Tocsin", sender_local, sender_domain)
        built["To"] = Address("", local, domain)
        built["Subject"] = subject_of(message)
        built["Date"] = format_datetime(message.sent_at)
        # The same for the same attempt: a mailbox that got it twice can tell.
        built["Message-ID"] = f"<{message.delivery_id}@{sender_domain}>"
        built["X-Tocsin-Delivery"] = message.delivery_id
        built["Auto-Submitted"] = "auto-generated"
        built.set_content("\n".join(_text_of(message)))
        picture = self._draw(message)
        built.add_alternative(_html_of(message, with_picture=picture is not None), subtype="html")
        if picture is not None:
            html = list(built.iter_parts())[-1]
            if isinstance(html, EmailMessage):
                html.add_related(picture, "image", "png", cid="<strip>", filename="last-14-days.png")
        return built

    def _draw(self, message: Message) -> bytes | None:
        if self._picture is None or not message.card.strip:
            return None
        return self._picture(message.card.strip, message.card.strip_label)

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_seconds, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.username is not None and settings.password is not None:
                server.login(settings.username, settings.password.get_secret_value())
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _hand_over(self, server: smtplib.SMTP, built: EmailMessage) -> None:
        try:
            server.send_message(built)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(max(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from error
        except (OSError, smtplib.SMTPException) as error:
            # It broke off while we were handing it over: whether it was taken is not known.
            raise TransientFailure("smtp_broke_off", may_have_arrived=True) from error


class _closing:  # noqa: N801 (reads as a verb where it is used)
    """Ends the session politely if the server is still there; how that goes is no news about the message."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        try:
            self._server.quit()
        except (OSError, smtplib.SMTPException):
            self._server.close()


def _refused(code: int) -> TransientFailure | PermanentFailure:
    """Return what an SMTP code means: 4xx is for now, 5xx for good."""
    if code in _BUSY_CODES:
        return TransientFailure(f"smtp_{code}", retry_after=_GREYLISTED if code == 450 else None)  # noqa: PLR2004 (greylisting)
    if 400 <= code < 500:  # noqa: PLR2004 (4xx is for now)
        return TransientFailure(f"smtp_{code}")
    if code in (530, 534, 535):  # our own sign-in, which a person mends while we go on trying
        return TransientFailure(f"smtp_{code}")
    return PermanentFailure(f"smtp_{code}")


def _text_of(message: Message) -> list[str]:
    lines = [*lines_of(message), ""]
    if message.acknowledge_url is not None:
        lines += ["Acknowledge (this link is yours; do not forward it):", message.acknowledge_url, ""]
    if message.incident_url is not None:
        lines += ["See the incident (you will be asked to sign in):", message.incident_url, ""]
    lines += ["Small numbers are not shown in messages.", f"Delivery {message.delivery_id}"]
    return lines


def _html_of(message: Message, *, with_picture: bool) -> str:
    parts = [f"<h1 style='font-size:1.2em'>{escape(message.card.title)}</h1>"]
    parts += [f"<p>{escape(line)}</p>" for line in lines_of(message)]
    if with_picture:
        bands = ", ".join(band.value for band in message.card.strip)
        words = escape(f"{message.card.strip_label}, oldest first: {bands}", quote=True)
        parts.append(f"<p><img src='cid:strip' alt='{words}' width='420'></p>")
    if message.acknowledge_url is not None:
        address = escape(message.acknowledge_url, quote=True)
        parts.append(
            f"<p><a href='{address}' style='display:inline-block;padding:12px 20px;background:#005ea5;color:#ffffff'>"
            "Acknowledge</a> This link is yours; do not forward it.</p>"
        )
    if message.incident_url is not None:
        parts.append(
            f"<p><a href='{escape(message.incident_url, quote=True)}'>See the incident</a> (sign-in).</p>"
        )
    parts.append(
        "<p style='color:#505a5f;font-size:0.85em'>Small numbers are not shown in messages. "
        f"Delivery {escape(message.delivery_id)}</p>"
    )
    body = "\n".join(parts)
    return (
        "<!DOCTYPE html><html lang='en-GB'><body style='font-family:Arial,sans-serif;line-height:1.4'>"
        f"{body}</body></html>"
    )
