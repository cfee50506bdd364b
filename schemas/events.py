"""The four event messages: what a feed may say about one happening, and nothing more.

A connector builds one of these from a partner's record, the event log carries it as JSON, intake validates it again
and stores each version. Names, NHS numbers, dates of birth, full postcodes, coordinates and free text have no field
here, and unknown fields are refused. Sold-as, suspected, detected and confirmed substances are four different fields.

Validation errors are turned into safe words by :func:`safe_errors`: they never repeat what was sent.
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from schemas.vocabulary import Feed, Jurisdiction, Precision, Slug

EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
"""The sender's own identifier of the happening: opaque to us, at most 128 characters."""

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
"""A keyed hash made by the sender or the connector; never shown, dropped after 28 days."""

AreaText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:'()&/,-]{0,63}$")]
"""A code of the loaded geography, or one of ``unknown``, ``no_fixed_abode`` and ``outside``."""

SubstanceText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
"""A substance as the sender names it. Stored only when the taxonomy knows it; otherwise stored as ``unknown``."""

UNKNOWN_AREA = "unknown"
NO_FIXED_ABODE = "no_fixed_abode"
OUTSIDE = "outside"


class PlaceType(StrEnum):
    """What kind of place it happened in."""

    HOME = "home"
    SUPPORTED_HOUSING = "supported_housing"
    PUBLIC = "public"
    VENUE_OR_EVENT = "venue_or_event"
    SCHOOL = "school"
    PRISON_OR_CUSTODY = "prison_or_custody"
    HOSPITAL = "hospital"
    UNKNOWN = "unknown"


class Intent(StrEnum):
    """Why it was taken, as the sender understands it."""

    ACCIDENTAL = "accidental"
    SELF_HARM = "self_harm"
    ASSAULT = "assault"
    UNKNOWN = "unknown"


class AgeBand(StrEnum):
    """Age in bands wide enough not to identify anyone."""

    UNDER_18 = "under_18"
    FROM_18_TO_24 = "18_24"
    FROM_25_TO_34 = "25_34"
    FROM_35_TO_44 = "35_44"
    FROM_45_TO_54 = "45_54"
    FROM_55 = "55_and_over"
    UNKNOWN = "unknown"


class Sex(StrEnum):
    """Sex as the sender recorded it."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """What this message does to what we already know: says it, corrects it or takes it back."""

    NEW = "new"
    CORRECTED = "corrected"
    RETRACTED = "retracted"


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=200)


class Source(_Message):
    """Who reports: an organisation and, where it has several, the site."""

    organisation: Slug
    site: Slug | None = None


class Areas(_Message):
    """Where it happened, where the person lives and which site reports it; these are three different places."""

    event: AreaText = UNKNOWN_AREA
    residence: AreaText = UNKNOWN_AREA
    site: AreaText = UNKNOWN_AREA


class _Event(_Message):
    event_id: EventId
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """The sender's own version number, where its feed numbers versions; otherwise none, and we number them."""
    jurisdiction: Annotated[Slug, AfterValidator(Jurisdiction)]
    source: Source
    occurred_at: AwareDatetime
    precision: Precision = Precision.MINUTE
    received_at: AwareDatetime | None = None
    """When Tocsin's connector received it. Stamped by the connector; what a sender puts here is overwritten."""
    areas: Areas = Areas()
    place_type: PlaceType = PlaceType.UNKNOWN
    intent: Intent = Intent.UNKNOWN
    age_band: AgeBand = AgeBand.UNKNOWN
    sex: Sex = Sex.UNKNOWN
    status: Status = Status.NEW
    scene: Token | None = None
    subject: Token | None = None


class ToxicologyStatus(StrEnum):
    """How far the laboratory has got with a death."""

    PENDING = "pending"
    PARTIAL = "partial"
    COMPLETE = "complete"
    NOT_REQUESTED = "not_requested"
    UNKNOWN = "unknown"


class SuspectedDeath(_Event):
    """A death that police, ambulance or a coroner's officer suspect to be drug-related. Never "died of"."""

    feed: Literal[Feed.SUSPECTED_DEATHS] = Feed.SUSPECTED_DEATHS
    suspected: tuple[SubstanceText, ...] = ()
    confirmed: tuple[SubstanceText, ...] = ()
    """Found by toxicology after death. An empty list is no reassurance."""
    toxicology: ToxicologyStatus = ToxicologyStatus.UNKNOWN


class GivenBy(StrEnum):
    """Who gave a dose of naloxone."""

    AMBULANCE = "ambulance"
    POLICE = "police"
    TAKE_HOME_OR_BYSTANDER = "take_home_or_bystander"
    OTHER = "other"
    UNKNOWN = "unknown"


class Route(StrEnum):
    """How a dose of naloxone was given."""

    INTRANASAL = "intranasal"
    INTRAMUSCULAR = "intramuscular"
    INTRAVENOUS = "intravenous"
    OTHER = "other"
    UNKNOWN = "unknown"


class Response(StrEnum):
    """What the patient did after naloxone."""

    IMPROVED = "improved"
    NONE = "none"
    UNKNOWN = "unknown"


class Dose(_Message):
    """One administration of naloxone."""

    given_by: GivenBy = GivenBy.UNKNOWN
    route: Route = Route.UNKNOWN


class Outcome(StrEnum):
    """How an attendance ended, as far as the sender knows."""

    CONVEYED = "conveyed"
    NOT_CONVEYED = "not_conveyed"
    DIED = "died"
    ADMITTED = "admitted"
    DISCHARGED = "discharged"
    LEFT = "left"
    UNKNOWN = "unknown"


class NaloxoneAdministration(_Event):
    """One patient to whom naloxone was given, with every dose."""

    feed: Literal[Feed.AMBULANCE_NALOXONE] = Feed.AMBULANCE_NALOXONE
    doses: Annotated[tuple[Dose, ...], Field(max_length=50)] = ()
    response: Response = Response.UNKNOWN
    cardiac_arrest: bool | None = None
    outcome: Outcome = Outcome.UNKNOWN
    suspected: tuple[SubstanceText, ...] = ()


Diagnosis = Annotated[str, StringConstraints(pattern=r"^(?:[A-Z][0-9]{2}(?:\.?[0-9A-Z]{1,4})?|[0-9]{6,18})$")]
"""An ICD-10 or SNOMED CT code, without its words."""


class EdPresentation(_Event):
    """One attendance at an emergency department."""

    feed: Literal[Feed.ED_PRESENTATIONS] = Feed.ED_PRESENTATIONS
    acuity: Annotated[int, Field(ge=1, le=5)] | None = None
    diagnoses: Annotated[tuple[Diagnosis, ...], Field(max_length=24)] = ()
    disposal: Outcome = Outcome.UNKNOWN
    suspected: tuple[SubstanceText, ...] = ()


class Confidence(StrEnum):
    """How sure a laboratory is of one detection."""

    CONFIRMED = "confirmed"
    PROBABLE = "probable"
    TRACE = "trace"
    UNKNOWN = "unknown"


class Detection(_Message):
    """One substance found in a sample, and how."""

    substance: SubstanceText
    method: Slug | None = None
    confidence: Confidence = Confidence.UNKNOWN


class Form(StrEnum):
    """What a sample was."""

    POWDER = "powder"
    TABLET = "tablet"
    CAPSULE = "capsule"
    LIQUID = "liquid"
    VAPE = "vape"
    HERBAL = "herbal"
    PAPER = "paper"
    RESIDUE = "residue"
    OTHER = "other"
    UNKNOWN = "unknown"


class DrugCheckingResult(_Event):
    """One tested sample. Samples of one ``batch`` (ten pills of one seizure) are one observation."""

    feed: Literal[Feed.DRUG_CHECKING] = Feed.DRUG_CHECKING
    batch: EventId | None = None
    form: Form = Form.UNKNOWN
    appearance: Slug | None = None
    """A coded appearance such as ``blue-round-tablet``; no free text."""
    sold_as: tuple[SubstanceText, ...] = ()
    detected: Annotated[tuple[Detection, ...], Field(max_length=40)] = ()
    service: Slug | None = None


Event = Annotated[
    SuspectedDeath | NaloxoneAdministration | EdPresentation | DrugCheckingResult, Field(discriminator="feed")
]
"""Any of the four messages, told apart by ``feed``."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Validates and serialises an :data:`Event`: ``EVENT.validate_json(body)``."""


def identity_of(source: Source, event_id: str) -> str:
    """Return the 32 hexadecimal digits that identify a happening: a hash of (source, event_id)."""
    name = "\x1f".join((source.organisation, source.site or "", event_id))
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def content_hash(event: Event) -> str:
    """Return a hash of what a message says, so that the same content sent again is known as a repeat.

    When we received it, how the sender numbered it, and the tokens (their key is rotated) are not part of what it says.
    ``new`` and ``corrected`` say the same thing about the world; ``retracted`` does not.
    """
    content = event.model_dump(mode="json", exclude={"received_at", "version", "scene", "subject"})
    if content["status"] == Status.CORRECTED:
        content["status"] = Status.NEW.value
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


_SAFE_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this message",
    "union_tag_not_found": "must name the feed",
    "union_tag_invalid": "is not a feed that Tocsin knows",
    "timezone_aware": "must be a date and time with a time zone",
    "datetime_from_date_parsing": "must be a date and time with a time zone",
    "datetime_parsing": "must be a date and time with a time zone",
    "datetime_type": "must be a date and time with a time zone",
    "string_pattern_mismatch": "is not of the expected form",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "string_type": "must be text",
    "enum": "is not one of the allowed values",
    "literal_error": "is not one of the allowed values",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "too_long": "has too many entries",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "json_invalid": "is not valid JSON",
}


def safe_errors(error: ValidationError, *, most: int = 3) -> str:
    """Say in one sentence which fields of a message are wrong and how, repeating nothing that was sent.

    Parameters
    ----------
    error : ValidationError
        What validation of an :data:`Event` raised.
    most : int
        How many problems to name before "and N more".
    """
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        words = _SAFE_WORDS.get(item["type"], "is not valid")
        place = ".".join(_known_part(part) for part in item["loc"] if not _is_tag(part))
        if item["type"] == "json_invalid":
            problems.append("The record is not valid JSON")
        elif item["type"].startswith("union_tag"):
            problems.append(f"feed {words}")
        elif item["type"] == "model_attributes_type" and not place:
            problems.append("The record must be a JSON object")
        else:
            problems.append(f"{place or 'the record'} {words}")
    shown = "; ".join(problems[:most])
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return f"{shown}{more}."


FIELD_NAMES = frozenset(
    name
    for model in (
        SuspectedDeath,
        NaloxoneAdministration,
        EdPresentation,
        DrugCheckingResult,
        Source,
        Areas,
        Dose,
        Detection,
    )
    for name in model.model_fields
)
"""Every field that a message may have; any other name was made up by a sender and may itself be identifying."""


def _is_tag(part: str | int) -> bool:
    return part in set(Feed)


def _known_part(part: str | int) -> str:
    """Return a field's name or a position; a name that the sender made up may itself be identifying."""
    if isinstance(part, int):
        return str(part + 1)
    return part if part in FIELD_NAMES else "an unnamed field"


def as_content(event: Event) -> dict[str, Any]:
    """Return the message as the plain values of its JSON, without what it leaves unsaid."""
    content: dict[str, Any] = EVENT.dump_python(event, mode="json", exclude_none=True)
    return content


def as_json(event: Event) -> bytes:
    """Return the message as the UTF-8 JSON that the event log carries."""
    return EVENT.dump_json(event, exclude_none=True)


def event_from(content: Mapping[str, Any]) -> Event:
    """Return the event that ``content`` describes, or raise :class:`pydantic.ValidationError`."""
    return EVENT.validate_python(content)
