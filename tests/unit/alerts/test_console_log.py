"""The console log is read by people who are not on call."""

from datetime import UTC, datetime

import pytest

from alerts.channels.console_log import ConsoleLog
from alerts.desk import Desk
from alerts.settings import AlertsSettings
from schemas.geography import load_kent_and_medway
from schemas.messages import Message, MessageKind, OutsideCard
from schemas.vocabulary import Jurisdiction

NOON = datetime(2018, 1, 22, 12, tzinfo=UTC)


def test_a_line_in_the_log_shows_whom_and_what_and_no_link_that_acts() -> None:
    lines: list[str] = []
    ConsoleLog(lines.append).send(
        Message(
            delivery_id="d" * 32,
            kind=MessageKind.REMINDER,
            jurisdiction=Jurisdiction("kent-and-medway"),
            incident_id="KM-2018-0001",
            recipient="asha",
            recipient_name="Asha",
            address="asha@example.org",
            card=OutsideCard(title="KM-2018-0001: Thanet, suspected opioid", lines=("Please acknowledge.",)),
            acknowledge_url="http://localhost/acknowledge/secret-token",
            incident_url="http://localhost/incidents/KM-2018-0001",
            possible_repeat=True,
            created_at=NOON,
            sent_at=NOON,
        )
    )
    assert lines == [
        "To asha. PAGE, again: KM-2018-0001: Thanet, suspected opioid",
        "    You may have had this already.",
        "    Please acknowledge.",
    ]


def test_two_jurisdictions_that_would_number_incidents_alike_are_refused() -> None:
    settings = AlertsSettings.model_validate(
        {
            "fallback": {"person": "fallback", "name": "Director"},
            "links": {"base_url": "http://localhost", "secret": "s" * 32},
        }
    )
    places = {Jurisdiction(name): load_kent_and_medway() for name in ("kent-and-medway", "king-maker")}
    with pytest.raises(ValueError, match="number their incidents alike"):
        Desk(settings, places)
    named = settings.model_copy(update={"incident_prefixes": {Jurisdiction("king-maker"): "KING"}})
    assert set(Desk(named, places).prefixes.values()) == {"KM", "KING"}
