"""Stopping: how often a run is stopped by chance, and how soon one that overfits.

Validation curves are drawn, shown to `TrainingLog`'s rule one evaluation after the other, and
counted where it says stop anywhere. Without overfitting: losses that fall to a level ("level"),
that still fall at the end ("improving"), or that fall again after the learning rate was lowered
("drop"). With it: losses that rise from a fifth to three fifths of the run on ("overfit"), to 120 %
to 200 % of their level. Noise of 0.05 % to 5 % of the baseline loss: "white", "heavy" (Student's t
with 3 degrees of freedom), or correlated from one evaluation to the next by 0.5 ("wandering") and
0.8 ("drifting"). "level" to "drop": the share that is stopped is the error rate. "overfit": the
share that is stopped in time, and the median and the ninth decile of the delay after the onset.

Prints one JSON line a case, then a table.

    python bench/stopping.py [--quick]
"""

import json
import sys
from typing import NamedTuple

import numpy as np

from assay.diagnosis.stopping import is_past_best

REGIMES = ("level", "improving", "drop", "overfit")
NOISES = {"white": 0.0, "heavy": 0.0, "wandering": 0.5, "drifting": 0.8}
EVALUATIONS = (10, 30, 100, 300)


class Outcome(NamedTuple):
    """Share of runs stopped; median and ninth decile of the evaluations after the onset."""

    stopped: float
    delay: float
    late: float
    early: float


def draw_curve(rng: np.random.Generator, regime: str, n: int) -> tuple[np.ndarray, int]:
    """A curve without noise, and where it begins to rise."""
    t = np.arange(n, dtype=float)
    floor = rng.uniform(0.05, 0.6)
    onset = max(int(n * rng.uniform(0.2, 0.6)), 4)
    if regime == "improving":
        return floor + (1 - floor) * (t + 1) ** -rng.uniform(0.2, 0.7), n
    if regime == "overfit":
        rise = rng.uniform(0.2, 1.0) * floor + 0.05
        slope = np.clip((t - onset) / (n - onset), 0, None)
        return floor + (1 - floor) * np.exp(-5 * t / onset) + rise * slope, onset
    curve = floor + (1 - floor) * np.exp(-t * rng.uniform(4, 12) / n)
    if regime == "drop":
        curve += 0.1
        curve[n // 2 :] -= 0.1 * (1 - np.exp(-(t[n // 2 :] - n // 2) / 3))
    return curve, n


def draw_noise(rng: np.random.Generator, noise: str, n: int) -> np.ndarray:
    """Noise of standard deviation 1."""
    if noise == "heavy":
        return rng.standard_t(3, n) / np.sqrt(3)
    share = NOISES[noise]
    drawn = rng.normal(size=n)
    for i in range(1, n):
        drawn[i] = share * drawn[i - 1] + np.sqrt(1 - share**2) * drawn[i]
    return drawn


def simulate(regime: str, noise: str, n: int, *, runs: int, seed: int) -> Outcome:
    """What the rule does to so many curves of `n` evaluations."""
    rng = np.random.default_rng(seed)
    delays = []
    for _ in range(runs):
        curve, onset = draw_curve(rng, regime, n)
        size = 0.05 * 10 ** rng.uniform(-2, 0)
        losses = np.maximum(curve + size * draw_noise(rng, noise, n), 1e-3)
        stop = next((k for k in range(1, n + 1) if is_past_best(losses[:k])), None)
        if stop is not None:
            delays.append(stop - 1 - onset)
    if not delays:
        return Outcome(0.0, np.nan, np.nan, np.nan)
    early = float(np.mean(np.array(delays) < 0))
    return Outcome(
        len(delays) / runs, float(np.median(delays)), float(np.quantile(delays, 0.9)), early
    )


def main() -> None:
    """Every regime, noise and length, as JSON lines and then as a table."""
    runs = 100 if "--quick" in sys.argv else 1000
    lines = []
    for regime in REGIMES:
        for noise in NOISES:
            for n in EVALUATIONS:
                outcome = simulate(regime, noise, n, runs=runs, seed=0)
                case = {"regime": regime, "noise": noise, "evaluations": n, "runs": runs}
                print(json.dumps(case | outcome._asdict()), flush=True)
                said = f"{100 * outcome.stopped:5.1f} % stopped"
                if regime == "overfit":
                    said += f", after {outcome.delay:.0f} (nine of ten: {outcome.late:.0f})"
                lines.append(f"{regime:10s} {noise:10s} {n:4d} evaluations: {said}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
