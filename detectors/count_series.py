"""The count matrices that the detectors of single series take: whole numbers, one row a series, one column a step.

For ``detectors/ears.py``, ``glr.py``, ``slow_onset.py`` and ``nowcast.py``; each asks it first, so that bad arguments
are refused everywhere in the same words. It never changes or keeps what it is given.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_COUNT = 2**52
"""Larger counts could not be told from their neighbours once they are floating-point numbers."""

_AXES = 2


def checked_counts(counts: ArrayLike, *, name: str = "counts", axes: str = "(n_series, n_days)") -> IntArray:
    """Return the counts as 64-bit whole numbers of two axes.

    Parameters
    ----------
    counts : array_like of int, two axes
    name, axes : str
        What the caller calls the argument and its shape: for the messages.

    Raises
    ------
    ValueError
        If they are not whole numbers of two axes, or below 0, or above ``2**52``.
    """
    given = np.asarray(counts)
    if given.ndim != _AXES:
        raise ValueError(f"{name} has the shape {given.shape}; wanted {axes}")
    if given.size == 0 and given.dtype.kind == "f":
        given = given.astype(np.int64)
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {given.dtype}; wanted whole numbers of an integer type")
    if given.size and (int(given.min()) < 0 or int(given.max()) > MOST_COUNT):
        raise ValueError(f"{name} runs from {given.min()} to {given.max()}; wanted 0 to 2**52")
    return given.astype(np.int64)


def checked_range(
    values: ArrayLike, shape: tuple[int, int], *, name: str, least: float, most: float = float(MOST_COUNT)
) -> FloatArray:
    """Return numbers from ``least`` to ``most``, spread to ``shape`` (a view: not to be written to).

    Raises
    ------
    ValueError
        If they cannot be spread to the shape, or one is NaN or out of range; the message names ``name``.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iuf":
        raise ValueError(f"{name} holds {given.dtype}; wanted numbers")
    try:
        spread = np.broadcast_to(given.astype(np.float64), shape)
    except ValueError:
        raise ValueError(
            f"{name} has the shape {given.shape}; wanted {shape} or one that spreads to it"
        ) from None
    if not np.all((given >= least) & (given <= most)):
        raise ValueError(f"{name} runs from {given.min()} to {given.max()}; wanted {least:g} to {most:g}")
    return spread


def checked_whole(value: object, *, name: str, least: int, most: int | None = None) -> int:
    """Return a whole number of a given range.

    Raises
    ------
    ValueError
        If it is something else; the message names ``name``, what was given and the range.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        whole = int(value)
        if whole >= least and (most is None or whole <= most):
            return whole
    wanted = f"a whole number from {least}" + ("" if most is None else f" to {most}")
    raise ValueError(f"{name} is {value!r}; wanted {wanted}")


def checked_share(value: float, *, name: str) -> float:
    """Return a number between 0 and 1, both excluded; the ``ValueError`` names ``name`` and what was given."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} is {value!r}; wanted a number above 0 and below 1")
    return float(value)
