"""From the log's bytes to something that can be stored: validation, substances, area, day and stratum.

Pure: no database and no clock. Intake calls :func:`decode` for each record before it opens its transaction; a record
that does not validate becomes a :class:`Refusal`, with a sentence that a person can act on and that repeats nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from schemas.clock import civil_day, monday_of
from schemas.events import (
    EVENT,
    FIELD_NAMES,
    DrugCheckingResult,
    EdPresentation,
    Event,
    Intent,
    NaloxoneAdministration,
    PlaceType,
    SuspectedDeath,
    content_hash,
    identity_of,
    safe_errors,
)
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass, Taxonomy
from schemas.vocabulary import Jurisdiction, Precision, Stratum
from streams.log.port import Positioned
from streams.profile import JurisdictionProfile

_MOST_ITEMS = 100
_LONGEST_VALUE = 128
FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a sender's clock may run ahead of ours."""


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 (what happens to a record, not a mistake in the program)
    """Why a record was not taken in."""

    code: str
    sentence: str
    body: str | None
    """The record as redacted JSON, or nothing when it could not be read."""
    complete: bool


@dataclass(frozen=True)
class Counted:
    """Where, when and as what an event counts, and what is stored of its message."""

    area: AreaCode
    """The finest area known."""
    detection_area: AreaCode
    grain: str
    day: date
    stratum: Stratum
    classes: tuple[str, ...]
    unknown_substances: tuple[str, ...]
    body: Mapping[str, Any]
    """Canonical substance names, no tokens."""


@dataclass(frozen=True)
class Decoded(Counted):
    """A valid record, ready to be compared with what is stored."""

    item: Positioned
    event: Event
    identity: str
    content_hash: str
    jurisdiction: Jurisdiction

    @property
    def known_at(self) -> datetime:
        """When we learned of it: when the connector received it."""
        return self.item.record.received_at


def decode(
    item: Positioned, profiles: Mapping[Jurisdiction, JurisdictionProfile], taxonomy: Taxonomy
) -> Decoded:
    """Validate one record and work out where, when and as what it counts.

    Raises
    ------
    Refusal
        If it cannot be taken in as it is.
    """
    record = item.record
    try:
        event = EVENT.validate_json(record.body)
    except ValidationError as error:
        raise _invalid(record.body, error) from None
    if event.feed is not record.feed or event.jurisdiction != record.jurisdiction:
        sentence = "The record names another feed or jurisdiction than the one it was sent to."
        raise Refusal("wrong_feed", sentence, _kept(record.body), complete=True)
    profile = profiles.get(Jurisdiction(event.jurisdiction))
    if profile is None:
        sentence = "The jurisdiction is not one that this service is set up for."
        raise Refusal("unknown_jurisdiction", sentence, _kept(record.body), complete=True)
    if _is_in_the_future(event, record.received_at, profile):
        sentence = (
            "occurred_at lies in the future of the moment at which the record arrived; check the sender's clock and "
            "time zone."
        )
        raise Refusal("future", sentence, _kept(record.body), complete=True)
    if wrong := profile.unknown_codes(event.areas):
        names = " and ".join(f"areas.{name}" for name in wrong)
        sentence = (
            f"{names} is not an area code of the geography loaded for {profile.name}; send a code of that geography, "
            "or unknown, no_fixed_abode or outside."
        )
        raise Refusal("unknown_area", sentence, _kept(record.body), complete=True)
    return Decoded(
        **vars(counted_as(event, profile, taxonomy)),
        item=item,
        event=event,
        identity=identity_of(event.source, event.event_id),
        content_hash=content_hash(event),
        jurisdiction=Jurisdiction(event.jurisdiction),
    )


def counted_as(event: Event, profile: JurisdictionProfile, taxonomy: Taxonomy) -> Counted:
    """Return where, when and as what a valid event counts."""
    area = profile.counted_area(event.feed, event.areas)
    day, grain = _counted_day(event, profile)
    body, classes, unknown = _substances(event, taxonomy, profile)
    return Counted(
        area=area,
        detection_area=profile.geography.detection_area_of(area) or profile.geography.root,
        grain=grain,
        day=day,
        stratum=_stratum(event),
        classes=classes,
        unknown_substances=unknown,
        body=body,
    )


def _invalid(body: bytes, error: ValidationError) -> Refusal:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal("malformed", "The record is not valid JSON.", None, complete=False)
    if not isinstance(content, dict):
        return Refusal("malformed", "The record is not a JSON object.", None, complete=False)
    safe, complete = known_fields(content)
    return Refusal("invalid", safe_errors(error), json.dumps(safe, sort_keys=True), complete=complete)


def _kept(body: bytes) -> str:
    return json.dumps(json.loads(body), sort_keys=True)


def known_fields(content: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a record without the fields that no message has (somebody may have put a name there), and if it is whole."""
    complete = True

    def clean(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
        nonlocal complete
        if isinstance(value, dict):
            complete = complete and all(name in FIELD_NAMES for name in value)
            return {name: clean(item) for name, item in value.items() if name in FIELD_NAMES}
        if isinstance(value, list):
            complete = complete and len(value) <= _MOST_ITEMS
            return [clean(item) for item in value[:_MOST_ITEMS]]
        if isinstance(value, str) and len(value) > _LONGEST_VALUE:
            complete = False
            return "[too long to keep]"
        return value

    return clean(dict(content)), complete


def _is_in_the_future(event: Event, received_at: datetime, profile: JurisdictionProfile) -> bool:
    """Whether a record speaks of what had not begun; one known to the day, week or month may be of the present one."""
    latest = received_at + FUTURE_TOLERANCE
    if event.precision in (Precision.MINUTE, Precision.HOUR):
        return event.occurred_at > latest
    return _counted_day(event, profile)[0] > civil_day(latest, profile.zone)


def _counted_day(event: Event, profile: JurisdictionProfile) -> tuple[date, str]:
    day = civil_day(event.occurred_at, profile.zone)
    if event.precision.is_daily:
        return day, "day"
    if event.precision is Precision.WEEK:
        return monday_of(day), "week"
    return day.replace(day=1), "month"


def _stratum(event: Event) -> Stratum:
    """Prison, school and self-harm events are counted apart; a person in custody is in that stratum first."""
    if event.place_type is PlaceType.PRISON_OR_CUSTODY:
        return Stratum.PRISON
    if event.intent is Intent.SELF_HARM:
        return Stratum.SELF_HARM
    if event.place_type is PlaceType.SCHOOL:
        return Stratum.SCHOOL
    return Stratum.GENERAL


def _named(event: Event) -> dict[str, tuple[str, ...]]:
    """Return the substance strings of a message by field; what it was sold as says nothing of what it is."""
    match event:
        case SuspectedDeath():
            return {"suspected": event.suspected, "confirmed": event.confirmed}
        case NaloxoneAdministration() | EdPresentation():
            return {"suspected": event.suspected}
        case DrugCheckingResult():
            return {"detected": tuple(item.substance for item in event.detected)}


def _substances(
    event: Event, taxonomy: Taxonomy, profile: JurisdictionProfile
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Return the body to store, the classes to count and the strings that the taxonomy does not know."""
    body = event.model_dump(mode="json", exclude={"scene", "subject", "received_at"}, exclude_none=True)
    classes: set[str] = set()
    unknown: list[str] = []

    def canonical(raw: str) -> str:
        known = taxonomy.classify(raw)
        if known is None:
            unknown.append(raw)
            return "unknown"
        return known.name

    for name, strings in _named(event).items():
        for raw in strings:
            known = taxonomy.classify(raw)
            classes.add((known.substance_class if known else SubstanceClass.UNKNOWN).value)
        if name != "detected":
            body[name] = sorted({canonical(raw) for raw in strings})
    if isinstance(event, DrugCheckingResult):
        for item in body["detected"]:
            item["substance"] = canonical(item["substance"])
        body["sold_as"] = sorted({_sold_as(raw, taxonomy, unknown) for raw in event.sold_as})
    if not classes:
        classes.add(profile.feeds[event.feed].unnamed_class)
    return body, tuple(sorted(classes)), tuple(unknown)


def _sold_as(raw: str, taxonomy: Taxonomy, unknown: list[str]) -> str:
    known = taxonomy.classify(raw)
    if known is not None:
        return known.name
    sold_as = taxonomy.sold_as(raw)
    if sold_as is not None:
        return sold_as.value
    unknown.append(raw)
    return "unknown"
