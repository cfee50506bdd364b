"""Fitted baselines in the database: one per jurisdiction, week and model version, so that a restart uses the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from sqlalchemy import Connection, delete, select

from detectors.baseline import MODEL_VERSION, Baseline
from schemas.tables.detection import baseline as baseline_table
from schemas.vocabulary import Feed, Jurisdiction
from streams.upsert import upsert

BASELINE = baseline_table.c


@dataclass(frozen=True)
class Fitted:
    """What a week is looked at with: a baseline, the Monday from which it is used, and the delays it was fitted with."""

    valid_from: date
    baseline: Baseline
    completeness: Mapping[Feed, NDArray[np.float64]]
    learnt: Mapping[str, JsonValue] = field(default_factory=dict)
    """What each detector learnt besides, by its name."""


def kept(connection: Connection, jurisdiction: Jurisdiction, monday: date) -> Fitted | None:
    """Return the stored baseline of this week and model, if there is one."""
    body = connection.execute(
        select(BASELINE.body).where(
            BASELINE.jurisdiction == jurisdiction,
            BASELINE.valid_from == monday,
            BASELINE.model_version == MODEL_VERSION,
        )
    ).scalar_one_or_none()
    if body is None:
        return None
    content = json.loads(body)
    return Fitted(
        valid_from=monday,
        baseline=Baseline.from_json(content["baseline"]),
        completeness={Feed(feed): np.asarray(law) for feed, law in content["completeness"].items()},
        learnt=content["learnt"],
    )


def keep(connection: Connection, jurisdiction: Jurisdiction, fitted: Fitted, now: datetime) -> None:
    """Store a baseline unless it is there, and forget those of earlier weeks."""
    body = json.dumps(
        {
            "baseline": fitted.baseline.to_json(),
            "completeness": {feed.value: law.tolist() for feed, law in sorted(fitted.completeness.items())},
            "learnt": fitted.learnt,
        },
        separators=(",", ":"),
    )
    upsert(
        connection,
        baseline_table,
        [
            {
                "jurisdiction": jurisdiction,
                "valid_from": fitted.valid_from,
                "model_version": MODEL_VERSION,
                "fitted_at": now,
                "body": body,
            }
        ],
    )
    connection.execute(
        delete(baseline_table).where(
            BASELINE.jurisdiction == jurisdiction, BASELINE.valid_from < fitted.valid_from
        )
    )
