"""What boosting libraries print, and scores of scikit-learn.

Made with xgboost 3.2.0, lightgbm 4.7.0, catboost 1.2.10, scikit-learn 1.9.1 on 300 + 100 made-up
rows.

    python boosting.py OUT
"""

import contextlib
import json
import sys
from pathlib import Path

import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 8))
y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
TRAIN, VAL = (X[:300], y[:300]), (X[300:], y[300:])


def print_xgboost() -> None:
    import xgboost

    sets = {name: xgboost.DMatrix(*rows) for name, rows in (("train", TRAIN), ("eval", VAL))}
    pairs = [(rows, name) for name, rows in sets.items()]
    xgboost.train({"objective": "binary:logistic"}, sets["train"], 30, evals=pairs)


def print_lightgbm() -> None:
    import lightgbm

    train = lightgbm.Dataset(*TRAIN)
    sets = [train, lightgbm.Dataset(*VAL, reference=train)]
    options = {"objective": "binary", "verbose": -1, "learning_rate": 0.3}
    report = lightgbm.log_evaluation(2)
    lightgbm.train(options, train, 40, valid_sets=sets, callbacks=[report])


def print_catboost() -> None:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        iterations=60, learning_rate=0.3, metric_period=5, allow_writing_files=False
    )
    model.fit(*TRAIN, eval_set=VAL)


def save_scikit_learn(out: Path) -> None:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import log_loss

    model = GradientBoostingClassifier(n_estimators=60, learning_rate=0.3, random_state=0)
    model.fit(*TRAIN)
    curves = {
        f"{name}_log_loss": [log_loss(y, p) for p in model.staged_predict_proba(X)]
        for name, (X, y) in (("train", TRAIN), ("val", VAL))
    }
    (out / "sklearn_staged.json").write_text(json.dumps(curves))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, report in (
        ("xgboost", print_xgboost),
        ("lightgbm", print_lightgbm),
        ("catboost", print_catboost),
    ):
        with (folder / f"{name}_console.txt").open("w") as file, contextlib.redirect_stdout(file):
            report()
    save_scikit_learn(folder)
