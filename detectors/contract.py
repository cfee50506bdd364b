"""What every detector of counts is given and gives back: one small protocol, one conformance suite.

A detection run makes a :class:`Look` and asks each detector in turn. A detector has its hyper-parameters in its
constructor, keeps nothing between calls, changes nothing it is given, reads no clock and draws no random number, so
the same look always gives the same signals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import Baseline
from detectors.budget import Thresholds
from detectors.history import CountCube
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.vocabulary import Feed, Jurisdiction


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
    """

    jurisdiction: Jurisdiction
    cube: CountCube
    baseline: Baseline
    completeness: Mapping[Feed, NDArray[np.float64]]
    thresholds: Thresholds
    names: Mapping[AreaCode, str] = field(default_factory=dict)
    zone: ZoneInfo = LONDON

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

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first."""
        ...
