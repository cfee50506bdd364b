"""E-mail against a real SMTP server on this machine: what arrives, and what each refusal means."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import ValidationError

from alerts.channels import PermanentFailure, TransientFailure
from alerts.channels.email import Email
from alerts.charts import strip_png
from alerts.settings import EmailSettings
from schemas.disclosure import CountBand
from schemas.messages import Message, MessageKind, OutsideCard
from schemas.vocabulary import Jurisdiction

NOON = datetime(2018, 1, 22, 12, tzinfo=UTC)


class Server:
    """Keeps what it is given, and answers as it is told."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.recipient_answer = "250 OK"
        self.data_answer = "250 OK"

    async def handle_RCPT(  # noqa: N802 (the server's own name for it)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (as above)
        assert isinstance(envelope.content, bytes)
        self.kept.append(envelope.content)
        if self.data_answer == "hang up":
            assert server.transport is not None
            server.transport.close()
        return self.data_answer


@pytest.fixture
def server() -> Iterator[tuple[Server, int]]:
    handler = Server()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def channel(port: int) -> Email:
    made = EmailSettings(
        host="127.0.0.1", port=port, security="none", sender="tocsin@example.org", timeout_seconds=5
    )
    return Email(made, strip_png)


def message(**changes: object) -> Message:
    content: dict[str, object] = {
        "delivery_id": "d" * 32,
        "kind": MessageKind.PAGE,
        "jurisdiction": Jurisdiction("kent-and-medway"),
        "incident_id": "KM-2018-0001",
        "recipient": "asha",
        "recipient_name": "Asha",
        "address": "asha@example.org",
        "card": OutsideCard(
            title="KM-2018-0001: Thanet, suspected opioid",
            lines=("Please acknowledge.", "Thanet & district, suspected opioid."),
            strip=(CountBand.NONE,) * 13 + (CountBand.FEW,),
            strip_label="Ambulance naloxone, last 14 days",
        ),
        "acknowledge_url": "http://localhost:8321/acknowledge/abc",
        "incident_url": "http://localhost:8321/incidents/KM-2018-0001",
        "created_at": NOON,
        "sent_at": NOON,
    }
    return Message.model_validate(content | changes)


def arrived(server: Server) -> EmailMessage:
    (raw,) = server.kept
    parsed = message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_page_arrives_as_text_and_html_with_link_and_picture(server: tuple[Server, int]) -> None:
    handler, port = server
    receipt = channel(port).send(message())
    mail = arrived(handler)
    assert mail["Subject"] == "PAGE: KM-2018-0001: Thanet, suspected opioid"
    assert mail["To"] == "asha@example.org"
    assert mail["Message-ID"] == receipt.reference == f"<{'d' * 32}@example.org>"
    text = mail.get_body(("plain",))
    html = mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "http://localhost:8321/acknowledge/abc" in text.get_content()
    assert "You may have had this already." not in text.get_content()
    assert "Thanet &amp; district" in html.get_content()
    assert "cid:strip" in html.get_content()
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in pictures] == ["<strip>"]
    assert pictures[0].get_content().startswith(b"\x89PNG")


def test_a_possible_repeat_says_so_first(server: tuple[Server, int]) -> None:
    handler, port = server
    channel(port).send(message(possible_repeat=True))
    text = arrived(handler).get_body(("plain",))
    assert text is not None
    assert text.get_content().startswith("You may have had this already.")


def test_a_title_cannot_add_a_header() -> None:
    with pytest.raises(ValidationError):
        OutsideCard(title="x\nBcc: eve@example.org", lines=())


@pytest.mark.parametrize(
    ("answer", "code"), [("550 No such user here", "smtp_550"), ("553 asha@example.org refused", "smtp_553")]
)
def test_an_address_refused_for_good_is_permanent_and_is_not_repeated_in_the_code(
    server: tuple[Server, int], answer: str, code: str
) -> None:
    handler, port = server
    handler.recipient_answer = answer
    with pytest.raises(PermanentFailure) as failure:
        channel(port).send(message())
    assert failure.value.code == code


def test_greylisting_asks_us_to_wait_five_minutes(server: tuple[Server, int]) -> None:
    handler, port = server
    handler.recipient_answer = "450 Greylisted"
    with pytest.raises(TransientFailure) as failure:
        channel(port).send(message())
    assert failure.value.retry_after == timedelta(minutes=5)


def test_a_full_mailbox_is_for_now(server: tuple[Server, int]) -> None:
    handler, port = server
    handler.data_answer = "452 Insufficient storage"
    with pytest.raises(TransientFailure) as failure:
        channel(port).send(message())
    assert (failure.value.code, failure.value.may_have_arrived) == ("smtp_452", False)


def test_a_connection_lost_while_handing_over_may_have_delivered_it(server: tuple[Server, int]) -> None:
    handler, port = server
    handler.data_answer = "hang up"
    with pytest.raises(TransientFailure) as failure:
        channel(port).send(message())
    assert failure.value.may_have_arrived
    assert len(handler.kept) == 1


def test_a_server_that_is_not_there_is_for_now() -> None:
    made = EmailSettings(
        host="127.0.0.1", port=1, security="none", sender="tocsin@example.org", timeout_seconds=2
    )
    with pytest.raises(TransientFailure) as failure:
        Email(made).send(message())
    assert (failure.value.code, failure.value.may_have_arrived) == ("smtp_unreachable", False)


def test_a_person_without_an_address_is_permanent(server: tuple[Server, int]) -> None:
    _, port = server
    with pytest.raises(PermanentFailure, match="no_address"):
        channel(port).send(message(address=None))
