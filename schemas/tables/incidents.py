"""Incidents. Machine facts, human decisions and the escalation timer are three tables, because three writers own them.

Ingest writes ``incident``, ``incident_signal``, ``incident_evidence`` and ``incident_escalation``; only a person's
command writes ``incident_decision`` and ``acknowledgement``. An incident that nobody has touched has no decision row.
"""

from sqlalchemy import Boolean, Column, Date, Float, Index, Integer, String, Table, UniqueConstraint

from schemas.tables.base import Document, Moment, metadata

incident = Table(
    "incident",
    metadata,
    # Such as KM-2018-0003: prefix of the jurisdiction, civil year of opening, sequence in that year.
    Column("id", String(32), primary_key=True),
    Column("jurisdiction", String(64), nullable=False),
    Column("year", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("opened_at", Moment, nullable=False),
    # The highest tier reached: it never falls, because people were told.
    Column("tier", String(8), nullable=False),
    # now or morning
    Column("urgency", String(8), nullable=False),
    Column("substance_class", String(32), nullable=False),
    Column("areas", Document, nullable=False),
    Column("feeds", Document, nullable=False),
    # Of the strongest signal.
    Column("strongest_signal", String(32), nullable=False),
    Column("window_start", Date, nullable=False),
    Column("window_end", Date, nullable=False),
    Column("observed", Integer, nullable=False),
    Column("expected", Float, nullable=False),
    Column("recurrence_interval_days", Float, nullable=False),
    # Of all its signals.
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("newest_evidence_at", Moment, nullable=False),
    Column("serious_outcome", Boolean, nullable=False),
    Column("lab_confirmed", Boolean, nullable=False),
    Column("evidence_withdrawn", Integer, nullable=False, default=0),
    Column("evidence_withdrawn_at", Moment),
    # The closed incident whose later evidence opened this one.
    Column("linked_to", String(32)),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("jurisdiction", "year", "sequence"),
    Index("ix_incident_jurisdiction_last_day", "jurisdiction", "last_day"),
)

incident_signal = Table(
    "incident_signal",
    metadata,
    Column("incident_id", String(32), primary_key=True),
    # Hash of the signal's identity (jurisdiction, detector, key, window end).
    Column("signal_id", String(32), primary_key=True),
    Column("jurisdiction", String(64), nullable=False),
    Column("tier", String(8), nullable=False),
    Column("substance_class", String(32), nullable=False),
    Column("areas", Document, nullable=False),
    Column("window_start", Date, nullable=False),
    Column("window_end", Date, nullable=False),
    # The Signal as last seen (schemas.signals.Signal).
    Column("body", Document, nullable=False),
    Column("attached_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Index("ix_incident_signal_jurisdiction_window_end", "jurisdiction", "window_end"),
    Index("ix_incident_signal_incident_id_window_end", "incident_id", "window_end"),
)

incident_evidence = Table(
    "incident_evidence",
    metadata,
    Column("incident_id", String(32), primary_key=True),
    # schemas.events.identity_of
    Column("identity", String(32), primary_key=True),
    Column("added_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    Index("ix_incident_evidence_identity", "identity"),
)

incident_escalation = Table(
    "incident_escalation",
    metadata,
    Column("incident_id", String(32), primary_key=True),
    Column("jurisdiction", String(64), nullable=False),
    # The escalation policy as it stood when the incident opened (alerts.settings.EscalationPolicy).
    Column("policy", Document, nullable=False),
    # How many times people have been told of it: each notice is a new round that wants a new acknowledgement.
    Column("notice", Integer, nullable=False),
    Column("noticed_at", Moment),
    # Why the present notice was given, and what it told: later facts are compared with it.
    Column("reasons", Document, nullable=False),
    Column("told", Document, nullable=False),
    # Steps already taken in this notice, and when the next is due; empty while nothing is due.
    Column("steps_taken", Integer, nullable=False),
    Column("next_at", Moment),
    # When it will ask to be closed, if no evidence comes before; empty once it has asked.
    Column("ask_close_at", Moment),
    Index("ix_incident_escalation_next_at", "next_at"),
    Index("ix_incident_escalation_ask_close_at", "ask_close_at"),
)

incident_decision = Table(
    "incident_decision",
    metadata,
    Column("incident_id", String(32), primary_key=True),
    Column("phase", String(16), nullable=False),
    Column("grade_reliability", String(16)),
    Column("grade_severity", String(16)),
    Column("grade_spread", String(16)),
    Column("verification", String(16), nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("owner", String(64)),
    Column("closed_at", Moment),
    Column("closed_by", String(64)),
    Column("changed_at", Moment, nullable=False),
)

acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("incident_id", String(32), nullable=False),
    # The notice that it answers: a worse incident asks again.
    Column("notice", Integer, nullable=False),
    Column("person", String(64), nullable=False),
    Column("authenticated_by", String(16), nullable=False),
    Column("acknowledged_at", Moment, nullable=False),
    Column("review_by", Moment, nullable=False),
    Column("lapsed_at", Moment),
    Column("undone_at", Moment),
    Column("undone_by", String(64)),
    Index("ix_acknowledgement_incident_id", "incident_id"),
)
