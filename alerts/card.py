"""The incident card in plain words: one source, an inside text with true figures and an outside text without.

Messages take the outside card; the console takes the inside one for people who may see figures. Pure: it is given
:class:`CardFacts` (``alerts/telling.py`` reads them) and no connection. The outside text is the same for every count
from 1 to 7, and never holds an expected count, a p-value, a site, a place below the detection areas, an age or a sex.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from schemas.authorise import Principal
from schemas.clock import LONDON, civil_day
from schemas.disclosure import (
    WITHHELD_WORDS,
    EventCount,
    Rarity,
    Scope,
    day_words,
    exact,
    strip_of,
    window_words,
)
from schemas.incidents import Worse
from schemas.messages import OutsideCard
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

FEED_NAMES: Final[Mapping[Feed, str]] = {
    Feed.AMBULANCE_NALOXONE: "Ambulance naloxone",
    Feed.ED_PRESENTATIONS: "A&E",
    Feed.DRUG_CHECKING: "Drug checking",
    Feed.SUSPECTED_DEATHS: "Deaths",
}
"""In the order in which a card names them."""

COUNTED_AS: Final[Mapping[Feed, str]] = {
    Feed.AMBULANCE_NALOXONE: "cases",
    Feed.ED_PRESENTATIONS: "attendances",
    Feed.DRUG_CHECKING: "samples",
    Feed.SUSPECTED_DEATHS: "suspected deaths",
}

CLASS_NAMES: Final[Mapping[SubstanceClass, str]] = {
    SubstanceClass.NITAZENE: "suspected nitazene",
    SubstanceClass.FENTANYL: "suspected fentanyl",
    SubstanceClass.ORPHINE: "suspected synthetic opioid",
    SubstanceClass.OPIATE: "suspected opiate",
    SubstanceClass.PHARMACEUTICAL_OPIOID: "suspected pharmaceutical opioid",
    SubstanceClass.ALPHA2_SEDATIVE: "suspected alpha-2 sedative",
    SubstanceClass.NOVEL_BENZODIAZEPINE: "suspected novel benzodiazepine",
    SubstanceClass.BENZODIAZEPINE: "suspected benzodiazepine",
    SubstanceClass.SYNTHETIC_CANNABINOID: "suspected synthetic cannabinoid",
    SubstanceClass.STIMULANT: "suspected stimulant",
    SubstanceClass.DISSOCIATIVE: "suspected dissociative",
    SubstanceClass.OTHER_DEPRESSANT: "suspected depressant",
    SubstanceClass.UNKNOWN_OPIOID: "suspected opioid",
    SubstanceClass.UNKNOWN: "substance not known",
    SubstanceClass.ANY: "all substances together",
}

_HOW_UNUSUAL: Final[Mapping[Tier, str]] = {
    Tier.PAGE: "well above usual for here",
    Tier.REVIEW: "above usual for here",
    Tier.RECORD: "near usual for here",
}

_REASONS: Final[Mapping[Worse, str]] = {
    Worse.HIGHER_TIER: "the evidence is stronger",
    Worse.NEW_FEED: "it now shows in another feed",
    Worse.NEW_AREA: "it now shows in another area",
    Worse.LAB_CONFIRMED: "a laboratory result is among the evidence",
    Worse.FIRST_DEATH: "a serious outcome is among the evidence",
    Worse.EXCESS_DOUBLED: "it has grown to twice what it was",
    Worse.SECOND_WAVE: "there is a new rise since it was acknowledged",
}


class FeedState(StrEnum):
    """What one feed has to say about an incident."""

    CONTRIBUTES = "contributes"
    AS_USUAL = "as_usual"
    NONE = "none"
    SILENT = "silent"
    """Nothing has come for so long that we cannot tell calm from a dead feed."""
    ABSENT = "absent"
    """No record of it was ever received."""


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One feed's line on a card."""

    feed: Feed
    state: FeedState
    count: EventCount | None = None
    """For a feed that contributes."""
    expected: float | None = None
    """Inside only."""
    scope: Scope | None = None
    """What ``count`` is a count of."""
    tier: Tier = Tier.RECORD
    said: str | None = None
    """What may be said of ``count`` outside (``schemas.disclosure.publish``); without it, the count is withheld."""
    last_received_at: datetime | None = None

    @property
    def window(self) -> tuple[date, date] | None:
        """The civil days that it speaks of, both included."""
        return (self.scope.start, self.scope.end) if self.scope is not None else None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that a card may draw on, inside and outside."""

    incident_id: str
    jurisdiction: Jurisdiction
    area_names: tuple[str, ...]
    substance_class: SubstanceClass
    tier: Tier
    recurrence_interval_days: float
    feeds: tuple[FeedLine, ...]
    serious_outcome: bool
    lab_confirmed: bool
    evidence_withdrawn: bool
    reasons: tuple[Worse, ...]
    sentence: str
    """The strongest signal's own sentence, with true numbers: inside only."""
    strip: tuple[EventCount, ...]
    strip_feed: Feed | None
    now: datetime

    @property
    def headline(self) -> str:
        """Place and substance: "Thanet, suspected opioid"."""
        return f"{_listed(self.area_names)}, {CLASS_NAMES[self.substance_class]}"


def outside_card(
    facts: CardFacts, *, named: bool, before: Sequence[str] = (), after: Sequence[str] = ()
) -> OutsideCard:
    """Return the card in words that may leave.

    Parameters
    ----------
    named : bool
        Whether its reader is one named person, who may know that there was a serious outcome; a channel or a log that
        several people read may not.
    before, after : sequence of str
        Sentences to put around it, already safe.
    """
    lines = [*before, f"{facts.headline}."]
    lines += [line for item in facts.feeds if (line := _outside_line(item, facts, named=named))]
    lines.append(f"By chance {Rarity.of(facts.recurrence_interval_days).value}.")
    if facts.lab_confirmed:
        lines.append("A laboratory result is among the evidence.")
    if facts.evidence_withdrawn:
        lines.append("Some of the evidence was taken back since.")
    if why := _why_again(facts.reasons, named=named):
        lines.append(why)
    return OutsideCard(
        title=_cut(f"{facts.incident_id}: {facts.headline}"),
        lines=(*lines, *after),
        strip=strip_of(facts.strip),
        strip_label=f"{FEED_NAMES[facts.strip_feed]}, last {len(facts.strip)} days"
        if facts.strip_feed
        else "",
    )


def inside_lines(facts: CardFacts, principal: Principal) -> tuple[str, ...]:
    """Return the card with true figures, a line a sentence.

    Raises
    ------
    schemas.authorise.Forbidden
        If ``principal`` may not see figures in the incident's jurisdiction.
    """
    lines = [f"{facts.headline}."]
    lines += [line for item in facts.feeds if (line := _inside_line(item, facts, principal))]
    lines.append(
        f"By chance alone, something this strong comes once in {_interval(facts.recurrence_interval_days)}."
    )
    if facts.serious_outcome:
        lines.append("A suspected death is among the evidence.")
    if facts.lab_confirmed:
        lines.append("A laboratory result is among the evidence.")
    if facts.evidence_withdrawn:
        lines.append("Some of the evidence was taken back since.")
    if why := _why_again(facts.reasons, named=True):
        lines.append(why)
    if any(item.count is not None for item in facts.feeds):
        lines.append(facts.sentence)
    return tuple(lines)


def _outside_line(item: FeedLine, facts: CardFacts, *, named: bool) -> str | None:
    name = FEED_NAMES[item.feed]
    if item.feed is Feed.SUSPECTED_DEATHS and item.state in (
        FeedState.CONTRIBUTES,
        FeedState.AS_USUAL,
        FeedState.NONE,
    ):
        # The deaths feed says only this, and only to named people; to others it is as if it had nothing to say.
        return f"{name}: includes a serious outcome." if named and facts.serious_outcome else None
    if item.state is FeedState.CONTRIBUTES and item.window is not None:
        when = window_words(*item.window, facts.now)
        if item.said is None or item.said == WITHHELD_WORDS:
            return f"{name}: {_HOW_UNUSUAL[item.tier]} {when} (number not shown)."
        return f"{name}: {item.said} {COUNTED_AS[item.feed]} {when}, {_HOW_UNUSUAL[item.tier]}."
    return f"{name}: {_quiet_words(item)}."


def _inside_line(item: FeedLine, facts: CardFacts, principal: Principal) -> str | None:
    name = FEED_NAMES[item.feed]
    if item.state is FeedState.CONTRIBUTES and item.count is not None and item.window is not None:
        figure = exact(item.count, principal)
        expected = f"{item.expected:.1f} expected, " if item.expected is not None else ""
        when = window_words(*item.window, facts.now)
        counted = COUNTED_AS[item.feed].removesuffix("s") if figure == 1 else COUNTED_AS[item.feed]
        return f"{name}: {figure} {counted} {when}, {expected}{_HOW_UNUSUAL[item.tier]}."
    return f"{name}: {_quiet_words(item)}."


def _quiet_words(item: FeedLine) -> str:
    if item.state is FeedState.SILENT and item.last_received_at is not None:
        return f"we cannot see this feed since {day_words(civil_day(item.last_received_at))}"
    if item.state in (FeedState.SILENT, FeedState.ABSENT):
        return "we do not receive this feed"
    return "none in 7 days" if item.state is FeedState.NONE else "as usual"


def _why_again(reasons: Sequence[Worse], *, named: bool) -> str | None:
    """Return why people hear of it again; for the first notice, nothing."""
    shown = [
        reason for reason in reasons if reason in _REASONS and (named or reason is not Worse.FIRST_DEATH)
    ]
    if shown:
        return f"You hear of it again because {_listed([_REASONS[reason] for reason in shown])}."
    return "You hear of it again because it got worse." if Worse.OPENED not in reasons and reasons else None


def moment_words(moment: datetime) -> str:
    """Return a moment as people say it, by the clock on the wall in London: "Sat 27 Jan 2018, 14:00"."""
    local = moment.astimezone(LONDON)
    return f"{day_words(local.date())}, {local:%H:%M}"


def _interval(days: float) -> str:
    if days >= 730:  # noqa: PLR2004 (two years)
        return f"{days / 365.25:.0f} years"
    return f"{days:.0f} days"


def _listed(items: Sequence[str]) -> str:
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _cut(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= 120 else f"{line[:117]}..."  # noqa: PLR2004 (what OutsideCard allows)
