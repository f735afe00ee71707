"""seeds: whether two models differ by more than the seeds that they were trained with.

>>> from assay.metrics.base import METRICS
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 40
>>> table = Predictions.from_arrays(
...     y, {"good": y, "poor": [0] * 80}, groups={"seed": [0] * 40 + [1] * 40}
... )
>>> describe_seeds(table, METRICS.parse("accuracy").bind(table.schema), "good", ["poor"])[0]
'good is ahead of poor with 2 of 2 seeds, by 0.5000 on average; between seeds the difference varies
by 0.0000 (standard deviation): it is of the models, not of the seeds'
"""

import math
from collections.abc import Sequence

import numpy as np

from assay.core.text import format_number
from assay.engines.base import Job
from assay.engines.local import Local
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.table.predictions import Predictions

__all__ = ["describe_seeds", "find_seed_values"]

COLUMN = "seed"
MOST = 5  # rivals that are described
LEVEL = 0.05  # of the test of the differences by seed


def find_seed_values(table: Predictions, metric: Metric, models: Sequence[str]) -> Array | None:
    """The value of each of the `models` with each seed (models, seeds); None without several seeds.

    Parameters:
        table: Rows with a column `seed`.
        metric: A metric, bound to the table.
        models: Names of models.
    """
    if COLUMN not in table.columns:
        return None
    seed, keys = table.group(COLUMN)
    if len(keys) < 2:
        return None
    jobs = [Job(metric.state, (model,)) for model in models]
    values = np.empty((len(models), len(keys)))
    for place in range(len(keys)):
        rows = table.take(np.flatnonzero(seed == place))
        folded = Local(progress=False).fold(rows, jobs)
        for i, job in enumerate(jobs):
            summary = metric.state.summary(folded[job], table.schema)
            values[i, place] = metric.estimate(summary)[0]
    return values


def describe_seeds(
    table: Predictions, metric: Metric, best: str, rivals: Sequence[str]
) -> list[str]:
    """A sentence on the best model and each of its rivals, in a table of several seeds.

    A t-test of the differences seed by seed says whether they are of the models: its error is that
    of training with other seeds on the same rows.

    Parameters:
        table: Rows with a column `seed`; without one nothing is said.
        metric: A metric, bound to the table.
        best: Name of the best model.
        rivals: Names of the others, the closest first.
    """
    if COLUMN not in table.columns:
        return []
    closest = list(rivals)[:MOST]
    values = find_seed_values(table, metric, [best, *closest])
    if values is None:
        return []
    sentences = []
    for rival, differences in zip(closest, metric.sign * (values[0] - values[1:]), strict=True):
        if np.isfinite(differences).all():
            sentences.append(_describe(best, rival, differences))
    return sentences


def _describe(best: str, rival: str, differences: Array) -> str:
    """What the `differences` (seeds,) of two models say."""
    seeds = len(differences)
    ahead = int((differences > 0).sum())
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1))
    whose = "a change of seed moves it as much as the choice of the model"
    if _is_of_models(mean, spread, seeds):
        whose = "it is of the models, not of the seeds"
    elif seeds < 3:
        whose = "two seeds do not tell whether it is of the models; train three or more"
    return (
        f"{best} is ahead of {rival} with {ahead} of {seeds} seeds, by {format_number(mean)} on "
        f"average; between seeds the difference varies by {format_number(spread)} (standard "
        f"deviation): {whose}"
    )


def _is_of_models(mean: float, spread: float, seeds: int) -> bool:
    """Whether a mean difference is beyond what seeds vary it by."""
    if mean <= 0:
        return False
    if spread <= 1e-12 * mean:
        return True  # nothing in these models depends on the seed
    from scipy.special import stdtrit

    needed = float(stdtrit(seeds - 1, 1 - LEVEL / 2))
    return mean / (spread / math.sqrt(seeds)) > needed
