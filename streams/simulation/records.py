"""Simulated columns as event messages, each with the moment at which it becomes known.

For the demo and for tests of the whole path: :func:`records`. The messages are real :mod:`schemas.events` models, so
whatever a partner could not send, a simulation cannot either. Never writes, sends or reads a clock.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.events import (
    NO_FIXED_ABODE,
    OUTSIDE,
    UNKNOWN_AREA,
    AgeBand,
    Areas,
    Confidence,
    Detection,
    Dose,
    DrugCheckingResult,
    EdPresentation,
    Event,
    Form,
    GivenBy,
    Intent,
    NaloxoneAdministration,
    Outcome,
    PlaceType,
    Response,
    Route,
    Sex,
    Source,
    SuspectedDeath,
    ToxicologyStatus,
)
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.history import CLASSES, FEEDS, PRISON, SCHOOL, SELF_HARM, History
from streams.simulation.people import HOME_OUTSIDE, NO_HOME, UNKNOWN_HOME
from streams.simulation.timing import moment_of

_C = SubstanceClass

SUBSTANCES: dict[SubstanceClass, tuple[str, ...]] = {
    _C.NITAZENE: ("metonitazene", "protonitazene", "isotonitazene"),
    _C.FENTANYL: ("fentanyl", "carfentanil"),
    _C.ORPHINE: ("brorphine", "U-47700"),
    _C.OPIATE: ("heroin", "heroin", "morphine", "codeine"),
    _C.PHARMACEUTICAL_OPIOID: ("methadone", "tramadol", "oxycodone", "buprenorphine"),
    _C.ALPHA2_SEDATIVE: ("xylazine", "medetomidine"),
    _C.NOVEL_BENZODIAZEPINE: ("etizolam", "bromazolam", "flubromazolam"),
    _C.BENZODIAZEPINE: ("diazepam", "alprazolam", "nitrazepam"),
    _C.SYNTHETIC_CANNABINOID: ("spice", "synthetic cannabinoid", "5F-MDMB-PINACA"),
    _C.STIMULANT: ("cocaine", "crack", "amphetamine", "MDMA"),
    _C.DISSOCIATIVE: ("ketamine",),
    _C.OTHER_DEPRESSANT: ("pregabalin", "gabapentin", "GHB", "zopiclone"),
    _C.UNKNOWN_OPIOID: ("unknown opioid",),
    _C.UNKNOWN: (),
}
"""Names that a record of each class may use; the taxonomy must know every one (tested)."""

_TOKEN_DAYS = 28
_MINUTES_A_DAY = 1440
_AGES = (
    (AgeBand.FROM_18_TO_24, 120),
    (AgeBand.FROM_25_TO_34, 370),
    (AgeBand.FROM_35_TO_44, 680),
    (AgeBand.FROM_45_TO_54, 880),
    (AgeBand.FROM_55, 970),
    (AgeBand.UNKNOWN, 1000),
)
_PLACES = (
    (PlaceType.HOME, 560),
    (PlaceType.SUPPORTED_HOUSING, 670),
    (PlaceType.PUBLIC, 890),
    (PlaceType.VENUE_OR_EVENT, 930),
    (PlaceType.UNKNOWN, 1000),
)
_HOMES = {UNKNOWN_HOME: UNKNOWN_AREA, NO_HOME: NO_FIXED_ABODE, HOME_OUTSIDE: OUTSIDE}
_RESPONSES = (Response.IMPROVED, Response.NONE, Response.UNKNOWN)


@dataclass(frozen=True)
class SimulatedRecord:
    """One message and when the service would learn of it."""

    event: Event
    known_at: datetime


def records(history: History) -> Iterator[SimulatedRecord]:
    """Yield every record of a history by the moment it becomes known (ties in a fixed order).

    ``received_at`` is left empty: whoever plays the record stamps it, as a connector does.
    """
    maker = _Maker(history)
    for row in range(len(history.events.feed)):
        yield SimulatedRecord(maker.event(row), moment_of(int(history.events.known[row])))


def token(label: str, kind: str, number: int, occurred: int) -> str:
    """Return the token of a scene or a person: keyed by history and rotated every 28 days, as a sender's would be."""
    period = occurred // (_MINUTES_A_DAY * _TOKEN_DAYS)
    return hashlib.sha256(f"{label}\x1f{kind}\x1f{number}\x1f{period}".encode()).hexdigest()[:32]


class _Maker:
    """Makes messages of the rows of one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._places = history.places
        self._hospital = history.places.hospital_of()
        self._hospital_area = [
            self._places.areas[
                int(self._places.area_of[self._places.nearest_fine(item.latitude, item.longitude)])
            ]
            for item in self._places.hospitals
        ]

    def event(self, row: int) -> Event:
        match FEEDS[int(self._history.events.feed[row])]:
            case Feed.SUSPECTED_DEATHS:
                return self._death(row)
            case Feed.AMBULANCE_NALOXONE:
                return self._naloxone(row)
            case Feed.ED_PRESENTATIONS:
                return self._ed(row)
            case Feed.DRUG_CHECKING:
                return self._sample(row)

    def _death(self, row: int) -> Event:
        return SuspectedDeath(
            event_id=self._id("death", row),
            jurisdiction=self._places.jurisdiction,
            source=Source(organisation="police"),
            suspected=self._named(row),
            toxicology=ToxicologyStatus.PENDING,
            **self._common(row),
        )

    def _naloxone(self, row: int) -> Event:
        columns, variant = self._history.events, int(self._history.events.variant[row])
        routes = (Route.INTRANASAL, Route.INTRAMUSCULAR, Route.INTRAVENOUS)
        first = GivenBy.TAKE_HOME_OR_BYSTANDER if variant % 10 == 0 else GivenBy.AMBULANCE
        doses = tuple(
            Dose(given_by=first if number == 0 else GivenBy.AMBULANCE, route=routes[(variant + number) % 3])
            for number in range(int(columns.doses[row]))
        )
        return NaloxoneAdministration(
            event_id=self._id("naloxone", row),
            jurisdiction=self._places.jurisdiction,
            source=Source(organisation="ambulance"),
            doses=doses,
            response=_RESPONSES[int(columns.response[row])],
            cardiac_arrest=bool(columns.arrest[row]),
            outcome=Outcome.CONVEYED if variant % 3 else Outcome.NOT_CONVEYED,
            suspected=self._named(row),
            **self._common(row),
        )

    def _ed(self, row: int) -> Event:
        variant = int(self._history.events.variant[row])
        return EdPresentation(
            event_id=self._id("ed", row),
            jurisdiction=self._places.jurisdiction,
            source=self._ed_source(row),
            acuity=2 + variant % 3,
            diagnoses=("T40.2",) if variant % 3 == 0 else (),
            disposal=Outcome.ADMITTED if variant % 3 == 1 else Outcome.DISCHARGED,
            suspected=self._named(row),
            **self._common(row),
        )

    def _sample(self, row: int) -> Event:
        columns, variant = self._history.events, int(self._history.events.variant[row])
        area = self._places.areas[int(self._places.area_of[int(columns.event_place[row])])]
        batch = int(columns.batch[row])
        found = tuple(
            Detection(substance=name, method="gc-ms", confidence=Confidence.CONFIRMED)
            for name in self._named(row)
        )
        forms = (Form.POWDER, Form.TABLET, Form.POWDER, Form.CAPSULE, Form.VAPE)
        return DrugCheckingResult(
            event_id=self._id("sample", row),
            jurisdiction=self._places.jurisdiction,
            source=Source(organisation="drug-checking"),
            occurred_at=moment_of(int(columns.occurred[row])),
            areas=Areas(event=area, site=area),
            batch=f"{self._history.label}-batch-{batch:06d}" if batch >= 0 else None,
            form=forms[variant % len(forms)],
            sold_as=self._pick(int(columns.sold_class[row]), variant // 7),
            detected=found,
            service="drug-checking",
        )

    def _common(self, row: int) -> dict[str, Any]:
        """Return what the three feeds about people share."""
        columns, variant = self._history.events, int(self._history.events.variant[row])
        occurred, label = int(columns.occurred[row]), self._history.label
        stratum = int(columns.stratum[row])
        place = next(kind for kind, below in _PLACES if variant < below)
        if stratum in (PRISON, SCHOOL):
            place = PlaceType.PRISON_OR_CUSTODY if stratum == PRISON else PlaceType.SCHOOL
        person, scene = int(columns.person[row]), int(columns.scene[row])
        # Age and sex belong to the person, so that one person's records agree.
        spot = (person * 7919) % 1000
        age = next(band for band, below in _AGES if spot < below)
        return {
            "occurred_at": moment_of(occurred),
            "areas": self._areas(row),
            "place_type": place,
            "intent": Intent.SELF_HARM
            if stratum == SELF_HARM
            else (Intent.UNKNOWN if variant % 2 else Intent.ACCIDENTAL),
            "age_band": AgeBand.UNDER_18 if stratum == SCHOOL else age,
            "sex": (Sex.MALE, Sex.MALE, Sex.FEMALE)[person % 3],
            "scene": token(label, "scene", scene, occurred) if columns.scene_token[row] else None,
            "subject": token(label, "subject", person, occurred) if columns.subject_token[row] else None,
        }

    def _areas(self, row: int) -> Areas:
        columns = self._history.events
        home = int(columns.home[row])
        event = int(columns.event_place[row])
        site = UNKNOWN_AREA
        if FEEDS[int(columns.feed[row])] is Feed.ED_PRESENTATIONS and self._places.hospitals:
            site = self._hospital_area[int(self._hospital[event])]
        return Areas(
            event=self._places.fine[event] if columns.event_stated[row] else UNKNOWN_AREA,
            residence=_HOMES[home] if home < 0 else self._places.fine[home],
            site=site,
        )

    def _ed_source(self, row: int) -> Source:
        if not self._places.hospitals:
            return Source(organisation="hospital")
        hospital = self._places.hospitals[int(self._hospital[int(self._history.events.event_place[row])])]
        return Source(organisation=hospital.organisation, site=hospital.site)

    def _named(self, row: int) -> tuple[str, ...]:
        columns, variant = self._history.events, int(self._history.events.variant[row])
        first = self._pick(int(columns.first_class[row]), variant)
        return first + self._pick(int(columns.second_class[row]), variant // 7)

    def _pick(self, class_index: int, variant: int) -> tuple[str, ...]:
        names = SUBSTANCES[CLASSES[class_index]] if class_index >= 0 else ()
        return (names[variant % len(names)],) if names else ()

    def _id(self, kind: str, row: int) -> str:
        return f"{self._history.label}-{kind}-{row:07d}"
