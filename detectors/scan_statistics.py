"""Log-likelihood ratios of one zone and window, and the upper bound that spares most of them their logarithms.

``detectors/scan_kernels.py`` calls these millions of times; ``detectors/scan.py`` names the statistics. With c the count
and e its expectation, every ratio is 0 unless c > e: only excesses are looked for.

==================  ================================================================================================
poisson             expectation-based (Neill 2005; Neill 2009, Int. J. Forecasting 25:498, eq. 1):
                    ``c log(c / e) - (c - e)``
negative_binomial   expectation-based with over-dispersion, after Tango, Takahashi and Kohriyama 2011 (Biometrics 67:106),
                    who put Gamma noise on every area and day. A zone's total is taken as negative binomial of the same
                    mean and variance as the sum (exact when all have one variance-to-mean ratio), with a size s that
                    an outbreak does not change: ``c log(c / e) - (c + s) log((c + s) / (e + s))``, s = e^2 / (V - e)
kulldorff           conditional on the C cases of the period (Kulldorff 1997, 2001 J. R. Statist. Soc. A 164:61):
                    ``c log(c / e) + (C - c) log((C - c) / (C - e))``, e scaled to add up to C
permutation         the same, with e from the margins of days and areas (Kulldorff et al. 2005, PLoS Med. 2:e59)
binomial            c cases among n people, C among N (Kulldorff and Nagarwalla 1995; Kulldorff 1997)
==================  ================================================================================================
"""

from math import log

from detectors.compiled import serial

POISSON, NEGATIVE_BINOMIAL, CONDITIONAL, BINOMIAL = 0, 1, 2, 3

_LEAST = 1e-300


@serial
def log_likelihood_ratio(  # noqa: C901 (five formulas)
    kind: int, count: float, mean: float, second: float, total: float
) -> float:
    """Return one zone's ratio.

    Parameters
    ----------
    kind : int
        One of the constants of this module.
    count, mean : float
        Observed and expected.
    second : float
        Variance less mean (negative binomial) or people (binomial); not read otherwise.
    total : float
        Cases of the whole study (conditional and binomial); not read otherwise.
    """
    if not count > mean:
        return 0.0
    if kind == POISSON:
        return count * log(count / max(mean, _LEAST)) - (count - mean)
    if kind == NEGATIVE_BINOMIAL:
        if second <= 1e-9 * mean:
            return count * log(count / max(mean, _LEAST)) - (count - mean)
        size = mean * mean / second
        return count * log(count / max(mean, _LEAST)) - (count + size) * log((count + size) / (mean + size))
    if kind == CONDITIONAL:
        ratio = count * log(count / max(mean, _LEAST))
        if total > count:
            ratio += (total - count) * log((total - count) / max(total - mean, _LEAST))
        return ratio
    rate = mean / max(second, _LEAST)
    outside = total / max(rate, _LEAST) - second
    ratio = count * log(count / max(mean, _LEAST))
    if second > count:
        ratio += (second - count) * log((second - count) / (second - mean))
    if outside > 0:
        if total > count:
            ratio += (total - count) * log((total - count) / (outside * rate))
        well = outside - (total - count)
        if well > 0:
            ratio += well * log(well / (outside - outside * rate))
    return ratio


@serial
def bound_factor(kind: int, mean: float, second: float, total: float) -> float:
    """Return b with ``ratio <= (c - e)^2 b``, whatever the count.

    For Poisson ``(1 + x) log(1 + x) - x <= x^2 / 2``, hence b = 1 / (2 e); the negative binomial's second derivative is
    greatest at e, hence 1 / (2 V). Conditional: the part outside the zone adds at most 1 / (C - e). Binomial: a
    Kullback-Leibler divergence is at most the chi-squared one.
    """
    if kind == POISSON:
        return 0.5 / max(mean, _LEAST)
    if kind == NEGATIVE_BINOMIAL:
        return 0.5 / max(mean + second, _LEAST)
    rest = max(total - mean, 1e-12 * total)
    if kind == CONDITIONAL:
        return 0.5 / max(mean, _LEAST) + 1.0 / max(rest, _LEAST)
    well = max(1.0 - mean / max(second, _LEAST), 1e-12)
    return total / max(mean * rest * well, _LEAST)
