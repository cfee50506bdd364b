"""A file of 100,000 rows with one bad one: nothing is lost, the bad row is named, and people can act meanwhile."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from schemas.tables.events import event_version, quarantine
from streams import counting
from tests.acceptance.real_service import OFFICER, Service, link_in, wait_until
from tocsin.wiring import profiles_of

pytestmark = pytest.mark.real

ROWS = 100_000
BAD_ROW = 61_803
"""As a spreadsheet numbers it: the first line holds the names of the columns."""

MAPPING = """\
name = "ambulance-history"
feed = "ambulance-naloxone"
jurisdiction = "kent-and-medway"
[source]
organisation = "secamb"
[event_id]
column = "Ref"
[occurred_at]
columns = ["When"]
formats = ["%Y-%m-%d %H:%M"]
[areas.event]
by = "code"
columns = ["District"]
"""


def write_history(path: Path) -> None:
    """Twelve years of calls, evenly spread; one has no date."""
    start = datetime(2012, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        file.write("Ref,When,District,Crew\n")
        for number in range(ROWS):
            when = (
                "yesterday" if number + 2 == BAD_ROW else f"{start + timedelta(hours=number):%Y-%m-%d %H:%M}"
            )
            file.write(f"H{number},{when},E070001{5 + number % 12:02d},Crew {number % 7}\n")


def test_a_hundred_thousand_rows_with_a_bad_one_are_taken_in_while_a_person_acknowledges(
    service: Service, tmp_path: Path
) -> None:
    file, mapping = tmp_path / "history.csv", tmp_path / "mapping.toml"
    write_history(file)
    mapping.write_text(MAPPING, encoding="utf-8")
    service.start()
    service.wait_until_ready()
    now = datetime.now(UTC)
    scene = [
        {
            "event_id": f"call-{n}",
            "source": {"organisation": "secamb"},
            "occurred_at": (now - timedelta(minutes=10 * n)).isoformat(),
            "areas": {"event": "E07000114"},
            "scene": "keyed-hash-of-an-address-0001",
        }
        for n in range(1, 4)
    ]
    assert service.send("\n".join(map(json.dumps, scene))).status_code == 202
    link = link_in(service.mail.wait_for(OFFICER, "/acknowledge"), "/acknowledge")

    loading = service.begin_cli("load", file, "--mapping", mapping, "--backfill")
    database = service.database()
    wait_until(lambda: service.event_log_length(database) > len(scene), "the file began to load")
    assert "You have it until" in httpx.post(link, timeout=60).text
    assert loading.poll() is None, "it had loaded before anybody could act: the test tested nothing"
    said, trouble = loading.communicate(timeout=600)
    assert loading.returncode == 0, trouble
    assert "100,000 rows: 99,999 taken in, 0 filtered out by the mapping, 1 in quarantine." in said

    service.wait_until_settled()
    service.stop()
    with database.read() as connection:
        assert (
            connection.execute(select(func.count()).select_from(event_version)).scalar_one() == ROWS - 1 + 3
        )
        (bad,) = connection.execute(select(quarantine)).all()
        assert counting.compare(connection, profiles_of(service.settings)) == []
    database.close()
    assert bad.place.startswith(f"row {BAD_ROW} ")
    assert "occurred_at" in bad.reason or "When" in bad.reason
    assert "yesterday" not in bad.reason
    assert len(service.mail.to(OFFICER)) == 1, "a file of old records woke somebody"
