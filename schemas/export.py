"""The contracts as JSON Schema, for partners who send records and programs that read what Tocsin writes.

``tools/generate_reference.py`` writes them to ``docs/reference/schemas/``, and a test fails when the two differ. Nothing
at run time calls this: validation is done by the models themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from schemas.events import EVENT
from schemas.incidents import AuditEntry, Incident
from schemas.messages import Message
from schemas.signals import Signal

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Contract:
    """One kind of document that crosses a border of Tocsin."""

    name: str
    """Of the file, without its ending."""
    title: str
    summary: str
    """One sentence: who writes it and who reads it."""
    adapter: TypeAdapter[Any]
    mode: Literal["validation", "serialization"]
    """Whether the schema says what Tocsin takes or what it gives."""


CONTRACTS: tuple[Contract, ...] = (
    Contract(
        "event",
        "Event",
        "What a partner sends of one happening: one of four messages, told apart by `feed`.",
        EVENT,
        "validation",
    ),
    Contract(
        "signal",
        "Signal",
        "What a detector found; internal, because it holds true numbers.",
        TypeAdapter(Signal),
        "serialization",
    ),
    Contract(
        "incident",
        "Incident",
        "What the console and the command line show of an incident; its count is written safely.",
        TypeAdapter(Incident),
        "serialization",
    ),
    Contract(
        "message",
        "Message",
        "What a channel is given to send to one person; safe to leave the house.",
        TypeAdapter(Message),
        "serialization",
    ),
    Contract(
        "audit-entry",
        "Audit entry",
        "One line of the audit trail: ids and codes only, chained by hash to the line before.",
        TypeAdapter(AuditEntry),
        "serialization",
    ),
)


def documents() -> Mapping[str, dict[str, Any]]:
    """Return each contract's JSON Schema by name; the same models always give the same documents."""
    made = {}
    for contract in CONTRACTS:
        schema = contract.adapter.json_schema(mode=contract.mode)
        made[contract.name] = {"$schema": DIALECT, "title": contract.title, **schema} | {
            "title": contract.title,
            "description": contract.summary,
        }
    return made
