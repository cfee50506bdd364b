"""Two scripted outbreaks: what the demo must find. Nothing in them is drawn: every person and hour is written here.

:func:`thanet_household` follows the public account of Kent in January 2018 (synthetic cannabinoids, nine people from one
address in Westgate-on-Sea). :func:`nitazene_spike` is made up, at a realistic size: no such cluster is known from Kent in
that month. All hours are Europe/London winter time, which is UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.events import (
    AgeBand,
    Areas,
    Confidence,
    Detection,
    Dose,
    DrugCheckingResult,
    EdPresentation,
    Form,
    GivenBy,
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
from streams.simulation.places import Places
from streams.simulation.records import SimulatedRecord, token

WESTGATE = (51.381, 1.337)
MARGATE, CLIFTONVILLE, RAMSGATE, BROADSTAIRS = (
    (51.388, 1.381),
    (51.389, 1.400),
    (51.335, 1.416),
    (51.359, 1.438),
)
CANTERBURY, NORTHGATE, HERNE_BAY = (51.278, 1.080), (51.285, 1.088), (51.370, 1.128)

_QEQM = Source(organisation="east-kent-hospitals", site="qeqm")
_AMBULANCE = Source(organisation="ambulance")
_POLICE = Source(organisation="police")
_CHECKING = Source(organisation="drug-checking")
_ROUTES = (Route.INTRANASAL, Route.INTRAMUSCULAR, Route.INTRAVENOUS)
_SEXES = (Sex.MALE, Sex.FEMALE, Sex.MALE)
_AGES = (AgeBand.FROM_35_TO_44, AgeBand.FROM_25_TO_34, AgeBand.FROM_45_TO_54)

Position = tuple[float, float]


@dataclass(frozen=True)
class _Casualty:
    """One person of a script: when, where, and in which feeds they are seen, each with its delay in hours."""

    at: datetime
    position: Position
    ed: float | None = None
    naloxone: float | None = None
    death: float | None = None
    doses: int = 1
    response: Response = Response.IMPROVED
    arrest: bool = False
    suspected: tuple[str, ...] = ()
    place: PlaceType = PlaceType.HOME
    scene: int | None = None
    """People of one scene share its number; everybody else has a scene of their own."""


@dataclass(frozen=True)
class _Sample:
    at: datetime
    position: Position
    delay: float
    sold_as: str
    found: tuple[str, ...]


def _on(day: int, hour: int, minute: int, month: int = 2) -> datetime:
    return datetime(2018, month, day, hour, minute, tzinfo=UTC)


_SPICE = ("spice",)

HOUSEHOLD: tuple[_Casualty, ...] = (
    *(
        _Casualty(_on(22, hour, minute, 1), WESTGATE, ed=delay, suspected=named, scene=1)
        for hour, minute, delay, named in (
            (17, 35, 0.6, ()),
            (17, 50, 1.1, _SPICE),
            (18, 5, 0.9, _SPICE),
            (18, 20, 1.6, _SPICE),
            (18, 40, 1.2, ()),
            (19, 10, 2.0, _SPICE),
            (19, 45, 1.4, _SPICE),
            (20, 30, 1.0, ()),
            (21, 15, 2.3, _SPICE),
        )
    ),
    _Casualty(_on(28, 14, 20, 1), CANTERBURY, ed=1.5, suspected=_SPICE, place=PlaceType.PUBLIC),
    _Casualty(_on(28, 16, 5, 1), NORTHGATE, ed=2.5, death=19.0, suspected=_SPICE, place=PlaceType.PUBLIC),
)
"""22 January: nine from one address, at QEQM within four hours; 28 January: two in Canterbury, one of whom died."""

_NONE = Response.NONE

SPIKE: tuple[_Casualty, ...] = (
    _Casualty(_on(14, 19, 10), MARGATE, naloxone=5.5, ed=3.0),
    _Casualty(_on(14, 22, 45), CLIFTONVILLE, naloxone=9.0, doses=3, response=_NONE),
    _Casualty(_on(15, 2, 20), RAMSGATE, naloxone=8.0, death=14.0, doses=4, response=_NONE, arrest=True),
    _Casualty(_on(15, 13, 30), MARGATE, naloxone=6.0, doses=2, place=PlaceType.PUBLIC, ed=2.0),
    _Casualty(_on(15, 17, 5), NORTHGATE, naloxone=4.0, doses=3, place=PlaceType.SUPPORTED_HOUSING),
    _Casualty(_on(15, 21, 40), CLIFTONVILLE, naloxone=7.0, response=_NONE, ed=4.0, suspected=("heroin",)),
    _Casualty(_on(16, 11, 15), CANTERBURY, naloxone=3.5, place=PlaceType.PUBLIC),
    _Casualty(_on(16, 15, 50), MARGATE, ed=2.5, suspected=("heroin",)),
    _Casualty(_on(16, 18, 25), RAMSGATE, naloxone=12.0, doses=3, response=_NONE, ed=5.0),
    _Casualty(_on(16, 23, 10), NORTHGATE, naloxone=10.0, doses=2),
    _Casualty(_on(17, 1, 55), MARGATE, naloxone=16.0, place=PlaceType.PUBLIC),
    _Casualty(_on(17, 9, 0), BROADSTAIRS, death=26.0, suspected=("heroin",)),
    _Casualty(_on(17, 20, 30), CANTERBURY, naloxone=14.0, doses=2, response=_NONE),
    _Casualty(_on(17, 22, 15), CLIFTONVILLE, ed=3.5),
    _Casualty(_on(18, 16, 40), HERNE_BAY, naloxone=18.0, ed=6.0, suspected=("heroin",)),
    _Casualty(_on(19, 12, 20), MARGATE, naloxone=6.5, doses=3),
)
"""13 naloxone patients, 7 A&E presentations (5 of them the same people) and 2 suspected deaths in six days."""

SPIKE_SAMPLES: tuple[_Sample, ...] = (
    _Sample(_on(15, 11, 0), MARGATE, 1.5, "heroin", ("heroin", "metonitazene")),
    _Sample(_on(17, 14, 0), CANTERBURY, 46.0, "heroin", ("heroin", "metonitazene", "caffeine")),
)
"""One tested on site on the second day; one sent to a laboratory."""


def thanet_household(places: Places) -> list[SimulatedRecord]:
    """Return the records of January 2018, by the moment they become known."""
    return _records(places, "kent-2018-01", HOUSEHOLD, ())


def nitazene_spike(places: Places) -> list[SimulatedRecord]:
    """Return the records of the made-up nitazene spike of February 2018, by the moment they become known."""
    return _records(places, "spike-2018-02", SPIKE, SPIKE_SAMPLES)


def _records(
    places: Places, label: str, casualties: Sequence[_Casualty], samples: Sequence[_Sample]
) -> list[SimulatedRecord]:
    found = [
        record
        for number, casualty in enumerate(casualties)
        for record in _of(places, label, number, casualty)
    ]
    found += [_sample(places, label, number, sample) for number, sample in enumerate(samples)]
    return sorted(found, key=lambda record: (record.known_at, record.event.event_id))


def _of(places: Places, label: str, number: int, casualty: _Casualty) -> list[SimulatedRecord]:
    """Return the records of one person, one for each feed that sees them."""
    occurred = int(casualty.at.timestamp()) // 60
    here = places.fine[places.nearest_fine(*casualty.position)]
    common = {
        "jurisdiction": places.jurisdiction,
        "place_type": casualty.place,
        "suspected": casualty.suspected,
        "age_band": _AGES[number % 3],
        "sex": _SEXES[number % 3],
        "subject": token(label, "subject", number, occurred),
        "scene": token(label, "scene", 1000 + number if casualty.scene is None else casualty.scene, occurred),
    }
    areas = Areas(event=here, residence=here)
    found: list[SimulatedRecord] = []
    if casualty.naloxone is not None:
        doses = tuple(
            Dose(given_by=GivenBy.AMBULANCE, route=_ROUTES[(number + one) % 3])
            for one in range(casualty.doses)
        )
        event = NaloxoneAdministration.model_validate(
            common
            | {
                "event_id": f"{label}-naloxone-{number:02d}",
                "source": _AMBULANCE,
                "occurred_at": casualty.at,
                "areas": areas,
                "doses": doses,
                "response": casualty.response,
                "cardiac_arrest": casualty.arrest,
                "outcome": Outcome.CONVEYED if casualty.ed else Outcome.UNKNOWN,
            }
        )
        found.append(SimulatedRecord(event, casualty.at + timedelta(hours=casualty.naloxone)))
    if casualty.ed is not None:
        arrived = casualty.at + timedelta(minutes=35 if casualty.naloxone is not None else 0)
        presentation = EdPresentation.model_validate(
            common
            | {
                "event_id": f"{label}-ed-{number:02d}",
                "source": _QEQM,
                "occurred_at": arrived,
                "areas": areas.model_copy(update={"site": _site(places)}),
                "acuity": 2,
            }
        )
        found.append(SimulatedRecord(presentation, arrived + timedelta(hours=casualty.ed)))
    if casualty.death is not None:
        death = SuspectedDeath.model_validate(
            common
            | {
                "event_id": f"{label}-death-{number:02d}",
                "source": _POLICE,
                "occurred_at": casualty.at + timedelta(minutes=50),
                "areas": areas,
                "toxicology": ToxicologyStatus.PENDING,
            }
        )
        found.append(SimulatedRecord(death, casualty.at + timedelta(minutes=50, hours=casualty.death)))
    return found


def _site(places: Places) -> str:
    """Return the detection area in which QEQM stands (Margate)."""
    return places.areas[int(places.area_of[places.nearest_fine(51.378, 1.390)])]


def _sample(places: Places, label: str, number: int, sample: _Sample) -> SimulatedRecord:
    area = places.areas[int(places.area_of[places.nearest_fine(*sample.position)])]
    event = DrugCheckingResult(
        event_id=f"{label}-sample-{number:02d}",
        jurisdiction=places.jurisdiction,
        source=_CHECKING,
        occurred_at=sample.at,
        areas=Areas(event=area, site=area),
        form=Form.POWDER,
        appearance="brown-powder",
        sold_as=(sample.sold_as,),
        detected=tuple(
            Detection(substance=name, method="gc-ms", confidence=Confidence.CONFIRMED)
            for name in sample.found
        ),
        service="drug-checking",
    )
    return SimulatedRecord(event, sample.at + timedelta(hours=sample.delay))
