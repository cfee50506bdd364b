"""Explaining on both databases: what was known then is read back, and every number comes out as it was stored."""

from pathlib import Path

from pydantic import SecretStr

from schemas.vocabulary import Jurisdiction
from streams.detectors import detectors_of
from tests.unit.cli.seeded import play
from tocsin.calibration import kent_profile
from tocsin.explaining import explain
from tocsin.explaining_stored import recent
from tocsin.learnt import learnt_for
from tocsin.replay import Request, replay_settings
from tocsin.wiring import open_database

KENT = Jurisdiction("kent-and-medway")


def test_the_latest_signals_come_out_as_they_were_stored(database_url: str, tmp_path: Path) -> None:
    profile = kent_profile()
    request = Request([], tmp_path / "none.toml", tmp_path / "none.csv")
    made = replay_settings(profile, request, tmp_path / "none.sqlite")
    settings = made.model_copy(update={"database_url": SecretStr(database_url)})
    play(settings, profile)
    database = open_database(settings)
    learnt = learnt_for(KENT, None)
    with database.read() as connection:
        stored = [one for one in recent(connection, [KENT], 100) if "tripwire" not in one.signal.detector]
        assert len(stored) >= 3
        for one in (stored[0], stored[-1]):
            document = explain(connection, one, profile, learnt, detectors_of(profile))
            assert document["recomputed"]["differences"] == [], one.name
            assert document["recomputed"]["equal"]
            assert len(document["evidence"]) == one.signal.observed
    database.close()
