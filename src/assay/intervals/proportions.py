"""proportions: intervals of a share of rows, in closed form, and the quantile of Student's t.

>>> low, high = wilson(np.array(28.0), np.array(30.0), 0.95)
>>> round(float(low), 4), round(float(high), 4)
(0.7868, 0.9815)
"""

from statistics import NormalDist

import numpy as np

from assay.kernels import Array

__all__ = ["clopper_pearson", "jeffreys", "t_quantile", "wilson"]


def wilson(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Wilson's score interval of `successes` / `trials`, at the level `confidence`.

    Nan without trials. Source: Wilson (1927), JASA 22:209-212.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = np.where(trials > 0, trials, np.nan)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(np.maximum(p * (1 - p), 0) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def jeffreys(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Equal-tailed posterior interval of `successes` / `trials` under Jeffreys' prior.

    At the level `confidence`; nan without trials. Source: Brown, Cai & DasGupta (2001),
    Stat. Sci. 16:101-133, section 3.1.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    a = successes + 0.5
    b = trials - successes + 0.5
    low = np.where(successes > 0, betaincinv(a, b, tail), 0.0)
    high = np.where(successes < trials, betaincinv(a, b, 1 - tail), 1.0)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


def clopper_pearson(successes: Array, trials: Array, confidence: float) -> tuple[Array, Array]:
    """Exact interval of `successes` / `trials`, never under the level `confidence`, usually above.

    Nan without trials. Source: Clopper & Pearson (1934), Biometrika 26:404-413.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    wrong = trials - successes
    low = np.where(successes > 0, betaincinv(np.maximum(successes, 1e-9), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(successes + 1, np.maximum(wrong, 1e-9), 1 - tail), 1.0)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


def t_quantile(p: float, freedom: float) -> float:
    """Quantile `p` of Student's t with `freedom` degrees of freedom.

    From 200 degrees of freedom by the Cornish-Fisher series of Abramowitz & Stegun (1964), 26.7.5,
    exact to 1e-9, which spares the import of scipy where rows are many.
    """
    if freedom < 200:
        from scipy.special import stdtrit

        return float(stdtrit(freedom, p))
    z = NormalDist().inv_cdf(p)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4
