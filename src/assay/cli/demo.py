"""The main job on real data: cross-validate, evaluate, compare, fuse, diagnose, report. `assay demo` runs it.

The data are scikit-learn's handwritten digits (1,797 images of 8 x 8 pixels), which ship with it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from assay.adapters.collect import collect
from assay.comparison.compare import compare
from assay.core.atomic import write_whole
from assay.core.text import format_number
from assay.diagnosis.diagnose import Diagnosis, diagnose
from assay.errors import MissingDependencyError
from assay.fusions.fuse import Fused, fuse
from assay.io.read_write import write
from assay.metrics.base import METRICS
from assay.reporting.report import report
from assay.selection.cross_validate import cross_validate
from assay.table.predictions import Predictions

__all__ = ["run"]

METRIC = "f1"
EPOCHS = 60


def run(out: Path, *, seed: int = 0, say: Callable[[str], None] = print) -> str:
    """Run the whole job, write its files to the folder `out`, and return the verdict in plain words."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingDependencyError(
            "the demo needs scikit-learn; run: pip install 'assay[sklearn]'"
        ) from error

    X, y = load_digits(return_X_y=True)
    ids = np.arange(len(y))
    X_dev, X_test, y_dev, y_test, id_dev, id_test = train_test_split(
        X, y, ids, test_size=0.3, stratify=y, random_state=seed
    )
    models = candidates(seed)
    say(f"1/5 cross-validating {', '.join(models)} on {len(y_dev)} of {len(y)} handwritten digits")
    dev = cross_validate(models, X_dev, y_dev, cv=5, id=id_dev, seed=seed)
    say("2/5 fusing, with cross-fitted weights")
    fused = fuse(dev, "weighted", seed=seed)
    say(f"3/5 scoring the {len(y_test)} digits that nothing has seen")
    fitted = {name: model.fit(X_dev, y_dev) for name, model in models.items()}
    test = collect(fitted, X_test, y_test, id=id_test)
    test = test.append(fused.name, **fused.fitted.apply(test))
    say("4/5 training the MLP epoch by epoch, and diagnosing its curves")
    history = train_mlp(X_dev, y_dev, seed)
    log = out / "mlp_history.csv"
    write_whole(log, to_csv(history))
    diagnosis = diagnose(log, n_classes=10)
    say("5/5 writing the report")
    verdict = in_words(fused, test, diagnosis, seed)
    write(fused.predictions, out / "predictions.parquet")
    write(test, out / "test.parquet")
    made = report(
        fused.predictions,
        histories=diagnosis,
        metric=METRIC,
        fused=fused,
        test=test,
        title="Handwritten digits",
        seed=seed,
    )
    made.save(out / "report.html")
    made.to_json(out / "report.json")
    files = ", ".join(
        f"{out / name}"
        for name in ("report.html", "report.json", "predictions.parquet", "test.parquet")
    )
    return f"{made.summary()}\n\n{verdict}\n\nWritten: {files}, {log}"


def candidates(seed: int) -> dict[str, Any]:
    """Four models of different kinds, so that fusing has something to work with."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return {
        "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "random_forest": RandomForestClassifier(n_estimators=150, random_state=seed),
        "svm": make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=4.0), ensemble=False)),
        "mlp": make_pipeline(
            StandardScaler(),
            MLPClassifier(
                (64,), early_stopping=True, n_iter_no_change=8, max_iter=150, random_state=seed
            ),
        ),
    }


def train_mlp(X: Any, y: Any, seed: int) -> dict[str, list[float]]:
    """Train and validation loss and accuracy after every epoch of a network, on a fifth of the rows held out."""
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed
    )
    scale = StandardScaler().fit(X_train)
    X_train, X_val = scale.transform(X_train), scale.transform(X_val)
    net = MLPClassifier((64,), learning_rate_init=5e-3, random_state=seed)
    log_loss, accuracy = METRICS.parse("log_loss"), METRICS.parse("accuracy")
    columns: dict[str, list[float]] = {
        name: [] for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    }
    classes = sorted({int(label) for label in y})
    for epoch in range(1, EPOCHS + 1):
        net.partial_fit(X_train, y_train, classes=classes)
        columns["epoch"].append(epoch)
        for prefix, rows, truth in (("", X_train, y_train), ("val_", X_val, y_val)):
            proba = net.predict_proba(rows)
            columns[f"{prefix}loss"].append(float(log_loss(truth, proba, classes=classes)))
            columns[f"{prefix}accuracy"].append(
                float(accuracy(truth, net.predict(rows), classes=classes))
            )
    return columns


def to_csv(columns: dict[str, list[float]]) -> str:
    """A training log as the CSV that most frameworks write."""
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    return "\n".join(lines) + "\n"


def in_words(fused: Fused, test: Predictions, diagnosis: Diagnosis, seed: int) -> str:
    """Whether fusing helped on rows nobody saw, by two metrics, and how the network trained."""
    lines = [f"Did fusing help? On {test.n} digits that no model has seen:"]
    for metric in (METRIC, "log_loss"):
        # The rival is the best single model of the cross-validation: choosing it on the test rows would flatter it.
        rival = compare(fused.predictions.select(list(fused.weights)), metric, seed=seed).best
        found = compare(test.select([fused.name, rival]), metric, seed=seed)
        (pair,) = found.pairs
        verdict = {f"{fused.name} is better": "it helped", f"{rival} is better": "it hurt"}
        lines.append(
            f"  {metric:<8}  fused {format_number(found.values[fused.name])}, best single model {rival} "
            f"{format_number(found.values[rival])}: difference {pair.difference:+.4f} "
            f"[{pair.low:+.4f}, {pair.high:+.4f}], {verdict.get(pair.verdict, 'too close to call')}"
        )
    return "\n".join([*lines, "", "How did the network train?", f"  {diagnosis!r}"])
