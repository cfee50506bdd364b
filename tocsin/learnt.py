"""The thresholds in force: learnt for a jurisdiction and read from a file, or those that come with Tocsin.

Kent and Medway's come with the package, learnt from simulated null histories (``tocsin/calibrations/README.md`` says
how, and with which command they are made again). A jurisdiction that has none gets the stated prior: tripwires work,
counts are recorded and reviewed, and nothing that rests on counts alone pages until it was calibrated.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detectors.budget import (
    AREA_COUNTS,
    FUSION,
    MULTIVARIATE,
    NOVELTY,
    SLOW_ONSET,
    FamilyThresholds,
    Thresholds,
)
from detectors.tripwire_thresholds import TripwireThresholds
from schemas.vocabulary import Jurisdiction, Tier

NEVER_LEARNT = {MULTIVARIATE: FamilyThresholds(scores={Tier.RECORD: 1.0})}
"""Families that ask nothing of anybody, so that nothing need be learnt: what they note is kept for the file."""

UNCALIBRATED = {
    AREA_COUNTS: FamilyThresholds(scores={Tier.RECORD: 4.0, Tier.REVIEW: 6.0}),
    FUSION: FamilyThresholds(scores={Tier.RECORD: 2.0, Tier.REVIEW: 4.0}),
    NOVELTY: FamilyThresholds(scores={Tier.RECORD: 1.0, Tier.REVIEW: 2.0}),
    SLOW_ONSET: FamilyThresholds(scores={Tier.RECORD: 3.0, Tier.REVIEW: 4.0}),
    **NEVER_LEARNT,
}
"""What holds where nothing was learnt: scores that are rare under any level, and never a page on counts alone."""


class Learnt(BaseModel):
    """What calibration learnt for one jurisdiction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jurisdiction: Jurisdiction
    counts: Annotated[Thresholds, Field(description="Score thresholds of the detectors of counts.")]
    tripwires: Annotated[TripwireThresholds, Field(description="Precomputed thresholds of the tripwires.")]
    fingerprint: Annotated[
        str,
        Field(
            description="Of what the model made of one fixed history when this was learnt; another model differs."
        ),
    ] = ""

    @property
    def is_calibrated(self) -> bool:
        """Whether it was learnt from null histories, and not merely stated."""
        return self.counts.years > 0


def with_never_learnt(thresholds: Thresholds) -> Thresholds:
    """Return learnt thresholds with those that are only stated."""
    return thresholds.model_copy(update={"families": {**thresholds.families, **NEVER_LEARNT}})


class ThresholdsError(ValueError):
    """A file of thresholds cannot be used; the message says which and what to do."""


def learnt_for(jurisdiction: Jurisdiction, path: Path | None) -> Learnt:
    """Return the thresholds of a jurisdiction: of ``path``, of the package, or the stated prior.

    Raises
    ------
    ThresholdsError
        If the file cannot be read or is not for this jurisdiction.
    """
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            msg = f"The thresholds file {path} cannot be read ({type(error).__name__})."
            raise ThresholdsError(msg) from None
        return _parsed(text, jurisdiction, str(path))
    shipped = files("tocsin") / "calibrations" / f"{jurisdiction}.json"
    if shipped.is_file():
        return _parsed(shipped.read_text(encoding="utf-8"), jurisdiction, shipped.name)
    return uncalibrated(jurisdiction)


def uncalibrated(jurisdiction: Jurisdiction) -> Learnt:
    """Return what holds where nothing was learnt: no page on counts alone."""
    note = "Stated, not learnt: counts alone do not page until this jurisdiction is calibrated."
    return Learnt(
        jurisdiction=jurisdiction,
        counts=Thresholds(model_version="stated", families=UNCALIBRATED, note=note),
        tripwires=TripwireThresholds(note=note),
    )


def _parsed(text: str, jurisdiction: Jurisdiction, name: str) -> Learnt:
    try:
        learnt = Learnt.model_validate_json(text)
    except ValidationError:
        msg = f"The thresholds in {name} are not of the form that this version reads; calibrate again."
        raise ThresholdsError(msg) from None
    if learnt.jurisdiction != jurisdiction:
        msg = f"The thresholds in {name} were learnt for {learnt.jurisdiction}, not for {jurisdiction}."
        raise ThresholdsError(msg)
    return learnt
