"""What an incident amounts to, from its signals; and whether it got worse since people were last told. Pure rules.

Attach-or-open calls these after every change. They see true numbers and print nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from alerts.ids import signal_id
from schemas.clock import civil_day
from schemas.geography import AreaCode
from schemas.incidents import Worse
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

_VAGUE = frozenset({SubstanceClass.ANY, SubstanceClass.UNKNOWN, SubstanceClass.UNKNOWN_OPIOID})
_SMALLEST_EXCESS = 1.0
"""An excess below one case is none: doubling it means nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The machine's facts of one incident."""

    tier: Tier
    substance_class: SubstanceClass
    areas: tuple[AreaCode, ...]
    feeds: tuple[Feed, ...]
    strongest: Signal
    first_day: date
    last_day: date
    newest_evidence_at: datetime
    serious_outcome: bool
    lab_confirmed: bool
    excess: float
    """Cases above expected, of the largest signal at the incident's tier."""
    own_areas: frozenset[AreaCode]
    """Areas that are in excess by themselves, and not only together with a neighbour."""

    def told(self) -> dict[str, Any]:
        """Return what a notice given now tells, for later facts to be compared with."""
        return {
            "tier": self.tier.value,
            "feeds": sorted(self.feeds),
            "areas": sorted(set(self.areas) | self.own_areas),
            "lab_confirmed": self.lab_confirmed,
            "serious_outcome": self.serious_outcome,
            "excess": self.excess,
        }


def gather(signals: Sequence[Signal], root: AreaCode) -> Facts:
    """Return what ``signals`` (at least one) amount to, whatever their order.

    The strongest is the one of highest tier that chance gives most seldom. It names the place, with every area that is
    in excess by itself at the same tier; a signal for the whole jurisdiction names the place only if none other does.
    """
    ranked = sorted(signals, key=_strength, reverse=True)
    tier = ranked[0].tier
    top = [item for item in ranked if item.tier is tier]
    counted = [item for item in ranked if item.tier is not Tier.RECORD] or ranked
    placed = [item for item in top if item.areas != (root,)] or top
    own = frozenset(item.areas[0] for item in placed if len(item.areas) == 1)
    named = [item.substance_class for item in top if item.substance_class not in _VAGUE]
    return Facts(
        tier=tier,
        substance_class=named[0] if named else _least_vague(top),
        areas=tuple(sorted(set(placed[0].areas) | own)),
        feeds=tuple(feed for feed in Feed if any(_contributes(item, feed) for item in counted)),
        strongest=ranked[0],
        first_day=min(item.window_start for item in counted),
        last_day=max(item.window_end for item in counted),
        newest_evidence_at=max(item.newest_evidence_at for item in counted),
        serious_outcome=any(item.serious_outcome for item in counted),
        lab_confirmed=any(item.lab_confirmed for item in counted),
        excess=max(item.observed - item.expected for item in top),
        own_areas=own,
    )


def worse(facts: Facts, told: Mapping[str, Any]) -> tuple[Worse, ...]:
    """Return in which ways ``facts`` are worse than what people were told.

    A new area counts if it is in excess by itself, or if the place is another altogether: a detector that pools an area
    with one more neighbour has not found a spread.
    """
    known = set(told["areas"])
    old_excess = max(float(told["excess"]), _SMALLEST_EXCESS)
    found = {
        Worse.HIGHER_TIER: facts.tier.rank > Tier(told["tier"]).rank,
        Worse.NEW_FEED: not {feed.value for feed in facts.feeds} <= set(told["feeds"]),
        Worse.NEW_AREA: not facts.own_areas <= known or known.isdisjoint(facts.areas),
        Worse.LAB_CONFIRMED: facts.lab_confirmed and not told["lab_confirmed"],
        Worse.FIRST_DEATH: facts.serious_outcome and not told["serious_outcome"],
        Worse.EXCESS_DOUBLED: facts.excess >= 2 * old_excess,
    }
    return tuple(reason for reason, holds in found.items() if holds)


def add_told(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that people have been told: nothing that was said is news again."""
    return {
        "tier": max(Tier(before["tier"]), Tier(now["tier"]), key=lambda tier: tier.rank).value,
        "feeds": sorted(set(before["feeds"]) | set(now["feeds"])),
        "areas": sorted(set(before["areas"]) | set(now["areas"])),
        "lab_confirmed": before["lab_confirmed"] or now["lab_confirmed"],
        "serious_outcome": before["serious_outcome"] or now["serious_outcome"],
        "excess": max(before["excess"], now["excess"]),
    }


def is_second_wave(signals: Sequence[Signal], answered_at: datetime, known_since: Collection[str]) -> bool:
    """Whether a page-tier signal rests only on events after the acknowledgement at ``answered_at``.

    Either its whole window lies on later civil days, or it lists every event behind it and all of them
    (``known_since``) became known later.
    """
    answered_on = civil_day(answered_at)
    return any(
        item.window_start > answered_on or (_lists_all(item) and set(item.evidence) <= set(known_since))
        for item in signals
        if item.tier is Tier.PAGE
    )


def _lists_all(signal: Signal) -> bool:
    return 0 < signal.observed <= len(signal.evidence)


def _contributes(signal: Signal, feed: Feed) -> bool:
    return any(part.feed is feed and part.observed > 0 for part in signal.feeds)


def _strength(signal: Signal) -> tuple[int, float, date, str]:
    return signal.tier.rank, signal.recurrence_interval_days, signal.window_end, signal_id(signal)


def _least_vague(signals: Sequence[Signal]) -> SubstanceClass:
    classes = {item.substance_class for item in signals}
    if SubstanceClass.UNKNOWN_OPIOID in classes:
        return SubstanceClass.UNKNOWN_OPIOID
    return signals[0].substance_class
