"""What a person on the host can see of incidents, and do to them."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from alerts.attach import attach_or_open
from alerts.desk import Desk
from schemas.events import Source, identity_of
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.tables.audit import audit_entry
from schemas.vocabulary import Feed, Tier
from tocsin.settings import read_settings

from .conftest import KENT, NOW, Tocsin, said

INCIDENT = "KM-2018-0001"
SIGNAL = Signal(
    jurisdiction=KENT,
    detector="area_counts",
    family="area_counts",
    key="thanet",
    areas=(AreaCode("E07000114"),),
    window_start=date(2018, 1, 21),
    window_end=date(2018, 1, 22),
    feeds=(FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=5, expected=0.4),),
    substance_class=SubstanceClass.UNKNOWN_OPIOID,
    observed=5,
    expected=0.4,
    interval=(0.0, 2.0),
    p_value=0.0001,
    recurrence_interval_days=900.0,
    tier=Tier.PAGE,
    newest_evidence_at=NOW - timedelta(hours=1),
    evidence=(identity_of(Source(organisation="secamb"), "call-1"),),
    model_version="test",
    sentence="Thanet: 5 ambulance naloxone administrations where 0.4 are usual.",
)


@pytest.fixture
def incident(tocsin: Tocsin, folder: object, writing: object) -> str:
    """An incident that nobody has acknowledged, and two people: asha on call, and wyn who only looks."""
    assert tocsin("people", "add", "asha", "--name", "Asha Patel", "--role", "on_call").exit_code == 0
    assert tocsin("people", "add", "wyn", "--name", "Wyn Rees", "--role", "viewer").exit_code == 0
    desk = Desk(read_settings(folder / "tocsin.toml").alerts, {KENT: load_kent_and_medway()})  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        attach_or_open(connection, [SIGNAL], NOW, desk=desk)
    return INCIDENT


def test_nothing_found_is_said_so(tocsin: Tocsin) -> None:
    assert tocsin("incidents", "list").stdout == "There are no incidents.\n"


def test_the_list_shows_where_what_how_many_and_that_nobody_has_it(tocsin: Tocsin, incident: str) -> None:
    shown = tocsin("incidents", "list").stdout
    for words in (incident, "page", "Thanet", "unknown opioid", "5 where 0.4 is usual", "nobody"):
        assert words in shown


def test_one_incident_is_shown_with_its_evidence(tocsin: Tocsin, incident: str) -> None:
    shown = tocsin("incidents", "show", incident).stdout
    assert SIGNAL.sentence in shown
    assert "once in 900 days" in shown


def test_json_holds_true_numbers_and_is_stamped_internal(tocsin: Tocsin, incident: str) -> None:
    listed = json.loads(tocsin("incidents", "list", "--json").stdout)
    shown = json.loads(tocsin("incidents", "show", incident, "--json").stdout)
    assert listed["classification"] == shown["classification"] == "internal"
    assert [one["observed"] for one in listed["incidents"]] == [5]
    assert shown["evidence"][0]["sentence"] == SIGNAL.sentence


def test_an_acknowledgement_names_the_person_and_the_shell(
    tocsin: Tocsin, incident: str, writing: object
) -> None:
    done = tocsin("ack", incident, "--as", "asha")
    assert done.exit_code == 0, done.output
    assert f"asha has {incident} until Mon 22 Jan 2018 16:00" in done.stdout
    assert "asha until" in tocsin("incidents", "list").stdout
    with writing() as connection:  # type: ignore[operator]
        row = connection.execute(select(audit_entry).where(audit_entry.c.action == "acknowledged")).one()
    assert (row.actor, row.authenticated_by, row.subject) == ("asha", "shell", incident)


def test_the_fallback_contact_can_acknowledge_without_being_in_the_table(
    tocsin: Tocsin, incident: str
) -> None:
    assert tocsin("ack", incident, "--as", "fallback").exit_code == 0


@pytest.mark.parametrize("until", ["6", "2018-01-22T18:00", "2018-01-22T18:00+00:00"])
def test_a_review_by_is_hours_or_a_moment(tocsin: Tocsin, incident: str, until: str) -> None:
    done = tocsin("ack", incident, "--as", "asha", "--review-by", until)
    assert "until Mon 22 Jan 2018 18:00" in done.stdout


@pytest.mark.parametrize("until", ["soon", "0", "-1", "73", "nan", "inf", "2018-01-22T11:00", "9" * 400])
def test_a_review_by_that_makes_no_sense_is_refused(tocsin: Tocsin, incident: str, until: str) -> None:
    done = tocsin("ack", incident, "--as", "asha", "--review-by", until)
    assert done.exit_code == 2
    assert "review-by" in said(done)


def test_an_acknowledgement_can_be_undone_and_both_are_kept(tocsin: Tocsin, incident: str) -> None:
    tocsin("ack", incident, "--as", "asha")
    assert tocsin("unack", incident, "--as", "asha").exit_code == 0
    shown = tocsin("incidents", "show", incident).stdout
    assert "undone by asha" in shown
    assert "who has it    nobody" in shown
    trail = tocsin("audit", "list", "--incident", incident).stdout
    assert trail.index("acknowledged") < trail.index("acknowledgement_undone")


def test_only_who_may_can_acknowledge(tocsin: Tocsin, incident: str) -> None:
    assert said(tocsin("ack", incident, "--as", "wyn")) == "wyn may not acknowledge in kent-and-medway."
    assert "Nobody called zoe is known" in said(tocsin("ack", incident, "--as", "zoe"))
    assert "who has it    nobody" in tocsin("incidents", "show", incident).stdout


def test_what_is_not_there_is_named(tocsin: Tocsin, incident: str) -> None:
    assert said(tocsin("ack", "KM-2018-0099", "--as", "asha")) == "There is no incident KM-2018-0099."
    assert "There is no incident KM-2018-0099" in said(tocsin("incidents", "show", "KM-2018-0099"))
    assert "no acknowledgement" in said(tocsin("unack", incident, "--as", "asha"))


def test_a_closed_incident_is_no_longer_open_and_cannot_be_acknowledged(
    tocsin: Tocsin, incident: str
) -> None:
    assert tocsin("close", incident, "--as", "asha", "--outcome", "no_action").exit_code == 0
    assert tocsin("incidents", "list", "--open").stdout == "No incident is open.\n"
    assert "was closed" in said(tocsin("ack", incident, "--as", "asha"))


def test_the_audit_trail_is_whole_until_somebody_changes_it(
    tocsin: Tocsin, incident: str, writing: object
) -> None:
    tocsin("ack", incident, "--as", "asha")
    assert "whole" in tocsin("audit", "verify").stdout
    with writing() as connection:  # type: ignore[operator]
        connection.execute(
            audit_entry.update().where(audit_entry.c.action == "acknowledged").values(actor="wyn")
        )
    done = tocsin("audit", "verify")
    assert "was changed after it was written" in done.stdout
    assert "The audit trail does not hold" in said(done)


def test_a_jurisdiction_that_is_not_served_is_refused_with_those_that_are(tocsin: Tocsin) -> None:
    done = tocsin("incidents", "list", "--jurisdiction", "surrey")
    assert done.exit_code == 2
    assert said(done) == "surrey is not a jurisdiction of the settings: kent-and-medway."
