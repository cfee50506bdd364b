"""``tocsin explain``: everything behind one signal, worked out again from what was known when it was last written.

It makes one document of plain values (what ``--json`` prints; true numbers, stamped internal), which
``tocsin/explaining_words.py`` puts into words and ``tocsin/explaining_page.py`` onto a page. It writes nothing to the
database, and says so where its numbers are not those that were stored.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from detectors.budget import Thresholds
from detectors.contract import Detector, Look
from detectors.fallback import FALLBACK, plain_signals
from detectors.tripwire_thresholds import FAMILIES as TRIPWIRES
from detectors.tripwire_thresholds import SINGLE, TripwireThresholds
from schemas.clock import monday_of
from schemas.disclosure import Classification
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery, Tier
from streams.detection import jurisdiction_zones
from streams.profile import JurisdictionProfile
from streams.versions import known_at
from tocsin import explaining_counts
from tocsin.explaining_counts import Json, ground_of
from tocsin.explaining_stored import Stored, of_day
from tocsin.learnt import Learnt
from tocsin.looking_back import LookingBack

EVENT = event_version.c

_NEARLY_ONE = 1e-9
"""Numbers that differ by less were rounded by another machine."""
_KEYS_A_QUERY = 500


def explain(
    connection: Connection,
    stored: Stored,
    profile: JurisdictionProfile,
    learnt: Learnt,
    detectors: Sequence[Detector],
) -> Json:
    """Return everything behind a signal as a document of plain values.

    Parameters
    ----------
    connection : Connection
        For reading.
    stored : Stored
    profile : JurisdictionProfile
        Of the signal's jurisdiction.
    learnt : Learnt
        The thresholds in force; those of the moment are not kept.
    detectors : sequence of Detector
        What the jurisdiction's runs ask.
    """
    signal = stored.signal
    names = {code: area.name for code, area in profile.geography.areas.items()}
    document: Json = {
        "classification": Classification.INTERNAL.value,
        "id": stored.id,
        "name": stored.name,
        "first_seen_at": stored.first_seen_at,
        "last_seen_at": stored.last_seen_at,
        "place": explaining_counts.place_words(signal.areas, names),
        "signal": signal.model_dump(mode="json"),
    }
    if signal.family in TRIPWIRES:
        document["rule"] = _rule(signal, learnt.tripwires)
    else:
        document["thresholds"] = _thresholds(signal, learnt.counts)
        document |= _again(connection, stored, profile, learnt, detectors)
    document["evidence"] = list(_evidence(connection, stored, names))
    document["same_day"] = [
        {
            "id": other.id,
            "name": other.name,
            "tier": other.signal.tier.value,
            "sentence": other.signal.sentence,
        }
        for other in of_day(connection, signal.jurisdiction, signal.window_end)
        if other.id != stored.id
    ]
    return document


def _again(
    connection: Connection,
    stored: Stored,
    profile: JurisdictionProfile,
    learnt: Learnt,
    detectors: Sequence[Detector],
) -> Json:
    """Look again as it was, and put the pieces beside what was stored."""
    signal = stored.signal
    names = {code: area.name for code, area in profile.geography.areas.items()}
    back = LookingBack(profile, [one for one in detectors if one.name == signal.detector])
    monday = monday_of(signal.window_end)
    fitted, past = back.week(connection, monday)
    look = back.look(connection, fitted, learnt.counts, today=signal.window_end, as_of=stored.last_seen_at)
    ground = ground_of(signal, look, past, jurisdiction_zones(profile))
    return {
        "recomputed": _compared(
            signal, _detected(signal.detector, back, look, profile), stored.last_seen_at, monday.isoformat()
        ),
        "feeds": [
            {
                "feed": item.feed.value,
                "observed": item.observed,
                "expected": item.expected,
                "class_shown": ground.class_of(item.feed),
                "windows": explaining_counts.windows(ground, item.feed),
                "history": explaining_counts.history(ground, item.feed),
            }
            for item in signal.feeds
        ],
        "alternatives": explaining_counts.alternatives(ground, names),
        "days": explaining_counts.days(ground),
    }


def _detected(name: str, back: LookingBack, look: Look, profile: JurisdictionProfile) -> list[Signal] | None:
    """Return what the signal's own detector says of the look; nothing if this Tocsin has no such detector."""
    if name == FALLBACK:
        zones = jurisdiction_zones(profile)
        return plain_signals(profile.jurisdiction, look.cube, zones, look.names, profile.zone)
    if not back.detectors:
        return None
    return [signal for detector in back.detectors for signal in detector.detect(look)]


def _compared(signal: Signal, found: Sequence[Signal] | None, as_of: datetime, monday: str) -> Json:
    """Say whether the numbers that were stored are those that come out again."""
    made: Json = {"as_of": as_of, "baseline_of_week": monday, "equal": False, "differences": [], "note": ""}
    again = next(
        (one for one in found or () if (one.detector, one.key) == (signal.detector, signal.key)), None
    )
    if again is None:
        made["note"] = (
            f"This Tocsin has no detector called {signal.detector}, so nothing was worked out again."
            if found is None
            else "Looked at again, this signal does not come out: the thresholds, the model or the records changed since."
        )
        made["note"] += f" It was made by model {signal.model_version}."
        return made
    made["tier_of_the_detector"] = again.tier.value
    made["differences"] = list(_differences(signal, again))
    made["equal"] = not made["differences"]
    if made["equal"]:
        made["note"] = "Worked out again from what was known then, every number is the one that was stored."
    elif {one["what"] for one in made["differences"]} <= {"recurrence_interval_days", "tier"}:
        made["note"] = (
            "The counts and their chance come out as stored; what follows from the thresholds does not, so these were "
            "learnt anew since, or the page was held back because most records had been loaded in bulk."
        )
    else:
        made["note"] = (
            "Some numbers differ from those that were stored: a record may have come while the run was reading, records "
            "may have been removed since, or the model changed."
        )
    return made


def _differences(stored: Signal, again: Signal) -> Iterator[Json]:
    for name in ("areas", "window_start", "substance_class", "observed", "expected", "p_value", "feeds"):
        yield from _unlike(name, stored, again)
    yield from _unlike("interval", stored, again)
    yield from _unlike("recurrence_interval_days", stored, again)
    # A run may hold back what its detector says (records loaded in bulk never page), never raise it.
    if again.tier.rank < stored.tier.rank or (again.tier is not stored.tier and again.tier is not Tier.PAGE):
        yield from _unlike("tier", stored, again)


def _unlike(name: str, stored: Signal, again: Signal) -> Iterator[Json]:
    before, now = (one.model_dump(mode="json")[name] for one in (stored, again))
    if not _alike(before, now):
        yield {"what": name, "stored": before, "recomputed": now}


def _alike(one: Any, other: Any) -> bool:  # noqa: ANN401 (JSON values)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=_NEARLY_ONE)
    return bool(one == other)


def _thresholds(signal: Signal, thresholds: Thresholds) -> Json:
    """Say where the score lies among the thresholds in force, and how they were learnt."""
    family = thresholds.families.get(signal.family)
    score = signal.parameters.get("score")
    number = float(score) if isinstance(score, int | float) else None
    reached = thresholds.disposition(signal.family, number) if number is not None else None
    return {
        "family": signal.family,
        "score": number,
        "scores": {tier.value: family.scores[tier] for tier in Tier if tier in family.scores}
        if family
        else {},
        "reached": reached.value if reached else None,
        "told": signal.tier.value,
        "held_from": signal.parameters.get("held_from", ""),
        "model_version": thresholds.model_version,
        "years": thresholds.years,
        "seed": thresholds.seed,
        "note": thresholds.note,
        "learnt": {tier.value: family.learnt[tier].model_dump() for tier in Tier if tier in family.learnt}
        if family
        else {},
    }


def _rule(signal: Signal, tripwires: TripwireThresholds) -> Json:
    """Return a tripwire's rule, the thresholds that it was compared with, and its base rate."""
    kind = str(signal.parameters.get("kind", ""))
    name = f"{SINGLE}:{kind}" if signal.family == SINGLE else signal.family
    rate = tripwires.base_rate(name)
    what = signal.family.removeprefix("tripwire_")
    limits = {
        key: value
        for key, value in tripwires.model_dump(mode="json").items()
        if key.startswith(what) and not isinstance(value, Mapping | list)
    }
    if signal.family == SINGLE:
        limits = {"many_doses": tripwires.many_doses}
    score = float(signal.parameters.get("score", 0.0))
    return {
        "family": signal.family,
        "kind": kind,
        "people": signal.observed,
        "pages_from": signal.parameters.get("pages_from"),
        "hours": signal.parameters.get("hours"),
        "limits": {**limits, "fresh_hours": tripwires.fresh_hours},
        "model_version": tripwires.model_version,
        "score": score,
        "base_rate": {
            "years": rate.years,
            "episodes_at_or_above": rate.episodes(score),
            "per_year": rate.per_year(score),
            "ladder": [list(step) for step in rate.ladder],
        },
        "note": tripwires.note,
    }


def _evidence(connection: Connection, stored: Stored, names: Mapping[AreaCode, str]) -> Iterator[Json]:
    """Yield the events behind a signal as they stood when it was written."""
    wanted = stored.signal.evidence
    for start in range(0, len(wanted), _KEYS_A_QUERY):
        rows = connection.execute(
            select(
                EVENT.identity,
                EVENT.version,
                EVENT.feed,
                EVENT.occurred_at,
                EVENT.known_at,
                EVENT.detection_area,
                EVENT.classes,
                EVENT.delivery,
            )
            .where(EVENT.identity.in_(wanted[start : start + _KEYS_A_QUERY]), known_at(stored.last_seen_at))
            .order_by(EVENT.occurred_at, EVENT.identity)
        )
        for row in rows:
            yield {
                "identity": row.identity,
                "version": row.version,
                "feed": row.feed,
                "occurred_at": row.occurred_at,
                "known_at": row.known_at,
                "area": names.get(AreaCode(row.detection_area), row.detection_area),
                "classes": row.classes.split(),
                "live": row.delivery == Delivery.LIVE.value,
            }
