"""The Signal: what a detector found, in one form for every detector.

Detectors make signals, a detection run (or intake, for a tripwire) stores them and hands them to the incident
workflow. A signal holds true numbers; nothing outside the disclosure rules may print them (``schemas/disclosure.py``).
"""

from datetime import date
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier


class FeedEvidence(BaseModel):
    """What one feed contributes to a signal: observed against expected in the signal's own areas and window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: Feed
    observed: Annotated[int, Field(ge=0)]
    expected: Annotated[float, Field(ge=0)]


class Signal(BaseModel):
    """One finding of one detector.

    Its identity is (jurisdiction, detector, key, window_end): a repeat updates the stored signal in place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    jurisdiction: Jurisdiction
    detector: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    """Which detector, such as ``area_counts`` or ``tripwire_scene``."""
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    """The calibrated family whose share of the budget this signal is charged to."""
    key: Annotated[str, Field(min_length=1, max_length=120)]
    """What the detector was looking at (zone, feed and class, or a scene's hash): no token, nothing about a person."""
    areas: Annotated[tuple[AreaCode, ...], Field(min_length=1)]
    """Codes at the detection level, or the root alone where it cannot be placed; sorted."""
    places: tuple[AreaCode, ...] = ()
    """The small areas it was found in, sorted, where a detector looked closer than ``areas``: only events placed in one
    of them are its evidence. Empty where all of ``areas`` is meant."""
    window_start: date
    window_end: date
    """Civil days, both included, in the jurisdiction's time zone."""
    feeds: Annotated[tuple[FeedEvidence, ...], Field(min_length=1)]
    substance_class: SubstanceClass
    observed: Annotated[int, Field(ge=0)]
    expected: Annotated[float, Field(ge=0)]
    interval: tuple[float, float]
    """The central 95 % prediction interval of the count under no outbreak."""
    p_value: Annotated[float, Field(ge=0, le=1)]
    """Mid-p of the one test that gave the signal; not corrected for how many tests are run."""
    recurrence_interval_days: Annotated[float, Field(gt=0)]
    """How long chance alone would take to give a signal this strong again anywhere in the jurisdiction and family, learnt
    from null histories."""
    tier: Tier
    newest_evidence_at: AwareDatetime
    """When the latest event behind it happened: evidence under 72 h old can ring at night."""
    serious_outcome: bool = False
    """Whether a suspected death is among the evidence."""
    lab_confirmed: bool = False
    """Whether a drug-checking or toxicology detection is among the evidence."""
    evidence: tuple[str, ...] = ()
    """Identities (``schemas.events.identity_of``) of the events behind it, sorted; at most 200."""
    parameters: dict[str, float | int | str | bool] = Field(default_factory=dict)
    model_version: str
    sentence: str
    """One plain sentence with the true numbers: inside use only."""

    @model_validator(mode="after")
    def _window_is_ordered(self) -> Self:
        if self.window_end < self.window_start:
            msg = "window_end is before window_start"
            raise ValueError(msg)
        return self

    @property
    def feed_names(self) -> tuple[Feed, ...]:
        """The feeds behind it, in the order of the feed vocabulary."""
        return tuple(feed for feed in Feed if any(item.feed is feed for item in self.feeds))
