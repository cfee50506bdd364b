"""The records that benchmarks send: simulated people of Kent and Medway, as NDJSON and as history in a database."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from schemas.clock import civil_day
from schemas.events import as_content
from schemas.geography import load_kent_and_medway
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.connectors.records import DecodedRecord, accept
from streams.simulation.history import draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY, SimulationParameters
from streams.simulation.places import KENT_HOSPITALS, places_from
from streams.simulation.records import SimulatedRecord, records
from tocsin.wiring import House

NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one feed, ready to be posted."""

    feed: Feed
    body: bytes
    records: int


def busier(factor: float) -> SimulationParameters:
    """Return Kent and Medway with so many times the usual records in each feed."""
    parts = {
        name: getattr(KENT_AND_MEDWAY, name).model_copy(
            update={"per_year": getattr(KENT_AND_MEDWAY, name).per_year * factor}
        )
        for name in ("naloxone", "ed", "deaths", "samples")
    }
    return KENT_AND_MEDWAY.model_copy(update=parts)


def simulated(
    place: Jurisdiction,
    until: datetime,
    days: int,
    seed: int,
    *,
    parameters: SimulationParameters = KENT_AND_MEDWAY,
    label: str = "sim",
) -> list[SimulatedRecord]:
    """Return what became known until a moment of so many days that lead up to it, in that order."""
    places = places_from(load_kent_and_medway(), place, KENT_HOSPITALS)
    first = civil_day(until) - timedelta(days=days - 1)
    history = draw_history(parameters, places, first, days, np.random.default_rng(seed), label=label)
    return [record for record in records(history) if record.known_at < until]


def batches(found: Sequence[SimulatedRecord], size: int) -> list[Batch]:
    """Cut records into NDJSON batches of one feed each, in the order in which each batch was complete."""
    waiting: dict[Feed, list[bytes]] = {feed: [] for feed in Feed}
    made: list[Batch] = []
    for record in found:
        lines = waiting[record.event.feed]
        lines.append(json.dumps(as_content(record.event)).encode())
        if len(lines) == size:
            made.append(_batch(record.event.feed, lines))
            lines.clear()
    return made + [_batch(feed, lines) for feed, lines in waiting.items() if lines]


def _batch(feed: Feed, lines: Sequence[bytes]) -> Batch:
    return Batch(feed, b"\n".join(lines) + b"\n", len(lines))


def teach(
    house: House,
    found: Sequence[SimulatedRecord],
    place: Jurisdiction,
    received_at: datetime,
    *,
    delivery: Delivery = Delivery.BACKFILL,
) -> None:
    """Put records into a house's database as if received at a past moment; no job runs."""
    for feed, decoded in _by_feed(found):
        accepted = accept(
            decoded,
            feed=feed,
            jurisdiction=place,
            origin="benchmark",
            received_at=received_at,
            area_codes=house.profiles[place].geography.areas,
            delivery=delivery,
        )
        if accepted.quarantined:
            raise RuntimeError("A simulated record was refused: " + accepted.quarantined[0].reason)
        house.log.append(accepted.log_records)
    house.log.drain(house.intake.handle)


def _by_feed(found: Sequence[SimulatedRecord]) -> Iterator[tuple[Feed, list[DecodedRecord]]]:
    for feed in Feed:
        mine = [
            DecodedRecord(f"record {number}", as_content(one.event))
            for number, one in enumerate(found)
            if one.event.feed is feed
        ]
        if mine:
            yield feed, mine
