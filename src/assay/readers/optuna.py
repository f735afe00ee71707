"""Optuna: what trials reported at each step, in the SQLite store of studies."""

import math
from dataclasses import dataclass
from pathlib import Path

from assay.core.types import Better
from assay.errors import SchemaError
from assay.readers.base import Reader
from assay.readers.history import History, Series
from assay.readers.sqlite import SUFFIXES, list_columns, query

__all__ = ["Optuna"]

VALUES = "trial_intermediate_values"
NUMBERS = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
STATEMENT = """
SELECT studies.study_name, trials.number, study_directions.direction, reported.step,
       reported.intermediate_value, reported.intermediate_value_type
FROM trial_intermediate_values AS reported
JOIN trials ON trials.trial_id = reported.trial_id
JOIN studies ON studies.study_id = trials.study_id
JOIN study_directions ON study_directions.study_id = studies.study_id
WHERE study_directions.objective = 0
ORDER BY studies.study_id, trials.number, reported.step
"""


@dataclass(frozen=True)
class Optuna(Reader):
    """Optuna: the SQLite store of studies; each trial that reported values is a run.

    What is reported is the objective on validation rows; the study says whether more is better.
    """

    name = "optuna"
    suffixes = SUFFIXES

    def matches(self, place: Path) -> bool:
        tables = list_columns(place)
        return "intermediate_value_type" in tables.get(VALUES, ()) and "study_directions" in tables

    def read(self, place: Path) -> list[History]:
        trials: dict[str, tuple[Better, list[tuple[float, float]]]] = {}
        for study, number, direction, step, value, kind in query(place, STATEMENT):
            better: Better = "higher" if direction == "MAXIMIZE" else "lower"
            _, points = trials.setdefault(f"{study}/trial {number}", (better, []))
            points.append((float(step), NUMBERS.get(kind, value)))
        if not trials:
            raise SchemaError(
                f"{place}: no trial of this Optuna store reported values; expected "
                f"trial.report(value, step) in the objective"
            )
        return [
            _make_history(f"{place.stem}/{name}", better, points, place)
            for name, (better, points) in trials.items()
        ]


def _make_history(
    name: str, better: Better, points: list[tuple[float, float]], place: Path
) -> History:
    steps = tuple(step for step, _ in points)
    values = tuple(float(value) for _, value in points)
    # A minimised objective is judged as a loss, whatever it is.
    metric = "loss" if better == "lower" else "objective"
    series = Series("val", metric, steps, values, better, "point")
    note = "the values that the objective reported are taken as those of validation rows"
    return History(name, (series,), Optuna.name, str(place), unit="step", notes=(note,))
