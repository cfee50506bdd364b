"""From one posted record to its page at the mail server, on the running service with background traffic.

*Tripwire*: the third casualty at one scene. *Counts*: eight naloxone administrations in one district within hours, each
posted alone; the clock runs from the first of them, so what it shows includes the two seconds that detection waits for
more. Every trial has a district, or for counts a jurisdiction, of its own, so that no incident is open there already. All
the while 20 records a second of past months arrive for another jurisdiction, which is looked at again and again.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import func, select

from alerts.acknowledge import close_incident
from alerts.reading import list_incidents
from benchmarks.material import batches, busier, simulated, teach
from benchmarks.results import Figure, distribution, percentile
from benchmarks.service import KENT, Mail, Service, iso, mail_server, officer_of
from schemas.authorise import Authentication, Principal, Role
from schemas.clock import civil_day, monday_of, start_of_day
from schemas.geography import AreaCode, AreaLevel, Geography, load_kent_and_medway
from schemas.incidents import Outcome
from schemas.tables.detection import jurisdiction_state
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from tocsin.clocks import SystemClock, VirtualClock
from tocsin.database import SqlDatabase

TRIPWIRE_TARGET = 1.0
COUNTS_TARGET = 5.0
BACKGROUND_A_SECOND = 20
_TRIPWIRE_PLACES = 5
_HISTORY_DAYS = 400
_LONGEST_SECONDS = 30.0
_NALOXONE = Feed.AMBULANCE_NALOXONE


@dataclass
class World:
    """The running service and everything around it."""

    service: Service
    mail: Mail
    database: SqlDatabase
    geography: Geography
    rng: np.random.Generator
    number: int = 0

    def record(self, district: AreaCode, scene: str, minutes_ago: float) -> bytes:
        """Return one administration in a small area of a district."""
        self.number += 1
        small = [code for code in self.geography.at_level(AreaLevel.LSOA) if self._in(code, district)]
        content: dict[str, Any] = {
            "event_id": f"trial-{self.number}",
            "source": {"organisation": "ambulance"},
            "occurred_at": iso(SystemClock().now() - timedelta(minutes=minutes_ago)),
            "areas": {"event": str(small[int(self.rng.integers(len(small)))])},
            "doses": [{"given_by": "ambulance", "route": "intranasal"}],
            "response": "improved",
            "scene": scene,
            "subject": f"{scene}-person-{self.number:08d}",
        }
        return json.dumps(content).encode()

    def post(self, client: httpx.Client, place: Jurisdiction, body: bytes) -> float:
        """Post one record; return how long the answer took."""
        began = time.perf_counter()
        answer = client.post(
            self.service.address(_NALOXONE),
            content=body,
            headers=dict(self.service.headers(_NALOXONE, place)),
        )
        if answer.status_code != 202 or answer.json()["accepted"] != 1:
            raise RuntimeError(answer.text[:500])
        return time.perf_counter() - began

    def close_all(self, place: Jurisdiction) -> None:
        """Close what is open in a jurisdiction, as its coordinator would."""
        roles = {place: frozenset({Role.COORDINATOR, Role.ON_CALL})}
        by = Principal(person=officer_of(place).id, authenticated_by=Authentication.SHELL, roles=roles)
        with self.database.write() as connection:
            for one in list_incidents(connection, [place], open_only=True):
                close_incident(connection, one.id, by, SystemClock().now(), outcome=Outcome.NO_ACTION)

    def state_of(self, place: Jurisdiction) -> str:
        """Return what incidents a jurisdiction has: why a trial gave no page."""
        with self.database.read() as connection:
            found = list_incidents(connection, [place])
        return (
            "; ".join(f"{one.id} {one.tier.value} opened {one.opened_at} {one!r}" for one in found)
            or "no incident"
        )

    def _in(self, code: AreaCode, district: AreaCode) -> bool:
        return self.geography.detection_area_of(code) == district


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Run so many tripwire trials (52, then 20 with nothing else going on) and 24 of counts."""
    trials, counts_trials = runs or 52, min(runs or 24, 24)
    tripwire_places = [Jurisdiction(f"scene-{number:02}") for number in range(_TRIPWIRE_PLACES)]
    quiet_places = [Jurisdiction(f"quiet-{number:02}") for number in range(2)]
    counts_places = [Jurisdiction(f"counts-{number:02}") for number in range(counts_trials + 1)]
    places = [KENT, *tripwire_places, *quiet_places, *counts_places]
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder,
        mail_server() as (mail, smtp_port),
    ):
        service = Service(Path(folder), places, smtp_port)
        service.enter_people_and_keys()
        _teach(service, [KENT, *counts_places], seed)
        world = World(
            service,
            mail,
            SqlDatabase(service.settings.database_url.get_secret_value()),
            load_kent_and_medway(),
            np.random.default_rng(seed),
        )
        with service.running(), httpx.Client(timeout=30) as client:
            _wait_for_first_looks(world.database, len(places))
            for place in places:
                world.close_all(place)
            quiet = _tripwires(world, client, quiet_places, min(20, trials))
            with _background(service, seed) as posted:
                tripwires = _tripwires(world, client, tripwire_places, trials)
                counts = _counts(world, client, counts_places)
                sent, seconds = posted()
        world.database.close()
    note = (
        f"Pages by SMTP to a server on the same machine. Background: {sent / seconds:.0f} records a second, one at a "
        f"time, for another jurisdiction. Shipped thresholds; {_HISTORY_DAYS} days of simulated history."
    )
    return [
        *_figures("tripwire, third casualty at one scene", tripwires, TRIPWIRE_TARGET, trials),
        *_figures("the same with nothing else going on", quiet, TRIPWIRE_TARGET, min(20, trials)),
        *_figures("counts, from the first of eight in one district", counts, COUNTS_TARGET, counts_trials),
    ], note


def _figures(what: str, seconds: Sequence[float], target: float, trials: int) -> list[Figure]:
    if len(seconds) < trials:
        lost = f"{trials - len(seconds)} of {trials} gave no page within {_LONGEST_SECONDS:.0f} s; "
        return [
            Figure(what, lost + (distribution(seconds) if seconds else ""), f"p99 {target:.0f} s", met=False)
        ]
    met = percentile(seconds, 0.99) <= target
    return [Figure(what, distribution(seconds), f"p99 {target:.0f} s", met)]


def _teach(service: Service, places: Sequence[Jurisdiction], seed: int) -> None:
    """Put history in: what was known as this week began teaches the baseline, the rest came since."""
    now = SystemClock().now()
    began = start_of_day(monday_of(civil_day(now))) - timedelta(hours=1)
    found = {
        place: simulated(place, now - timedelta(hours=3), _HISTORY_DAYS, seed + number, label=f"{place}")
        for number, place in enumerate(places)
    }
    # The last weeks are no backfill: a count that rests on bulk-loaded records is never more than a review.
    recent = began - timedelta(days=21)
    parts = (
        (datetime.min.replace(tzinfo=UTC), recent, began, Delivery.BACKFILL),
        (recent, began, began, Delivery.LIVE),
        (began, now, now, Delivery.LIVE),
    )
    clock = VirtualClock(began)
    with service.house(clock, durable=False) as house:
        for since, until, received_at, delivery in parts:
            clock.move_to(received_at)
            for place, history in found.items():
                known = [one for one in history if since <= one.known_at < until]
                teach(house, known, place, received_at, delivery=delivery)


def _wait_for_first_looks(database: SqlDatabase, places: int) -> None:
    """Wait until each jurisdiction was looked at once, as happens after every first start."""
    until = time.perf_counter() + 300
    state = jurisdiction_state.c
    looked = select(func.count()).where(state.last_run_at.is_not(None))
    while time.perf_counter() < until:
        with database.read() as connection:
            if connection.execute(looked).scalar_one() >= places:
                time.sleep(3)
                return
        time.sleep(0.5)
    raise RuntimeError("The first looks did not finish.")


def _tripwires(
    world: World, client: httpx.Client, places: Sequence[Jurisdiction], trials: int
) -> list[float]:
    """Post three casualties at one scene, trial by trial; return the times of those that paged."""
    spots = [(place, area) for place in places for area in world.geography.detection_areas()][: trials + 1]
    found: list[float] = []
    for number, (place, district) in enumerate(spots):
        scene = f"{place}-scene-{number:020d}"
        first = time.perf_counter()
        for minutes in (50.0, 40.0):
            world.post(client, place, world.record(district, scene, minutes))
        time.sleep(float(world.rng.uniform(0.3, 1.3)))
        began = time.perf_counter()
        if world.mail.page_after(first, officer_of(place).email or "", within=0.001) is not None:
            raise RuntimeError("A page came before the third casualty: the trial shows nothing.")
        world.post(client, place, world.record(district, scene, 30.0))
        paged = world.mail.page_after(began, officer_of(place).email or "", within=_LONGEST_SECONDS)
        if paged is not None and number > 0:  # the first warms caches up
            found.append(paged - began)
        time.sleep(0.2)
        world.close_all(place)
    return found


def _counts(world: World, client: httpx.Client, places: Sequence[Jurisdiction]) -> list[float]:
    """Post eight administrations in one district of each jurisdiction; return the times of those that paged."""
    districts = world.geography.detection_areas()
    found: list[float] = []
    for number, place in enumerate(places):
        district = districts[number % len(districts)]
        time.sleep(float(world.rng.uniform(0.0, 1.0)))
        began = time.perf_counter()
        for case in range(8):
            scene = f"{place}-case-{case:020d}"
            world.post(client, place, world.record(district, scene, 10.0 + case))
        paged = world.mail.page_after(began, officer_of(place).email or "", within=_LONGEST_SECONDS)
        if paged is None:
            print(f"  no page in {place}, {district}: {world.state_of(place)}", flush=True)
        elif number > 0:  # the first warms caches up
            found.append(paged - began)
    return found


@contextmanager
def _background(service: Service, seed: int) -> Iterator[Callable[[], tuple[int, float]]]:
    """Post single records of past months at a steady rate; give what says how many were posted in how long."""
    until = SystemClock().now() - timedelta(days=45)
    found = simulated(KENT, until, 600, seed + 999, parameters=busier(6.0), label="background")
    order = np.random.default_rng(seed).permutation(len(found))
    work = cycle(batches([found[index] for index in order], 1))
    stop = threading.Event()
    posted = 0
    began = time.perf_counter()

    def post() -> None:
        nonlocal posted
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                batch = next(work)
                headers = dict(service.headers(batch.feed))
                client.post(service.address(batch.feed), content=batch.body, headers=headers)
                posted += 1
                stop.wait(max(began + posted / BACKGROUND_A_SECOND - time.perf_counter(), 0.0))

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield lambda: (posted, time.perf_counter() - began)
    finally:
        stop.set()
        thread.join()
