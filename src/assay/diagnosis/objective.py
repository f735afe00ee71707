"""objective: what the losses of a log measure, where it is not how well rows are predicted.

>>> from assay.diagnosis.objective import find_objective
>>> from assay.readers.history import History
>>> find_objective(History.from_columns({"loss": [0.1, 0.2], "reward": [0.3, 0.5]}))
'reward'
"""

import re
from typing import Literal

from assay.readers.history import History

__all__ = ["Objective", "explain_objective", "find_objective", "find_objective_metric"]

Objective = Literal["contest", "reward", "preference"]

GENERATOR = re.compile(r"(^|_)(g|gen|generator|netg)(_|$)")
DISCRIMINATOR = re.compile(r"(^|_)(d|disc|discriminator|netd)(_|$)")
REWARD = re.compile(r"(^|_)(reward|rew)(_|$)")
POLICY = re.compile(r"(^|_)(policy|actor|critic)(_|$)")
PREFERENCE = re.compile(r"(^|_)rewards_(accuracies|margins)$")

WORDS: dict[Objective, str] = {
    "contest": (
        "the losses of a generator and a discriminator measure their contest, not how good the "
        "samples are: they were not judged"
    ),
    "reward": (
        "the loss of a policy measures its last steps, not how good it is: it was not judged"
    ),
    "preference": "the preferences were judged, on the rows that they were logged for",
}


def find_objective(history: History) -> Objective | None:
    """What the losses of a `history` measure; None for errors of predictions, as is usual."""
    names = {series.metric for series in history.series}
    losses = {name for name in names if name.endswith("loss")}
    if any(map(PREFERENCE.search, names)):
        return "preference"
    if any(map(REWARD.search, names)) or any(map(POLICY.search, losses)):
        return "reward"
    is_contest = any(map(GENERATOR.search, losses)) and any(map(DISCRIMINATOR.search, losses))
    return "contest" if is_contest else None


def find_objective_metric(history: History, objective: Objective) -> str | None:
    """The metric of `history` that tells how good a model of this `objective` is, or None.

    Accuracy goes before margins.
    """
    pattern = {"preference": PREFERENCE, "reward": REWARD}.get(objective)
    names = [s.metric for s in history.series if pattern is not None and pattern.search(s.metric)]
    return min(names, key=lambda name: (not name.endswith("accuracies"), len(name)), default=None)


def explain_objective(objective: Objective) -> str:
    """Why the loss of a log with this `objective` was not judged, in one sentence."""
    return WORDS[objective]
