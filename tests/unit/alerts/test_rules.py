"""The pure rules of the people side: urgency, quiet hours, what an incident amounts to, what is worse, who may what."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from alerts.desk import prefix_of
from alerts.facts import gather, is_second_wave, worse
from alerts.links import (
    AcknowledgeLink,
    UnusableLinkError,
    acknowledge_url,
    incident_url,
    read_acknowledge_token,
)
from alerts.settings import AlertsSettings, Contact, EscalationPolicy, EscalationStep, LinkSettings
from alerts.urgency import is_quiet, review_by, review_time, ring_time, urgency_of
from schemas.authorise import (
    MATRIX,
    SYSTEM,
    Action,
    Authentication,
    Forbidden,
    Principal,
    Role,
    authorise,
    may,
)
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.incidents import Urgency, Worse
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

KENT = Jurisdiction("kent-and-medway")
ROOT = AreaCode("KM")
A, B = AreaCode("A"), AreaCode("B")
NOON = datetime(2018, 1, 22, 12, tzinfo=UTC)
LINKS = LinkSettings(base_url="https://tocsin.example.org/", secret=SecretStr("s" * 32))
SETTINGS = AlertsSettings(fallback=Contact(person="fallback", name="Director"), links=LINKS)


def signal(**changes: object) -> Signal:
    content: dict[str, object] = {
        "jurisdiction": KENT,
        "detector": "area_counts",
        "family": "area_counts",
        "key": "a",
        "areas": (A,),
        "window_start": date(2018, 1, 21),
        "window_end": date(2018, 1, 22),
        "feeds": (FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=5, expected=0.4),),
        "substance_class": SubstanceClass.UNKNOWN_OPIOID,
        "observed": 5,
        "expected": 0.4,
        "interval": (0.0, 2.0),
        "p_value": 0.0001,
        "recurrence_interval_days": 900.0,
        "tier": Tier.PAGE,
        "newest_evidence_at": NOON,
        "model_version": "test",
        "sentence": "A: 5 against 0.4 expected.",
    }
    return Signal.model_validate(content | changes)


def feeds(*names: Feed) -> tuple[FeedEvidence, ...]:
    return tuple(FeedEvidence(feed=name, observed=2, expected=0.1) for name in names)


# Urgency


@pytest.mark.parametrize(
    ("changes", "urgency"),
    [
        ({}, Urgency.MORNING),
        ({"feeds": feeds(Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS)}, Urgency.NOW),
        ({"feeds": feeds(Feed.AMBULANCE_NALOXONE, Feed.SUSPECTED_DEATHS)}, Urgency.NOW),
        ({"feeds": feeds(Feed.SUSPECTED_DEATHS), "serious_outcome": True}, Urgency.MORNING),
        ({"detector": "tripwire_scene"}, Urgency.NOW),
        ({"detector": "tripwire_scene", "tier": Tier.REVIEW}, Urgency.MORNING),
        ({"detector": "tripwire_scene", "newest_evidence_at": NOON - timedelta(hours=72)}, Urgency.MORNING),
    ],
)
def test_only_two_feeds_or_a_page_tripwire_with_fresh_evidence_ring_now(
    changes: dict[str, object], urgency: Urgency
) -> None:
    assert urgency_of([signal(**changes)], NOON) is urgency


def test_a_feed_that_saw_nothing_is_no_second_feed() -> None:
    silent = FeedEvidence(feed=Feed.ED_PRESENTATIONS, observed=0, expected=0.2)
    assert urgency_of([signal(feeds=(*feeds(Feed.AMBULANCE_NALOXONE), silent))], NOON) is Urgency.MORNING


def test_a_review_in_another_feed_makes_a_page_urgent_and_a_record_does_not() -> None:
    other = signal(key="b", feeds=feeds(Feed.ED_PRESENTATIONS), tier=Tier.REVIEW)
    assert urgency_of([signal(), other], NOON) is Urgency.NOW
    assert urgency_of([signal(), other.model_copy(update={"tier": Tier.RECORD})], NOON) is Urgency.MORNING


moments = st.integers(0, 60 * 24 * 1095).map(
    lambda minutes: datetime(2017, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(moments)
def test_a_page_for_the_morning_never_rings_in_the_quiet_hours_nor_later_than_their_end(
    moment: datetime,
) -> None:
    rings = ring_time(Urgency.MORNING, moment, SETTINGS)
    local = rings.astimezone(LONDON)
    assert rings >= moment
    assert time(7, 30) <= local.time() < time(22)
    assert rings - moment <= timedelta(hours=10, minutes=30)
    assert ring_time(Urgency.NOW, moment, SETTINGS) == moment
    if not is_quiet(moment, SETTINGS):
        assert rings == moment


@given(moments)
def test_a_review_is_sent_in_the_morning_of_a_later_working_day(moment: datetime) -> None:
    sent = review_time(moment, SETTINGS).astimezone(LONDON)
    assert sent.time() == time(9)
    assert sent.weekday() < 5
    assert timedelta() < sent - moment < timedelta(days=6)


def test_bank_holidays_are_no_working_days() -> None:
    christmas_eve = datetime(2018, 12, 24, 12, tzinfo=UTC)
    assert review_time(christmas_eve, SETTINGS) == datetime(2018, 12, 27, 9, tzinfo=UTC)


@given(moments)
def test_an_acknowledgement_holds_four_hours_or_until_the_morning(moment: datetime) -> None:
    end = review_by(moment, SETTINGS)
    assert end >= moment + timedelta(hours=4)
    assert not is_quiet(end, SETTINGS)
    assert end - moment <= timedelta(hours=16)


# What an incident amounts to


def test_the_strongest_signal_gives_the_numbers_and_single_areas_the_place() -> None:
    signals = [
        signal(key="pair", areas=(A, B), recurrence_interval_days=2000.0, observed=8),
        signal(key="whole", areas=(ROOT,), recurrence_interval_days=5000.0, observed=20),
        signal(key="c", areas=(AreaCode("C"),)),
        signal(key="weak", areas=(AreaCode("D"),), tier=Tier.REVIEW),
    ]
    facts = gather(signals, ROOT)
    assert facts.strongest.key == "whole"
    assert facts.areas == ("A", "B", "C")
    assert facts == gather(signals[::-1], ROOT)


def test_a_named_class_is_preferred_to_a_vague_one_of_the_same_tier() -> None:
    vague = signal(substance_class=SubstanceClass.ANY, recurrence_interval_days=9000.0)
    named = signal(key="n", substance_class=SubstanceClass.NITAZENE)
    assert gather([vague, named], ROOT).substance_class is SubstanceClass.NITAZENE
    weaker = named.model_copy(update={"tier": Tier.REVIEW})
    assert gather([vague, weaker], ROOT).substance_class is SubstanceClass.ANY
    assert gather([vague, signal(key="o")], ROOT).substance_class is SubstanceClass.UNKNOWN_OPIOID


def test_the_same_facts_are_not_worse() -> None:
    facts = gather([signal()], ROOT)
    assert worse(facts, facts.told()) == ()


@pytest.mark.parametrize(("observed", "doubled"), [(9, False), (10, True)])
def test_an_excess_is_worse_once_it_has_doubled(observed: int, doubled: bool) -> None:
    told = gather([signal(observed=5, expected=0.0)], ROOT).told()
    assert (
        Worse.EXCESS_DOUBLED in worse(gather([signal(observed=observed, expected=0.0)], ROOT), told)
    ) is doubled


def test_another_place_altogether_is_a_new_area_even_if_pooled() -> None:
    told = gather([signal()], ROOT).told()
    assert worse(gather([signal(areas=(A, B))], ROOT), told) == ()
    assert worse(gather([signal(areas=(AreaCode("C"), B))], ROOT), told) == (Worse.NEW_AREA,)


def test_a_second_wave_rests_on_later_events_alone() -> None:
    assert not is_second_wave([signal()], NOON, ())
    assert is_second_wave([signal(window_start=date(2018, 1, 23), window_end=date(2018, 1, 23))], NOON, ())
    listed = signal(observed=2, evidence=("a" * 32, "b" * 32))
    assert is_second_wave([listed], NOON, {"a" * 32, "b" * 32})
    assert not is_second_wave([listed], NOON, {"a" * 32})
    assert not is_second_wave([signal(observed=3, evidence=("a" * 32,))], NOON, {"a" * 32})


# Who may do what


@pytest.mark.parametrize(("role", "action", "by"), list(product(Role, Action, Authentication)))
def test_a_role_does_what_the_matrix_says_in_its_own_jurisdiction_alone(
    role: Role, action: Action, by: Authentication
) -> None:
    principal = Principal(person="asha", authenticated_by=by, roles={KENT: frozenset({role})})
    by_link = by is Authentication.EMAIL_LINK and action not in (Action.VIEW_INCIDENTS, Action.ACKNOWLEDGE)
    assert may(principal, action, KENT) is (action in MATRIX[role] and not by_link)
    assert not may(principal, action, Jurisdiction("elsewhere"))


@pytest.mark.parametrize("action", list(Action))
def test_tocsin_itself_and_people_without_a_role_may_do_nothing(action: Action) -> None:
    for principal in (SYSTEM, Principal(person="eve", authenticated_by=Authentication.SHELL, roles={})):
        with pytest.raises(Forbidden, match="may not"):
            authorise(principal, action, KENT)


def test_the_operator_sees_feeds_and_no_incident() -> None:
    operator = Principal(
        person="olu", authenticated_by=Authentication.SESSION, roles={KENT: frozenset({Role.OPERATOR})}
    )
    assert may(operator, Action.VIEW_FEEDS, KENT)
    assert not may(operator, Action.VIEW_INCIDENTS, KENT)


# Links


def token_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def test_an_acknowledge_link_says_whom_and_what_until_it_expires() -> None:
    url = acknowledge_url(LINKS, "KM-2018-0001", 2, "asha", NOON)
    assert url.startswith("https://tocsin.example.org/acknowledge/")
    until = NOON + timedelta(hours=24)
    expected = AcknowledgeLink("KM-2018-0001", 2, "asha", until)
    assert read_acknowledge_token(LINKS, token_of(url), until - timedelta(seconds=1)) == expected
    with pytest.raises(UnusableLinkError, match="expired"):
        read_acknowledge_token(LINKS, token_of(url), until)
    assert incident_url(LINKS, "KM-2018-0001") == "https://tocsin.example.org/incidents/KM-2018-0001"


@given(st.integers(0, 200), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_link_that_was_altered_opens_nothing(place: int, character: str) -> None:
    token = token_of(acknowledge_url(LINKS, "KM-2018-0001", 2, "asha", NOON))
    altered = token[: place % len(token)] + character + token[place % len(token) + 1 :]
    if altered != token and altered[-1] == token[-1]:  # the last character holds bits that decode alike
        with pytest.raises(UnusableLinkError):
            read_acknowledge_token(LINKS, altered, NOON)


def test_a_link_signed_with_another_secret_or_for_another_purpose_opens_nothing() -> None:
    from itsdangerous import URLSafeSerializer

    other = LinkSettings(base_url=LINKS.base_url, secret=SecretStr("t" * 32))
    with pytest.raises(UnusableLinkError):
        read_acknowledge_token(other, token_of(acknowledge_url(LINKS, "KM-2018-0001", 2, "asha", NOON)), NOON)
    sign_in = URLSafeSerializer("s" * 32, salt="tocsin.sign-in").dumps(
        ["KM-2018-0001", 2, "asha", 2_000_000_000]
    )
    with pytest.raises(UnusableLinkError):
        read_acknowledge_token(LINKS, str(sign_in), NOON)


# Settings


@pytest.mark.parametrize(
    ("jurisdiction", "prefix"),
    [("kent-and-medway", "KM"), ("connecticut", "CON"), ("isle-of-wight", "IW"), ("west-midlands", "WM")],
)
def test_incident_numbers_begin_with_the_jurisdictions_initials(jurisdiction: str, prefix: str) -> None:
    assert prefix_of(Jurisdiction(jurisdiction)) == prefix


def test_an_escalation_policy_begins_at_once_and_goes_forward() -> None:
    for minutes in ((5,), (0, 15, 15), (0, 20, 10)):
        steps = tuple(EscalationStep(after_minutes=number, whom=("on_call",)) for number in minutes)
        with pytest.raises(ValidationError, match="order of time"):
            EscalationPolicy(steps=steps)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 32"):
        LinkSettings(base_url="https://x.example", secret=SecretStr("short"))


def test_a_secret_does_not_print() -> None:
    assert "ssss" not in repr(SETTINGS)
