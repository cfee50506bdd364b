"""Replay on a small made-up place: the same bytes twice, and the same incidents however the records come.

Shuffled in the file, shuffled among those that become known at one moment, sent twice, split across restarts of the
house: none of that may matter. And what became known later must not matter earlier.
"""

import io
import json
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.substances import default_taxonomy
from streams.connectors.mapping import load_mapping
from tests.acceptance.made_up_coast import (
    AUTUMN,
    BEGIN,
    SPRING,
    Row,
    calls,
    late_cluster,
    write_calls,
    write_place,
)
from tests.acceptance.real_service import TOCSIN, environment
from tocsin import report
from tocsin.clocks import VirtualClock
from tocsin.learnt import uncalibrated
from tocsin.playing import Arrival, Player
from tocsin.replay import Request, profile_for, read_all, replay_settings, run
from tocsin.wiring import House, build

Found = Mapping[str, Any]
Replay = Callable[..., Found]


def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def request_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Request]:
    """Makes what a replay is asked for, from rows in the order given."""

    def make(rows: Sequence[Row], last_day: date | None = None) -> Request:
        folder = tmp_path_factory.mktemp("coast")
        geography, mapping = write_place(folder)
        file = write_calls(folder / "calls.csv", rows)
        return Request(
            [file],
            mapping,
            geography,
            first_day=BEGIN,
            last_day=last_day,
            calibration_years=0,
            name="Made-up Coast",
        )

    return make


@pytest.fixture(scope="module")
def replayed(request_for: Callable[..., Request]) -> Replay:
    """Replays rows, and returns incidents and timeline."""

    def play(rows: Sequence[Row], last_day: date | None = None) -> Found:
        content = run(request_for(rows, last_day), quiet())
        return {name: content[name] for name in ("incidents", "timeline")}

    return play


@pytest.fixture(scope="module")
def plain(replayed: Replay) -> Found:
    """What the calls give when nothing is done to them."""
    return replayed(calls())


def test_both_happenings_are_found_and_nearly_nothing_else(plain: Found) -> None:
    tiers = {(item["tier"], *item["areas"]) for item in plain["incidents"]}
    assert ("page", "T3") in tiers, "the address in Westquay"
    assert any("T2" in areas for _, *areas in tiers), "the days in Sandholme"
    assert len(plain["incidents"]) < 12
    opened = [
        item["opened_at"] for item in plain["incidents"] if item["areas"] == ["T3"] and item["tier"] == "page"
    ]
    assert min(opened).startswith(f"{AUTUMN + timedelta(days=1)}"), (
        "nobody could know before the file of the night"
    )
    assert all(item["opened_at"] >= f"{BEGIN}" for item in plain["incidents"]), "what teaches opens nothing"


def test_rows_shuffled_in_the_file_give_the_same_incidents(replayed: Replay, plain: Found) -> None:
    rows = calls()
    random.Random(3).shuffle(rows)
    assert replayed(rows) == plain


def test_rows_that_stand_twice_give_the_same_incidents(replayed: Replay, plain: Found) -> None:
    rows = calls()
    again = [*rows, *random.Random(4).sample(rows, len(rows) // 2)]
    random.Random(5).shuffle(again)
    assert replayed(again) == plain


def test_a_row_that_comes_again_weeks_later_changes_nothing(replayed: Replay, plain: Found) -> None:
    rows = calls()
    later = [Row(row.ref, row.when, row.town, row.known + timedelta(days=40), row.scene) for row in rows]
    last = max(row.known for row in rows)
    assert replayed([*rows, *(row for row in later if row.known <= last)]) == plain


class Played:
    """A house on a file, opened and closed as often as wanted, on one virtual time."""

    def __init__(self, request: Request, path: Path) -> None:
        self._request = request
        self._path = path
        self._profile = profile_for(request, load_mapping(request.mapping))
        read = read_all(request, load_mapping(request.mapping), self._profile.geography, default_taxonomy())
        self.begin = datetime(BEGIN.year, BEGIN.month, BEGIN.day, tzinfo=UTC)
        self.history = [one for one in read.arrivals if one.known_at < self.begin]
        self.rest = [one for one in read.arrivals if one.known_at >= self.begin]
        self.now = self.begin

    def open(self) -> tuple[House, Player]:
        clock = VirtualClock(self.now)
        house = build(
            replay_settings(self._profile, self._request, self._path),
            clock,
            owner="replay",
            durable=True,
            profiles={self._profile.jurisdiction: self._profile},
            learnt={self._profile.jurisdiction: uncalibrated(self._profile.jurisdiction)},
            people=lambda *_: (),
        )
        return house, Player(house, clock)

    def play(self, parts: Sequence[Sequence[Arrival]]) -> Found:
        """Play the history, then each part in a house of its own that is opened where the last one was closed."""
        end = self.rest[-1].known_at + timedelta(days=1)
        house, player = self.open()
        player.backfill(self.history, "replay-history")
        for number, part in enumerate(parts):
            if number:
                house.close()
                house, player = self.open()
            player.play(part, "replay", until=end if number == len(parts) - 1 else None)
            self.now = house.clock.now()
        with house.database.read() as connection:
            content = report.document(connection)
        house.close()
        return {name: content[name] for name in ("incidents", "timeline")}


@pytest.fixture
def house(request_for: Callable[..., Request], tmp_path: Path) -> Played:
    return Played(request_for(calls()), tmp_path / "split.sqlite")


def test_split_across_restarts_the_records_give_the_same_incidents(house: Played, plain: Found) -> None:
    # One cut goes through the records of one moment: the house goes down between two of them.
    within = next(
        place
        for place in range(len(house.rest) // 2, len(house.rest))
        if house.rest[place - 1].known_at == house.rest[place].known_at
    )
    cuts = (0, 1, len(house.rest) // 3, within, len(house.rest))
    parts = [house.rest[start:end] for start, end in pairwise(cuts)]
    assert house.play(parts) == plain


def test_a_restart_every_day_of_the_cluster_changes_nothing(house: Played, plain: Found) -> None:
    days = [f"{SPRING + timedelta(days=n)}" for n in range(-1, 8)]
    parts: list[list[Arrival]] = [[]]
    for _, moment in groupby(house.rest, key=lambda one: one.known_at):
        arrivals = list(moment)
        parts[-1] += arrivals
        if arrivals[0].known_at.date().isoformat() in days:
            parts.append([])
    assert len(parts) > 5
    assert house.play(parts) == plain


@pytest.mark.parametrize("seed", [6, 7])
def test_shuffled_among_those_known_at_one_moment_the_records_give_the_same_incidents(
    house: Played, plain: Found, seed: int
) -> None:
    chance = random.Random(seed)
    shuffled: list[Arrival] = []
    for _, moment in groupby(house.rest, key=lambda one: one.known_at):
        arrivals = list(moment)
        chance.shuffle(arrivals)
        shuffled += arrivals
    assert shuffled != house.rest
    chance.shuffle(house.history)
    assert house.play([shuffled]) == plain


def test_what_became_known_later_did_not_matter_earlier(replayed: Replay) -> None:
    known = datetime(2016, 8, 1, 5, 30)  # noqa: DTZ001 (a table's local time)
    late = late_cluster(known)
    before = known.date() - timedelta(days=1)
    assert replayed([*calls(), *late], last_day=before) == replayed(calls(), last_day=before)


def test_what_became_known_too_late_to_act_on_pages_nobody(replayed: Replay) -> None:
    def about_it(known: datetime) -> list[Mapping[str, Any]]:
        found = replayed([*calls(), *late_cluster(known)], last_day=date(2016, 8, 20))
        return [
            item
            for item in found["incidents"]
            if "T4" in item["areas"]
            and item["window"][0] <= "2016-06-08"
            and item["window"][1] >= "2016-06-06"
        ]

    assert about_it(datetime(2016, 6, 9, 5, 30)), "known in time, it is found"  # noqa: DTZ001 (a table's local time)
    late = about_it(datetime(2016, 8, 1, 5, 30))  # noqa: DTZ001 (as above)
    assert all(item["opened_at"] >= "2016-08-01" and item["tier"] != "page" for item in late)


def test_the_same_replay_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    geography, mapping = write_place(tmp_path)
    file = write_calls(tmp_path / "calls.csv", calls())
    written = []
    for number in (1, 2):
        out = tmp_path / f"{number}.json"
        done = subprocess.run(
            [
                *(*TOCSIN, "replay", str(file), "--mapping", str(mapping), "--geography", str(geography)),
                *(
                    "--json",
                    str(out),
                    "--from",
                    f"{BEGIN}",
                    "--to",
                    "2016-06-30",
                    "--calibration-years",
                    "4",
                    "--seed",
                    "11",
                ),
            ],
            capture_output=True,
            text=True,
            env=environment() | {"PYTHONHASHSEED": str(number)},
            cwd=tmp_path,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        for words in ("rows read in", "a second", "calibration took", "incidents:", "could not be placed"):
            assert words in done.stdout
        written.append(out.read_bytes())
    assert written[0] == written[1]
    content = json.loads(written[0])
    assert content["classification"] == "internal"
    assert content["incidents"]
    assert content["summary"]["not_placed"] == 0
