"""How complete recent days are: the share of events already known, by feed and age.

What is seen at age d is compared with what is usually seen *at age d*: the expected count is multiplied by the share
``q(d)`` that is usually known by then, and nothing is imputed (Lawless 1994; Noufaily et al. 2015). A detection run
estimates ``q`` from its own feeds with :func:`fit_completeness`; calibration does the same from its histories.

``q[age]`` is the share of events known by the end of the civil day ``age`` days after they happened; beyond the end
of the array its last value holds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.history import OccurrenceHistory
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]

LONGEST_WINDOW = 14
"""Days: windows run from 1 to 14 days."""

_HALF = 0.5


def checked(completeness: Mapping[Feed, FloatArray], feeds: Sequence[Feed]) -> dict[Feed, FloatArray]:
    """Return the law of each feed as an array, or raise :class:`ValueError` that names ``completeness``.

    A law must be finite, lie from 0 to 1, never fall and end above 0; a feed that has none is complete at once.
    """
    laws: dict[Feed, FloatArray] = {}
    for feed in feeds:
        law = np.asarray(completeness.get(feed, (1.0,)), dtype=np.float64)
        if law.ndim != 1 or law.size == 0 or not np.all(np.isfinite(law)):
            raise ValueError(f"completeness of {feed} must be a row of finite numbers")
        if law.min() < 0 or law.max() > 1 or np.any(np.diff(law) < -1e-12):  # noqa: PLR2004 (rounding)
            raise ValueError(f"completeness of {feed} must rise from 0 towards 1")
        if law[-1] <= 0:
            raise ValueError(f"completeness of {feed} must end above 0")
        laws[feed] = law
    return laws


def share_known(law: FloatArray, ages: NDArray[np.int64]) -> FloatArray:
    """Return ``q`` at each age; the last value holds beyond the end of ``law``."""
    return law[np.minimum(ages, law.size - 1)]


def first_useful_age(law: FloatArray) -> int:
    """Return the smallest age by which half of the events are known (the last age when that never comes)."""
    reached = np.flatnonzero(law >= _HALF)
    return int(reached[0]) if reached.size else law.size - 1


def lookback_days(completeness: Mapping[Feed, FloatArray]) -> int:
    """Return how many days, today included, the longest window of any feed reaches back."""
    laws = checked(completeness, tuple(completeness))
    return LONGEST_WINDOW + max((first_useful_age(law) for law in laws.values()), default=0)


def fit_completeness(
    delays: NDArray[np.int64], exposures: NDArray[np.int64], prior: FloatArray, strength: float
) -> FloatArray:
    """Estimate one feed's law from its own delays, shrunk to a prior.

    The chance of becoming known at exactly age ``d``, given that it is known by then, is estimated from the events
    old enough to have been seen at ``d``; running back from the longest age, the law is the product of the
    complements (the reverse-time product-limit estimate for right-truncated delays: Lagakos, Barraj and De Gruttola
    1988, Biometrika 75:515, section 2). The prior enters as ``strength`` events whose delays follow it.

    Parameters
    ----------
    delays : ndarray of int, shape (n_ages,)
        Events that became known at each age.
    exposures : ndarray of int, shape (n_ages,)
        Events known by that age among those that happened at least that many days ago: the risk set of the age.
    prior : ndarray of float, shape (n_ages,)
        The law that is assumed before anything is seen; ends at 1.
    strength : float
        How many events the prior is worth.

    Returns
    -------
    ndarray of float64, shape (n_ages,)
        Rising, ends at 1.
    """
    if delays.shape != prior.shape or exposures.shape != prior.shape:
        raise ValueError("delays and exposures must be as long as prior")
    if strength <= 0 or not np.isfinite(strength):
        raise ValueError("strength must be above 0")
    at_age = np.diff(prior, prepend=0.0)
    hazard = (delays + strength * at_age) / np.maximum(exposures + strength * prior, 1e-12)
    law = np.ones(prior.shape)
    for age in range(prior.size - 1, 0, -1):
        law[age - 1] = law[age] * (1.0 - min(max(float(hazard[age]), 0.0), 1.0))
    return np.round(law, 6)


def completeness_as_known(
    history: OccurrenceHistory,
    today: int,
    priors: Mapping[Feed, FloatArray],
    *,
    strength: float = 50.0,
    memory_days: int = 364,
) -> dict[Feed, FloatArray]:
    """Estimate every feed's law from what a history had shown by the end of day ``today``.

    Only events of the last ``memory_days`` days count, so that a feed that became slower is believed within months.
    Each event counts once: by its row in class ``any`` where the feed has that series, otherwise by every row.
    """
    laws: dict[Feed, FloatArray] = {}
    for feed, given in priors.items():
        prior = checked({feed: given}, [feed])[feed]
        own = [index for index, series in enumerate(history.series) if series[0] is feed]
        once = [index for index in own if history.series[index][1] == "any"] or own
        recent = (history.day > today - memory_days) & (history.known_day <= today)
        rows = np.flatnonzero(recent & np.isin(history.series_index, once))
        laws[feed] = law_from_delays(
            history.known_day[rows] - history.day[rows], today - history.day[rows], prior, strength
        )
    return laws


def law_from_delays(
    delay: NDArray[np.integer], age: NDArray[np.integer], prior: FloatArray, strength: float = 50.0
) -> FloatArray:
    """Estimate one feed's law from single events.

    Parameters
    ----------
    delay : ndarray of int, shape (n_events,)
        Civil days from the event to when it became known.
    age : ndarray of int, shape (n_events,)
        Civil days from the event to today.
    prior, strength
        As in :func:`fit_completeness`; delays beyond the prior's last age count as that age.
    """
    if np.any(delay < 0):
        raise ValueError("delay must not be negative")
    last = prior.size - 1
    delay = np.minimum(delay, last)
    delays = np.bincount(delay, minlength=prior.size)
    # The risk set of age d: the events with delay <= d <= age.
    too_young = np.bincount(np.minimum(age, last) + 1, minlength=prior.size + 1)[: prior.size].cumsum()
    return fit_completeness(delays, delays.cumsum() - too_young, prior, strength)
