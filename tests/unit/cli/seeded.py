"""A year of made-up records of Kent and Medway, and a fortnight in which something happens: for commands that look back.

The year teaches (loaded in bulk); then nine people in Thanet are given naloxone within three days, four of them at one
address within the hour. One of the nine is corrected away afterwards, so that what was known then is not what is known
now.
"""

import random
from datetime import UTC, datetime, timedelta

from schemas.events import Areas, Dose, EdPresentation, Event, NaloxoneAdministration, Source, Status
from schemas.vocabulary import Jurisdiction
from streams.profile import JurisdictionProfile
from tocsin.clocks import VirtualClock
from tocsin.learnt import learnt_for
from tocsin.playing import Arrival, Player
from tocsin.settings import Settings
from tocsin.wiring import build

KENT = "kent-and-medway"
BEGIN = datetime(2018, 1, 8, tzinfo=UTC)
END = datetime(2018, 1, 22, 12, 0, tzinfo=UTC)
THANET = "E07000114"
DISTRICTS: tuple[str, ...] = (
    "E06000035",
    "E07000105",
    "E07000106",
    "E07000107",
    "E07000108",
    "E07000109",
    "E07000110",
)
DISTRICTS += ("E07000111", "E07000112", "E07000113", THANET, "E07000115", "E07000116")
_YEAR = 371


def call(number: object, when: datetime, area: str, **more: object) -> NaloxoneAdministration:
    """One naloxone administration."""
    return NaloxoneAdministration(
        event_id=f"call-{number}",
        jurisdiction=Jurisdiction(KENT),
        source=Source(organisation="secamb"),
        occurred_at=when,
        areas=Areas(event=area),
        doses=(Dose(),),
        **more,  # type: ignore[arg-type]
    )


def attendance(number: object, when: datetime, area: str) -> EdPresentation:
    """One attendance."""
    return EdPresentation(
        event_id=f"visit-{number}",
        jurisdiction=Jurisdiction(KENT),
        source=Source(organisation="east-kent-hospitals", site="qeqm"),
        occurred_at=when,
        areas=Areas(residence=area),
        suspected=("heroin",),
    )


def records(seed: int = 4) -> tuple[list[Arrival], list[Arrival]]:
    """Return what is loaded in bulk, and what arrives live, in the order in which it became known."""
    chance = random.Random(seed)
    past: list[Arrival] = []
    live: list[Arrival] = []
    first = BEGIN - timedelta(days=_YEAR)
    for day in range(_YEAR + (END - BEGIN).days):
        for number in range(chance.choice((0, 1, 1, 2, 3))):
            when = first + timedelta(days=day, hours=chance.uniform(0, 20))
            event: Event = (
                call(f"{day}-{number}", when, chance.choice(DISTRICTS))
                if chance.random() < 0.6
                else attendance(f"{day}-{number}", when, chance.choice(DISTRICTS))
            )
            known = when + timedelta(hours=chance.choice((2, 3, 20, 30)))
            (past if known < BEGIN else live).append(Arrival(known, event, f"made up {day}-{number}"))
    start = datetime(2018, 1, 19, 18, 0, tzinfo=UTC)
    for number in range(9):
        when = start + timedelta(hours=7 * number)
        scene = {}
        if number >= 5:
            when = start + timedelta(hours=44, minutes=10 * number)
            scene = {"scene": "keyed-hash-of-an-address"}
        event = call(f"thanet-{number}", when, THANET, suspected=("heroin",), **scene)
        live.append(Arrival(when + timedelta(hours=2), event, f"made up thanet-{number}"))
    live.sort(key=lambda one: one.known_at)
    return past, [one for one in live if one.known_at < END]


def correction() -> Event:
    """One of the nine, which was in Canterbury after all."""
    when = datetime(2018, 1, 19, 18, 0, tzinfo=UTC)
    return call("thanet-0", when, "E07000106", suspected=("heroin",), status=Status.CORRECTED)


def play(settings: Settings, profile: JurisdictionProfile | None = None) -> None:
    """Play the records into the database of these settings: intake, detection and incidents, and nobody to tell."""
    clock = VirtualClock(BEGIN)
    profiles = {profile.jurisdiction: profile} if profile is not None else None
    learnt = {profile.jurisdiction: learnt_for(profile.jurisdiction, None)} if profile is not None else None
    house = build(
        settings, clock, owner="test", durable=False, profiles=profiles, learnt=learnt, people=lambda *_: ()
    )
    player = Player(house, clock)
    past, live = records()
    player.backfill(past, "made-up-history")
    player.play(live, "made-up", until=END)
    clock.move_to(END + timedelta(minutes=1))
    player.play([Arrival(clock.now(), correction(), "made up correction")], "made-up")
    house.close()
