"""
Bounds that others use and our engine does not, from their papers: only to hold our own against published numbers.

Howard, Ramdas, McAuliffe, Sekhon 2021 (arXiv 1810.08240); Waudby-Smith, Ramdas 2024 (arXiv 2010.09686); Stark 2022
(arXiv 2201.02707).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]


def best_rho(v_opt: float, alpha: float) -> float:
    """The width of a mixture that is tightest when the variance process is at `v_opt`."""
    doubt = 2 * math.log(1 / alpha)
    return v_opt / (doubt + math.log1p(doubt))


def crossing(log_mixture: Callable[[float], float], alpha: float, most: float) -> float:
    return float(optimize.brentq(lambda s: log_mixture(s) - math.log(1 / alpha), 0.0, most, xtol=1e-12))


def normal_boundary(v: float, alpha: float, v_opt: float, alpha_opt: float) -> float:
    rho = best_rho(v_opt, 2 * alpha_opt)

    def log_mixture(s: float) -> float:
        width = v + rho
        return math.log(4 * rho / width) / 2 + s * s / (2 * width) + float(stats.norm.logcdf(s / math.sqrt(width)))

    return crossing(log_mixture, alpha, 100 * math.sqrt(v + rho))


def gamma_exponential_boundary(v: float, alpha: float, v_opt: float, alpha_opt: float) -> float:
    """With scale c = 1."""
    rho = best_rho(v_opt, 2 * alpha_opt)

    def part(shape: float, at: float) -> float:
        return float(special.gammaln(shape)) + math.log(special.gammainc(shape, at)) - shape * math.log(at)

    def log_mixture(s: float) -> float:
        return part(v + rho, s + v + rho) - part(rho, rho) + s + v

    return crossing(log_mixture, alpha, 10 * v + 100)


def beta_binomial_log(s: float, v: float, r: float, g: float, h: float, x: float) -> float:
    """The mixture over a two-point law that falls by g or rises by h; truncated at x, which is 1 when two-sided."""
    both = g + h

    def part(a: float, b: float) -> float:
        return math.log(special.betainc(a, b, x)) + float(special.betaln(a, b))

    odds = v / (g * h) * math.log(both) - (v / h + s) / both * math.log(g) - (v / g - s) / both * math.log(h)
    grown = part((r + v - g * s) / (g * both), (r + v + h * s) / (h * both))
    return odds + grown - part(r / (g * both), r / (h * both))


def beta_binomial_boundary(v: float, alpha: float, v_opt: float, alpha_opt: float, sides: tuple[float, float]) -> float:
    g, h = sides
    r = max(best_rho(v_opt, 2 * alpha_opt) - g * h, 1e-3 * g * h)
    return crossing(lambda s: beta_binomial_log(s, v, r, g, h, h / (g + h)), alpha, v / g * (1 - 1e-12))


def stitched_boundary(v: float, alpha: float, v_min: float) -> float:
    """The polynomial stitching with s = 1.4, eta = 2 and c = 0."""
    s, eta = 1.4, 2.0
    used = max(v, v_min)
    doubt = s * math.log(math.log(eta * used / v_min)) + math.log(special.zeta(s) / math.log(eta) ** s / alpha)
    return (eta**0.25 + eta**-0.25) / math.sqrt(2) * math.sqrt(used * doubt)


def bernoulli_interval(k: int, n: int, alpha: float, t_opt: float, alpha_opt: float) -> tuple[float, float]:
    """The two-sided beta-binomial confidence sequence of a rate."""

    def distance(p: float) -> float:
        spread = p * (1 - p)
        r = max(best_rho(spread * t_opt, alpha_opt) - spread, 1e-3 * spread)
        return beta_binomial_log(k - p * n, spread * n, r, p, 1 - p, 1.0) - math.log(1 / alpha)

    seen = min(max(k / n, 1e-12), 1 - 1e-12)
    low = 0.0 if k == 0 or distance(1e-12) < 0 else optimize.brentq(distance, 1e-12, seen)
    high = 1.0 if k == n or distance(1 - 1e-12) < 0 else optimize.brentq(distance, seen, 1 - 1e-12)
    return float(low), float(high)


def plug_in_bets(x: Floats, alpha: float, fixed_n: int | None = None) -> Floats:
    """The predictable plug-in bets, before any cap."""
    t = np.arange(1, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (t + 1)
    spread = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    horizon = t * np.log1p(t) if fixed_n is None else np.full(len(x), float(fixed_n))
    return np.asarray(np.sqrt(2 * math.log(1 / alpha) / (horizon * before)))


def hedged_capital(x: Floats, means: Floats, bets: tuple[Floats, Floats]) -> Floats:
    """The larger half of two capitals, one on a higher mean and one on a lower; `means` under the null, per draw."""
    up, down = bets
    with np.errstate(divide="ignore"):
        up, down = np.minimum(up, np.abs(0.5 / means)), np.minimum(down, np.abs(0.5 / (1 - means)))
    capital = np.maximum(np.cumprod(1 + up * (x - means)), np.cumprod(1 - down * (x - means))) / 2
    capital[(means < 0) | (means > 1)] = np.inf
    return capital


def hedged_interval(
    x: Sequence[int], alpha: float, breaks: int, population: int | None = None
) -> tuple[Floats, Floats]:
    """The confidence sequence on a grid, widened by one step; for draws without replacement with a `population`."""
    seen = np.array(x, dtype=np.float64)
    grid = np.arange(0, breaks + 1) / breaks
    drawn = np.arange(len(seen))
    before = np.cumsum(seen) - seen
    bets = plug_in_bets(seen, alpha / 2)
    possible = []
    for m in grid:
        means = np.full(len(seen), m) if population is None else (population * m - before) / (population - drawn)
        possible.append(hedged_capital(seen, means, (bets, bets)) <= 1 / alpha)
    table = np.array(possible)
    low = np.maximum(grid[np.argmax(table, axis=0)] - 1 / breaks, 0.0)
    high = np.minimum(grid[len(grid) - 1 - np.argmax(table[::-1], axis=0)] + 1 / breaks, 1.0)
    if population is not None:
        low = np.maximum(low, np.cumsum(seen) / population)
        high = np.minimum(high, 1 - (drawn + 1 - np.cumsum(seen)) / population)
    return low, high


def empirical_bernstein_lower(x: Floats, alpha: float) -> Floats:
    bets = np.minimum(plug_in_bets(x, alpha), 0.5)
    t = np.arange(1, len(x) + 1)
    before = np.concatenate([[0.0], (np.cumsum(x) / t)[:-1]])
    price = (x - before) ** 2 * (-np.log1p(-bets) - bets)
    return np.asarray((np.cumsum(bets * x) - np.cumsum(price) - math.log(1 / alpha)) / np.cumsum(bets))


def wsr_p_value(x: Sequence[int], limit: float, delta: float) -> float:
    """
    The smallest 1/capital so far; half of the capital, and of delta, is on either side.

    The library means the bets for a horizon fixed beforehand, but hands them to the upward side only.
    """
    seen = np.array(x, dtype=np.float64)
    bets = plug_in_bets(seen, delta, fixed_n=len(seen)), plug_in_bets(seen, delta / 2)
    return float((1 / hedged_capital(seen, np.full(len(seen), limit), bets)).min())


def alpha_martingale(x: Sequence[int], population: int, null_mean: float, eta: float) -> Floats:
    """ALPHA for draws without replacement against "the mean is at most `null_mean`", betting on the mean `eta`."""
    seen = np.array(x, dtype=np.float64)
    drawn, before = np.arange(len(seen)), np.cumsum(seen) - seen
    m = (population * null_mean - before) / (population - drawn)
    bet = (population * eta - before) / (population - drawn)
    return np.cumprod(seen * bet / m + (1 - seen) * (1 - bet) / (1 - m))
