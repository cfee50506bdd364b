"""What every detector is given and gives back: one small protocol, one conformance suite.

Once a week a detector may *learn* from the past as it was known then; what it learnt is kept beside the baseline, so
that a restart looks with the same eyes. At every look a detection run makes a :class:`Look` and asks each detector in
turn. A detector has its hyper-parameters in its constructor, keeps nothing between calls, changes nothing it is given,
reads no clock, and draws chance only from a generator that it seeds itself with a stated number, so the same look
always gives the same signals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from detectors.baseline import Baseline
from detectors.budget import Thresholds
from detectors.completeness import LONGEST_WINDOW, lookback_days
from detectors.history import CountCube
from detectors.sightings import Sightings
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.vocabulary import Feed, Jurisdiction

RECENT_DAYS = 35
"""How many days of counts and events a look holds at least, today included."""

_LONGEST_NOMINAL = 28
"""The longest window of any detector, in days after a feed's first useful age."""


def look_days(completeness: Mapping[Feed, NDArray[np.float64]]) -> int:
    """Return how many days a look must hold, so that no detector's longest window is cut short."""
    return max(RECENT_DAYS, lookback_days(completeness) - LONGEST_WINDOW + _LONGEST_NOMINAL)


@dataclass(frozen=True, slots=True)
class Past:
    """What was known as this week began (Monday 00:00): what a detector may learn from.

    Attributes
    ----------
    cube : CountCube
        At most five years; its last day is the Sunday before.
    sightings : Sightings
        The events of the same days.
    baseline : Baseline
        Fitted from the same cube.
    completeness : mapping of Feed to ndarray, shape (n_ages,)
    """

    cube: CountCube
    sightings: Sightings
    baseline: Baseline
    completeness: Mapping[Feed, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one jurisdiction: the counts as known now and what is usual there.

    Attributes
    ----------
    jurisdiction : Jurisdiction
    cube : CountCube
        At least the days that the windows reach back (``completeness.lookback_days``); its last day is today.
    baseline : Baseline
        Fitted for the same areas and series, from what was known before this week.
    completeness : mapping of Feed to ndarray, shape (n_ages,)
        Share of events known by the end of the civil day ``age`` days after they happened.
    thresholds : Thresholds
    names : mapping of AreaCode to str
        What people call each area and the whole jurisdiction.
    zone : ZoneInfo
        The time zone in which days begin.
    sightings : Sightings or None
        The events of the last :func:`look_days` as known now; its last day is today. None where a caller has counts
        only: a detector that needs events then finds nothing.
    learnt : mapping of str to JSON
        What each detector learnt this week, by its name.
    """

    jurisdiction: Jurisdiction
    cube: CountCube
    baseline: Baseline
    completeness: Mapping[Feed, NDArray[np.float64]]
    thresholds: Thresholds
    names: Mapping[AreaCode, str] = field(default_factory=dict)
    zone: ZoneInfo = LONDON
    sightings: Sightings | None = None
    learnt: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The civil day that every window ends on."""
        return self.cube.last_day


class Detector(Protocol):
    """Counts in, signals out."""

    @property
    def name(self) -> str:
        """What its signals carry as ``detector``."""
        ...

    @property
    def family(self) -> str:
        """The calibrated family whose share of the budget its signals are charged to."""
        ...

    def learn(self, past: Past) -> JsonValue:
        """Return what it keeps for the week (None when it keeps nothing): plain JSON, the same for the same past."""
        ...

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first."""
        ...
