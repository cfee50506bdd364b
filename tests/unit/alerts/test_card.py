"""What a card says outside is the same for every small number, and names nothing that could identify anyone."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.card import CardFacts, FeedLine, FeedState, inside_lines, outside_card
from schemas.authorise import Authentication, Forbidden, Principal, Role
from schemas.disclosure import EventCount, Scope
from schemas.geography import AreaCode
from schemas.incidents import Worse
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

KENT = Jurisdiction("kent-and-medway")
NOW = datetime(2018, 1, 27, 2, 14, tzinfo=UTC)
CASES = [feed for feed in Feed if feed is not Feed.SUSPECTED_DEATHS]


def line(feed: Feed, figure: int, expected: float = 0.37) -> FeedLine:
    scope = Scope(
        feed,
        SubstanceClass.UNKNOWN_OPIOID,
        frozenset({AreaCode("E07000114")}),
        date(2018, 1, 26),
        date(2018, 1, 27),
    )
    count = EventCount(figure, KENT)
    return FeedLine(
        feed,
        FeedState.CONTRIBUTES,
        count=count,
        expected=expected,
        scope=scope,
        tier=Tier.PAGE,
        said=str(count),
    )


def facts(*feeds: FeedLine, **changes: object) -> CardFacts:
    made = CardFacts(
        incident_id="KM-2018-0001",
        jurisdiction=KENT,
        area_names=("Thanet",),
        substance_class=SubstanceClass.UNKNOWN_OPIOID,
        tier=Tier.PAGE,
        recurrence_interval_days=900.0,
        feeds=feeds or (line(Feed.AMBULANCE_NALOXONE, 3),),
        serious_outcome=False,
        lab_confirmed=False,
        evidence_withdrawn=False,
        reasons=(Worse.OPENED,),
        sentence="Thanet: 3 cases against 0.37 expected, p = 0.0004.",
        strip=tuple(EventCount(figure, KENT) for figure in (0,) * 12 + (1, 2)),
        strip_feed=Feed.AMBULANCE_NALOXONE,
        now=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_count_of_three_reads_as_the_design_says() -> None:
    card = outside_card(
        facts(
            line(Feed.AMBULANCE_NALOXONE, 3),
            FeedLine(Feed.ED_PRESENTATIONS, FeedState.AS_USUAL),
            FeedLine(Feed.DRUG_CHECKING, FeedState.NONE),
            FeedLine(
                Feed.SUSPECTED_DEATHS,
                FeedState.SILENT,
                last_received_at=datetime(2018, 1, 18, 9, tzinfo=UTC),
            ),
        ),
        named=True,
    )
    assert card.lines == (
        "Thanet, suspected opioid.",
        "Ambulance naloxone: fewer than 8 cases in the 2 days to Sat 02:00, well above usual for here.",
        "A&E: as usual.",
        "Drug checking: none in 7 days.",
        "Deaths: we cannot see this feed since Thu 18 Jan 2018.",
        "By chance less than once a year.",
    )
    assert card.title == "KM-2018-0001: Thanet, suspected opioid"


small = st.integers(1, 7)
incidents = st.fixed_dictionaries(
    {
        "feeds": st.lists(st.sampled_from(list(Feed)), min_size=1, max_size=4, unique=True),
        "tier": st.sampled_from(Tier),
        "substance_class": st.sampled_from(SubstanceClass),
        "serious_outcome": st.booleans(),
        "lab_confirmed": st.booleans(),
        "evidence_withdrawn": st.booleans(),
        "reasons": st.lists(st.sampled_from(Worse), max_size=3, unique=True).map(tuple),
        "named": st.booleans(),
        "rare": st.sampled_from([(400.0, 90_000.0), (31.0, 300.0), (1.0, 29.0)]),
    }
)


@given(
    incidents,
    st.lists(small, min_size=36, max_size=36),
    st.lists(st.floats(0.01, 50), min_size=8, max_size=8),
)
def test_whatever_the_small_numbers_are_the_outside_text_is_the_same(
    incident: dict[str, object], figures: list[int], others: list[float]
) -> None:
    def card(numbers: list[int], expected: list[float], rarity: float) -> str:
        feeds = [
            line(feed, figure, mean)
            for feed, figure, mean in zip(incident["feeds"], numbers, expected, strict=False)  # type: ignore[call-overload]
        ]
        made = facts(
            *feeds,
            tier=incident["tier"],
            substance_class=incident["substance_class"],
            serious_outcome=incident["serious_outcome"],
            lab_confirmed=incident["lab_confirmed"],
            evidence_withdrawn=incident["evidence_withdrawn"],
            reasons=incident["reasons"],
            recurrence_interval_days=rarity,
            strip=tuple(EventCount(figure, KENT) for figure in numbers[4:18]),
            sentence=f"{numbers[0]} against {expected[0]}",
        )
        return outside_card(made, named=bool(incident["named"])).model_dump_json()

    rare: tuple[float, float] = incident["rare"]  # type: ignore[assignment]
    assert card(figures[:18], others[:4], rare[0]) == card(figures[18:], others[4:], rare[1])


@given(incidents, st.lists(st.integers(1, 60), min_size=4, max_size=4))
def test_no_outside_text_holds_a_figure_an_expected_count_a_code_or_an_exact_rarity(
    incident: dict[str, object], figures: list[int]
) -> None:
    feeds = [line(feed, figure) for feed, figure in zip(incident["feeds"], figures, strict=False)]  # type: ignore[call-overload]
    made = facts(*feeds, recurrence_interval_days=1234.5, serious_outcome=incident["serious_outcome"])
    text = " ".join(outside_card(made, named=bool(incident["named"])).lines)
    # What may hold digits: rounded counts, the two days of the window, the hour.
    rest = re.sub(r"fewer than 8|about \d*[05]\b|in the 2 days to Sat 02:00|A&E", "", text)
    assert not re.search(r"\d", rest), rest
    assert "expected" not in text


def test_a_death_is_told_to_named_people_in_three_words_and_to_a_log_not_at_all() -> None:
    deadly = facts(
        line(Feed.AMBULANCE_NALOXONE, 3),
        line(Feed.SUSPECTED_DEATHS, 1),
        serious_outcome=True,
        reasons=(Worse.FIRST_DEATH,),
    )
    named = outside_card(deadly, named=True)
    assert "Deaths: includes a serious outcome." in named.lines
    channel = " ".join(outside_card(deadly, named=False).lines).lower()
    assert "death" not in channel
    assert "serious" not in channel
    harmless = facts(line(Feed.AMBULANCE_NALOXONE, 3), reasons=(Worse.FIRST_DEATH,))
    assert outside_card(deadly, named=False).lines == outside_card(harmless, named=False).lines


def test_a_count_that_may_not_be_said_is_withheld() -> None:
    withheld = replace(line(Feed.AMBULANCE_NALOXONE, 11), said=None)
    text = " ".join(outside_card(facts(withheld), named=True).lines)
    said = "Ambulance naloxone: well above usual for here in the 2 days to Sat 02:00 (number not shown)."
    assert said in text


def test_inside_shows_the_figures_to_whoever_may_see_them() -> None:
    asha = Principal(
        person="asha", authenticated_by=Authentication.SESSION, roles={KENT: frozenset({Role.ON_CALL})}
    )
    lines = inside_lines(facts(), asha)
    assert (
        "Ambulance naloxone: 3 cases in the 2 days to Sat 02:00, 0.4 expected, well above usual for here."
        in lines
    )
    assert "By chance alone, something this strong comes once in 2 years." in lines
    viewer = asha.model_copy(update={"roles": {KENT: frozenset({Role.VIEWER})}})
    with pytest.raises(Forbidden):
        inside_lines(facts(), viewer)


def test_a_notice_says_why_people_hear_of_it_again() -> None:
    again = outside_card(facts(reasons=(Worse.NEW_FEED, Worse.EXCESS_DOUBLED)), named=True)
    assert again.lines[-1] == (
        "You hear of it again because it now shows in another feed and it has grown to twice what it was."
    )
