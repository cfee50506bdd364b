"""Tails and quantiles of counts whose variance is phi times the mean, one at a time, for compiled callers.

For the kernels of ``detectors/farrington_*.py``. The law is negative binomial with size ``mean / (phi - 1)``, Poisson
where phi is 1, so that sums of weeks with one phi keep the same form. Nothing here allocates or raises: means are
positive and finite, phi is at least 1, counts are not negative.

A tail starts from one point probability and sums neighbours by their ratio until they no longer count, on the side
that holds less: about thirty steps for a usual week, and no loss of digits far out.
"""

import math

from detectors.compiled import serial

_STIRLING_FROM = 15.0
"""Above it three terms of Stirling's series hold to 1e-12 (Abramowitz and Stegun 6.1.41)."""

_NEGLIGIBLE = 1e-17

_HEAVY = 30.0
"""Above this dispersion a sum has thousands of terms and the continued fraction a few dozen."""

_FRACTION_TERMS = 5000


@serial
def stirling_rest(z: float) -> float:
    """Return ``lgamma(z) - ((z - 1/2) log z - z + log(2 pi) / 2)`` for z of at least 15."""
    inverse = 1.0 / z
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))


@serial
def point_probability(count: int, mean: float, phi: float) -> float:
    """Return P(X = count).

    With s = mean / (phi - 1): for large s the difference of the two log-gammas that hold s is taken by Stirling's
    series, which keeps its digits up to the Poisson limit.
    """
    excess = phi - 1.0
    x = float(count)
    if excess < 1e-12:  # noqa: PLR2004 (nearer to Poisson than doubles can tell)
        return math.exp(x * math.log(mean) - mean - math.lgamma(x + 1.0))
    size = mean / excess
    zero = -size * math.log1p(excess)
    if size < _STIRLING_FROM:
        rising = math.lgamma(size + x) - math.lgamma(size) - math.lgamma(x + 1.0)
        return math.exp(rising + zero + x * math.log(excess / phi))
    rest = stirling_rest(size + x) - stirling_rest(size) - math.lgamma(x + 1.0)
    rising = (size - 0.5) * math.log1p(x / size) - x + x * math.log((x * excess + mean) / phi)
    return math.exp(rising + rest + zero)


@serial
def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function I_x(a, b) (DLMF 8.17.22), by Lentz's method."""
    c, d, value = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0)), 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    for m in range(1, _FRACTION_TERMS):
        even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        d = 1.0 / (1.0 + even * d)
        c = 1.0 + even / c
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        d = 1.0 / (1.0 + odd * d)
        c = 1.0 + odd / c
        value *= c * d
        if not abs(c * d - 1.0) > 1e-15:  # noqa: PLR2004 (as far as doubles go; ends on a NaN too)
            break
    return value


@serial
def upper_tail(count: int, mean: float, phi: float) -> tuple[float, float]:
    """Return P(X >= count) and P(X = count)."""
    point = point_probability(count, mean, phi)
    if count <= 0:
        return 1.0, point
    excess = phi - 1.0
    if phi > _HEAVY:
        size, share = mean / excess, excess / phi
        if count + 1.0 > share * (count + size + 2.0):
            return min(point * _fraction(float(count), size, share), 1.0), point
        return max(1.0 - point * count / size * _fraction(size, float(count), 1.0 / phi), 0.0), point
    term, total, k = point, 0.0, float(count)
    if count <= mean:
        # Downwards: P(X < count).
        while k > 0.0:
            term *= k * phi / (mean + (k - 1.0) * excess)
            total += term
            k -= 1.0
            if not term > _NEGLIGIBLE * total:
                break
        return max(1.0 - total, 0.0), point
    while True:
        total += term
        term *= (mean + k * excess) / (phi * (k + 1.0))
        k += 1.0
        if not term > _NEGLIGIBLE * total:
            return total, point


@serial
def _bisect(alpha: float, mean: float, phi: float) -> int:
    """Return the least x with P(X > x) <= alpha, for laws of any weight."""
    low, high = -1, int(mean) + 1
    while upper_tail(high + 1, mean, phi)[0] > alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if upper_tail(middle + 1, mean, phi)[0] > alpha:
            low = middle
        else:
            high = middle
    return high


@serial
def upper_quantile(alpha: float, deviate: float, mean: float, phi: float) -> int:
    """Return the least x with P(X > x) <= alpha.

    ``deviate`` is the normal quantile of ``1 - alpha``: with the law's skewness it gives the place to start
    (Cornish and Fisher 1938), and a few steps with exact probabilities end the search.
    """
    if phi > _HEAVY:
        return _bisect(alpha, mean, phi)
    excess = phi - 1.0
    sd = math.sqrt(phi * mean)
    skew = (2.0 * phi - 1.0) / sd
    count = int(max(0.0, mean + sd * (deviate + skew * (deviate * deviate - 1.0) / 6.0)))
    tail, point = upper_tail(count, mean, phi)
    # `tail` is P(X >= count), `point` P(X = count).
    if tail - point <= alpha:
        while count > 0 and tail <= alpha:
            point *= count * phi / (mean + (count - 1.0) * excess)
            tail += point
            count -= 1
        return count
    while tail - point > alpha:
        tail -= point
        point *= (mean + count * excess) / (phi * (count + 1.0))
        count += 1
    return count
