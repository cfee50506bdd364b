"""The audit trail: complete, in order, and a change to it shows."""

import pytest
from sqlalchemy import delete, update

from alerts import audit
from schemas.tables.audit import audit_entry
from tests.contract.alerts_timeline import KENT, Timeline, two_feeds
from tocsin.database import SqlDatabase


@pytest.fixture
def history(database: SqlDatabase) -> SqlDatabase:
    """A database in which an incident was opened, told, acknowledged, undone and closed."""
    timeline = Timeline(database)
    (incident,) = timeline.signals(two_feeds(evidence=("a" * 32,)))
    timeline.acknowledge(incident, "asha")
    timeline.undo(incident, by="asha")
    timeline.withdraw("a" * 32)
    timeline.close(incident)
    return database


def check(database: SqlDatabase) -> audit.ChainCheck:
    with database.read() as connection:
        return audit.verify(connection, KENT)


def test_every_act_stands_in_the_chain_in_order(history: SqlDatabase) -> None:
    with history.read() as connection:
        lines = list(audit.entries(connection, KENT, ("incident", "KM-2018-0001")))
    assert [(line.action, line.actor) for line in lines] == [
        ("incident_opened", "system"),
        ("notice_given", "system"),
        ("escalation_step", "system"),
        ("acknowledged", "asha"),
        ("acknowledgement_undone", "asha"),
        ("escalation_step", "system"),
        ("evidence_withdrawn", "system"),
        ("incident_closed", "cora"),
    ]
    assert check(history).holds


def test_a_changed_entry_shows(history: SqlDatabase) -> None:
    with history.write() as connection:
        connection.execute(
            update(audit_entry).where(audit_entry.c.action == "acknowledged").values(actor="ben")
        )
    found = check(history)
    assert not found.holds
    assert "was changed after it was written" in str(found.problem)


def test_an_entry_taken_from_the_middle_shows(history: SqlDatabase) -> None:
    with history.write() as connection:
        connection.execute(delete(audit_entry).where(audit_entry.c.action == "acknowledged"))
    assert "is missing" in str(check(history).problem)


def test_an_entry_taken_from_the_end_shows(history: SqlDatabase) -> None:
    with history.write() as connection:
        connection.execute(delete(audit_entry).where(audit_entry.c.action == "incident_closed"))
    assert check(history).problem == "Entries are missing from the end of the chain."


def test_a_rewritten_entry_with_a_hash_of_its_own_does_not_fit_the_next(history: SqlDatabase) -> None:
    with history.write() as connection:
        rows = connection.execute(
            audit_entry.select().where(audit_entry.c.action == "acknowledged")
        ).mappings()
        forged = dict(rows.one()) | {"actor": "ben"}
        connection.execute(
            update(audit_entry)
            .where(audit_entry.c.action == "acknowledged")
            .values(actor="ben", hash=audit.hash_of(forged))
        )
    assert "does not follow the one before it" in str(check(history).problem)


def test_a_jurisdiction_without_history_verifies(database: SqlDatabase) -> None:
    assert check(database) == audit.ChainCheck(KENT, 0, None)


def test_entries_hold_ids_and_codes_and_no_names_or_addresses(history: SqlDatabase) -> None:
    with history.read() as connection:
        text = " ".join(line.model_dump_json() for line in audit.entries(connection, KENT))
    assert "@" not in text
    assert "Asha" not in text
    assert "Thanet" not in text
