"""digits: the main job on real data: cross-validate, compare, fuse, diagnose, report.

The data are scikit-learn's handwritten digits (1,797 images of 8 x 8 pixels), which ship with it.

>>> write_csv({"epoch": [1], "loss": [0.5]})
'epoch,loss\\n1,0.5\\n'
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assay.adapters.collect import collect
from assay.comparison.compare import Comparison, compare
from assay.core.atomic import write_whole
from assay.core.text import format_number
from assay.diagnosis.diagnose import Diagnosis, diagnose
from assay.errors import MissingDependencyError
from assay.fusions.fuse import Fused, fuse
from assay.io.read_write import write
from assay.metrics.base import METRICS
from assay.reporting.report import Report, report
from assay.selection.cross_validate import cross_validate
from assay.table.predictions import Predictions

__all__ = ["Demo", "run_demo"]

METRIC = "f1"
EPOCHS = 60


class Demo(NamedTuple):
    """What the job found: the report, and the whole answer in words."""

    report: Report
    text: str


def run_demo(out: Path, *, seed: int = 0, say: Callable[[str], None] = print) -> Demo:
    """Run the whole job with `seed`, files written to the folder `out`; `say` hears of steps."""
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
    models = make_candidates(seed)
    say(f"1/5 cross-validating {', '.join(models)} on {len(y_dev)} of {len(y)} handwritten digits")
    dev = cross_validate(models, X_dev, y_dev, cv=5, id=id_dev, seed=seed)
    say("2/5 fusing: several ways, averaged by their cross-fitted loss")
    fused = fuse(dev, seed=seed)
    say(f"3/5 scoring the {len(y_test)} digits that nothing has seen")
    fitted = {name: model.fit(X_dev, y_dev) for name, model in models.items()}
    test = collect(fitted, X_test, y_test, id=id_test)
    test = test.append(fused.name, **fused.fitted.apply(test))
    say("4/5 training the MLP epoch by epoch, and diagnosing its curves")
    log = out / "mlp_history.csv"
    write_whole(log, write_csv(train_mlp(X_dev, y_dev, seed)))
    diagnosis = diagnose(log, n_classes=10)
    say("5/5 writing the report")
    summary = report(
        fused.predictions,
        histories=diagnosis,
        metric=METRIC,
        fused=fused,
        test=test,
        title="Handwritten digits",
        seed=seed,
    )
    files = write_files(out, summary, {"predictions": fused.predictions, "test": test})
    answers = describe_answers(fused, test, diagnosis, seed)
    written = f"Written: {', '.join(map(str, [*files, log]))}"
    return Demo(summary, "\n\n".join([summary.summary(), answers, written]))


def write_files(out: Path, summary: Report, tables: Mapping[str, Predictions]) -> list[Path]:
    """Write the report `summary` as page and JSON, and the `tables`, into `out`; their paths."""
    page = summary.save(out / "report.html")
    record = out / "report.json"
    summary.to_json(record)
    paths = {name: out / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        write(table, paths[name])
    return [page, record, *paths.values()]


def make_candidates(seed: int) -> dict[str, Any]:
    """Four models of different kinds, to have something to fuse; seeded by `seed`."""
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
    """The log of a network: loss and accuracy after every epoch, on rows trained on and held out.

    A fifth of the rows `X`, `y` is held out; `seed` draws them and the first weights.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed
    )
    scale = StandardScaler().fit(X_train)
    parts = {
        "": (scale.transform(X_train), y_train),
        "val_": (scale.transform(X_val), y_val),
    }
    net = MLPClassifier((64,), learning_rate_init=5e-3, random_state=seed)
    classes = sorted({int(label) for label in y})
    log: dict[str, list[float]] = {
        name: [] for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    }
    for epoch in range(1, EPOCHS + 1):
        net.partial_fit(*parts[""], classes=classes)
        log["epoch"].append(epoch)
        for prefix, (rows, truth) in parts.items():
            log_loss = METRICS.parse("log_loss")(truth, net.predict_proba(rows), classes=classes)
            accuracy = METRICS.parse("accuracy")(truth, net.predict(rows), classes=classes)
            log[f"{prefix}loss"].append(float(log_loss))
            log[f"{prefix}accuracy"].append(float(accuracy))
    return log


def write_csv(columns: Mapping[str, Sequence[float]]) -> str:
    """A training log of these `columns` as the CSV that most frameworks write."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def describe_answers(fused: Fused, test: Predictions, diagnosis: Diagnosis, seed: int) -> str:
    """Whether fusing helped on the rows of `test`, by two metrics, and how the network trained.

    `fused` is the fusion of the cross-validated models, `diagnosis` that of the network's log.
    Comparisons are drawn with `seed`.
    """
    lines = [f"Did fusing help? On {test.n} digits that no model has seen:"]
    for metric in (METRIC, "log_loss"):
        # The rival is the best of the cross-validation: choosing it on test rows would flatter it.
        rival = compare(fused.predictions.select(list(fused.losses)), metric, seed=seed).best
        comparison = compare(test.select([fused.name, rival]), metric, seed=seed)
        lines.append(f"  {metric:<8}  {_describe_pair(comparison, fused.name, rival)}")
    return "\n".join([*lines, "", "How did the network train?", f"  {diagnosis!r}"])


def _describe_pair(comparison: Comparison, fused: str, rival: str) -> str:
    """The fused model beside the best single one, and whether fusing helped."""
    (pair,) = comparison.pairs
    values = {model: format_number(value) for model, value in comparison.values.items()}
    answers = {f"{fused} is better": "it helped", f"{rival} is better": "it hurt"}
    difference = f"{pair.difference:+.4f} [{pair.low:+.4f}, {pair.high:+.4f}]"
    return (
        f"fused {values[fused]}, best single model {rival} {values[rival]}: "
        f"difference {difference}, {answers.get(pair.verdict, 'too close to call')}"
    )
