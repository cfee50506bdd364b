"""Tripwires: rules about a few single events that cannot wait for counts, such as nine people at one address.

Evaluated by intake, in its transaction, over the events just stored and those that happened around them; calibration
runs the very same function over null histories. Plain Python on precomputed thresholds: no numerics, no clock, no SQL.

Four families. ``tripwire_scene``: several people at one scene within 6 hours. ``tripwire_watch_list``: a laboratory
finds a watch-list class, and people are harmed within 72 hours in the same or an adjacent area.
``tripwire_concurrent``: several single tripwires from different scenes within 24 hours. ``tripwire_single``: one
watch-list detection, one patient who does not respond to naloxone, one who needs three doses: a record or a review.

The result depends on the *set* of events, never on the order in which they came, and the same set always gives the
same signals with the same identities. People are counted, as the fewest that can explain the records: a person with
one token in several records is one, and without tokens the records of different feeds may be of the same people.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from detectors.observations import CONTEXT, Observation, Seen, fewest_people
from detectors.tripwire_rules import (
    Finding,
    Setting,
    concurrent_findings,
    in_stratum,
    scene_findings,
    single_findings,
    watch_list_findings,
)
from detectors.tripwire_thresholds import TripwireThresholds
from detectors.tripwire_words import signal_of
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.vocabulary import Jurisdiction, Stratum, Tier

__all__ = ["CONTEXT", "Observation", "Seen", "TripwireThresholds", "evaluate", "fewest_people"]

_RULES = (scene_findings, watch_list_findings, concurrent_findings, single_findings)


def evaluate(  # noqa: PLR0913 (everything that a tripwire may look at, handed in)
    new: Iterable[Observation],
    context: Iterable[Observation],
    *,
    thresholds: TripwireThresholds,
    adjacency: Mapping[AreaCode, frozenset[AreaCode]],
    jurisdiction: Jurisdiction,
    now: datetime,
    seen: Seen | None = None,
    area_names: Mapping[AreaCode, str] | None = None,
    zone: ZoneInfo = LONDON,
) -> list[Signal]:
    """Return the signals in which at least one of the new events takes part.

    Parameters
    ----------
    new : iterable of Observation
        The events just stored, all of one jurisdiction, each as it stands now.
    context : iterable of Observation
        The other standing events that happened within :data:`CONTEXT` (144 h) of any new one, before or after. More
        do no harm; an event that is in both is counted once, as it is in ``new``.
    thresholds : TripwireThresholds
        From calibration, or the stated prior.
    adjacency : mapping of AreaCode to frozenset of AreaCode
        The detection areas beside each detection area.
    jurisdiction : Jurisdiction
        Whose events they are.
    now : datetime
        Events known only after this moment are left out. Nothing else depends on it but how old a bulk load is.
    seen : Seen, optional
        What laboratories had found before. Without it nothing is ever called a first.
    area_names : mapping of AreaCode to str, optional
        What people call each detection area.
    zone : ZoneInfo
        The time zone in which days begin.

    Returns
    -------
    list of Signal
        Sorted by family, day and key. Populations other than the general one make records only.
    """
    known = {item.identity: item for item in context if item.known_at <= now}
    fresh_ids = set()
    for item in new:
        if item.known_at <= now:
            known[item.identity] = item
            fresh_ids.add(item.identity)
    setting = Setting(thresholds, adjacency, now, zone, seen or Seen())
    everything = list(known.values())
    signals = []
    for stratum in Stratum:
        observations = in_stratum(everything, stratum)
        for rule in _RULES:
            for finding in rule(setting, observations):
                if any(item.identity in fresh_ids for item in finding.members):
                    told = _kept_apart(finding, stratum)
                    signals.append(signal_of(told, setting, jurisdiction, area_names or {}))
    return sorted(signals, key=lambda signal: (signal.family, signal.window_end, signal.key))


def _kept_apart(finding: Finding, stratum: Stratum) -> Finding:
    """Prison, school and self-harm events have routes of their own; here they are only kept for the file."""
    if stratum is Stratum.GENERAL:
        return finding
    return Finding(
        **{
            **finding.__dict__,
            "key": f"{stratum.value} {finding.key}",
            "tier": Tier.RECORD,
        }
    )
