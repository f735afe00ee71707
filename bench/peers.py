"""Speed against what people use instead: the same figures on the same rows, both sides alternating
in one process.

Prints one JSON line a case: median seconds of each side, the median of the ratios of the pairs, the
kernels in use, and by how much the figures differ at most (relative; 1e-9 to 1e-7 where
probabilities are float32, which scikit-learn adds up as such, and whose complement is rounded). A
call of less than a quarter second is made again, up to seven times, and its median counts: memory
that lay idle while the other side ran may be slow to come back. A table is checked when it is made,
which is timed only where the case says so; scikit-learn checks its input in every call. Run it
again with ASSAY_KERNELS=numpy for the kernels without a compiler. Arguments name cases (`python
bench/peers.py multiclass regression`); peers that are not installed are left out. `--runs N` sets
the number of pairs.
"""

import argparse
import importlib.util
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import sklearn.metrics as sk

from assay.evaluation.evaluate import evaluate
from assay.kernels import get_backend
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions

Case = tuple[str, str, Callable[[], list[float]], Callable[[], list[float]]]

REPORT = ["accuracy", "balanced_accuracy", "mcc", "cohen_kappa", "confusion_matrix"]
REPORT += [
    f"{m}(average={a})"
    for m in ("precision", "recall", "f1")
    for a in ("none", "macro", "micro", "weighted")
]


def figures(table: Predictions, metrics: list[str]) -> list[float]:
    """Every figure of an evaluation without intervals."""
    return [row.value for row in evaluate(table, metrics, intervals=False).rows]


def labels(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes, four in five right."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    return y, np.where(rng.random(n) < 0.8, y, rng.integers(0, k, n))


def report_of(y, said) -> list[float]:
    """The usual eight calls of scikit-learn, in the order of REPORT."""
    found = [
        sk.accuracy_score(y, said),
        sk.balanced_accuracy_score(y, said),
        sk.matthews_corrcoef(y, said),
    ]
    found += [sk.cohen_kappa_score(y, said), *sk.confusion_matrix(y, said).ravel()]
    averages = [
        sk.precision_recall_fscore_support(y, said, average=a)[:3]
        for a in (None, "macro", "micro", "weighted")
    ]
    return found + [float(v) for i in range(3) for of in averages for v in np.ravel(of[i])]


def multiclass() -> Iterator[Case]:
    """The full report of integer labels, and of text labels with the encoding."""
    y, said = labels(10_000_000, 10)
    table = Predictions.from_arrays(y, {"m": said})
    sides = {
        "report, 1e7 rows, 10 integer classes": lambda: figures(table, REPORT),
        "report, 1e7 rows, 10 integer classes, from arrays": lambda: figures(
            Predictions.from_arrays(y, {"m": said}), REPORT
        ),
    }
    for name, ours in sides.items():
        yield name, "scikit-learn", ours, lambda y=y, said=said: report_of(y, said)
    for k in (2, 100, 1000, 10_000):
        a, b = labels(1_000_000, k)
        small = Predictions.from_arrays(a, {"m": b})
        some = [
            "accuracy",
            "balanced_accuracy",
            "mcc",
            "cohen_kappa",
            "f1(average=macro)",
            "f1(average=weighted)",
        ]
        yield (
            f"six figures, 1e6 rows, {k} classes",
            "scikit-learn",
            lambda small=small, some=some: figures(small, some),
            lambda a=a, b=b: six_of(a, b),
        )
    names = np.array([f"class {i}" for i in range(10)], object)
    y, said = labels(1_000_000, 10)
    texts, fixed = (names[y], names[said]), (names.astype(str)[y], names.astype(str)[said])
    coded = [
        pa.DictionaryArray.from_arrays(pa.array(c.astype(np.int32)), pa.array(list(names)))
        for c in (y, said)
    ]
    # Of an Arrow column scikit-learn takes what to_numpy gives, which is objects; fixed width is
    # the faster of its two.
    sides = (
        ("Arrow dictionary", coded, "objects", texts),
        ("Arrow dictionary", coded, "fixed width", fixed),
    )
    for name, (a, b), width, theirs in (*sides, ("Python objects", texts, "objects", texts)):
        yield (
            f"report, 1e6 rows, 10 text classes as {name}, encoding included",
            f"scikit-learn, texts as {width}",
            lambda a=a, b=b: figures(Predictions.from_arrays(a, {"m": b}), REPORT),
            lambda of=theirs: report_of(*of),
        )


def six_of(y, said) -> list[float]:
    """Six figures with scikit-learn, each with its own call."""
    found = [
        sk.accuracy_score(y, said),
        sk.balanced_accuracy_score(y, said),
        sk.matthews_corrcoef(y, said),
    ]
    return [
        *found,
        sk.cohen_kappa_score(y, said),
        *(sk.f1_score(y, said, average=a) for a in ("macro", "weighted")),
    ]


def scores(n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and the probability of the positive class."""
    rng = np.random.default_rng(1)
    y = rng.random(n) < (0.001 if kind == "rare" else 0.3)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1)))
    p = np.round(p, 2) if kind == "ties" else p
    return y.astype(np.int64), p.astype(np.float64 if kind == "float64" else np.float32)


def calibration_error(y, p, bins: int = 15) -> float:
    """Expected calibration error of the positive class, bins of equal width."""
    code = np.minimum((p.astype(np.float64) * bins).astype(np.intp), bins - 1)
    return float(np.abs(np.bincount(code, y - p.astype(np.float64), bins)).sum() / len(y))


def order_of(y, p) -> list[float]:
    """The four figures of order with scikit-learn, each with its own call."""
    fpr, tpr, _ = sk.roc_curve(y, p)
    precision, recall, _ = sk.precision_recall_curve(y, p)
    with np.errstate(invalid="ignore"):
        best = np.nanmax(2 * precision * recall / (precision + recall))
    return [
        sk.roc_auc_score(y, p),
        sk.average_precision_score(y, p),
        float((tpr - fpr).max()),
        float(best),
    ]


def binary_of(y, p) -> list[float]:
    """The seven figures with scikit-learn."""
    losses = [
        sk.log_loss(y, p.astype(np.float64)),
        2 * sk.brier_score_loss(y, p.astype(np.float64)),
    ]
    return [*order_of(y, p), *losses, calibration_error(y, p)]


def binary() -> Iterator[Case]:
    """Seven figures of binary probabilities."""
    metrics = ["roc_auc", "average_precision", "ks", "best_f_beta", "log_loss", "brier", "ece"]
    n = 10_000_000
    for kind in ("continuous", "float64", "ties", "rare"):
        y, p = scores(n, kind)
        table = Predictions.from_arrays(y, {"m.proba": np.stack([1 - p, p], axis=1)})
        yield (
            f"AUC, AP, KS, best F1, log loss, Brier, ECE, {n:.0e} rows, {kind}",
            "scikit-learn",
            lambda table=table: figures(table, metrics),
            lambda y=y, p=p: binary_of(y, p),
        )
        if kind == "continuous" and importlib.util.find_spec("rapidstats"):
            truth = y.astype(bool)
            yield (
                f"AUC, AP, KS, Brier, {n:.0e} rows",
                "rapidstats",
                lambda table=table: figures(table, ["roc_auc", "average_precision", "ks", "brier"]),
                lambda y=truth, p=p: rapid(y, p),
            )
    y, p = scores(10_000_000, "continuous")
    logit = np.log(p / (1 - p))
    signed = Predictions.from_arrays(y, {"m.score": logit})
    yield (
        "AUC, AP, KS, best F1, 1e+07 rows, signed scores",
        "scikit-learn",
        lambda: figures(signed, metrics[:4]),
        lambda: order_of(y, logit),
    )


def rapid(y, p) -> list[float]:
    """Four of them with rapidstats, which has no log loss.

    The truth as booleans, as it takes it.
    """
    from rapidstats import metrics

    order = [metrics.roc_auc(y, p), metrics.average_precision(y, p), metrics.max_ks(y, p)]
    return [*order, 2 * metrics.brier_loss(y, p)]


def probabilities(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and softmax probabilities, float32."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, k, n)
    logit = rng.normal(size=(n, k)).astype(np.float32)
    logit[np.arange(n), y] += 3
    proba = np.exp(logit - logit.max(axis=1, keepdims=True))
    return y, proba / proba.sum(axis=1, keepdims=True)


def probability_of(y, p) -> list[float]:
    """Log loss, top-5 accuracy, Brier score and calibration error with scikit-learn and NumPy."""
    classes = np.arange(p.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            sk.log_loss(y, p, labels=classes),
            sk.top_k_accuracy_score(y, p, k=5, labels=classes),
        ]
        found += [float(sk.brier_score_loss(y, p, labels=classes, scale_by_half=False))]
    top, right = p.max(axis=1).astype(np.float64), p.argmax(axis=1) == y
    code = np.minimum((top * 15).astype(np.intp), 14)
    return [*found, float(np.abs(np.bincount(code, right - top, 15)).sum() / len(y))]


def probability() -> Iterator[Case]:
    """One pass over the probabilities of many classes, and one ranking problem a class."""
    for n, k in ((1_000_000, 10), (100_000, 1000)):
        y, p = probabilities(n, k)
        table = Predictions.from_arrays(y, {"m.proba": p}, classes=list(range(k)))
        yield (
            f"log loss, top-5, Brier, ECE, {n:.0e} x {k}",
            "scikit-learn",
            lambda table=table: figures(table, ["log_loss", "top_k_accuracy(k=5)", "brier", "ece"]),
            lambda y=y, p=p: probability_of(y, p),
        )
        yield (
            f"macro one-vs-rest AUC, {n:.0e} x {k}",
            "scikit-learn",
            lambda table=table: figures(table, ["roc_auc"]),
            lambda y=y, p=p: [
                sk.roc_auc_score(y, p, multi_class="ovr", labels=np.arange(p.shape[1]))
            ],
        )


def uncertainty() -> Iterator[Case]:
    """Intervals.

    Replicates against the resampling loop, and the AUC against DeLong's by another package.
    """
    y, said = labels(1_000_000, 10)
    table = Predictions.from_arrays(y, {"m": said})
    metrics = ["accuracy", "f1"]

    def ours() -> list[float]:
        return [
            end
            for row in evaluate(table, metrics, intervals="bootstrap").rows
            for end in (row.low, row.high)
        ]

    yield (
        "1,000 replicates of accuracy and macro F1, 1e6 rows",
        "scikit-learn loop (3 of 1,000 timed)",
        ours,
        lambda: loop(y, said),
    )
    if importlib.util.find_spec("confidenceinterval"):
        import confidenceinterval

        t, p = scores(1_000_000, "continuous")
        scored = Predictions.from_arrays(t, {"m.score": p})

        def auc() -> list[float]:
            row = evaluate(scored, ["roc_auc"]).rows[0]
            return [row.value, row.low, row.high]

        def theirs() -> list[float]:
            value, (low, high) = confidenceinterval.roc_auc_score(t, p)
            return [value, low, high]

        yield "AUC with its interval, 1e6 rows", "confidenceinterval", auc, theirs


def loop(y, said) -> list[float]:
    """Three replicates of the loop; their time is scaled to 1,000 (see `timed`)."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        rows = rng.integers(0, len(y), len(y))
        sk.accuracy_score(y[rows], said[rows]), sk.f1_score(y[rows], said[rows], average="macro")
    return []


def regression() -> Iterator[Case]:
    """Seven figures of 1e7 numbers."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=10_000_000) + 5
    f = y + 0.5 * rng.normal(size=len(y))
    table = Predictions.from_arrays(y, {"m.value": f}, task="regression")
    metrics = ["mse", "rmse", "mae", "r2", "mape", "pinball(alpha=0.9)", "median_ae"]

    def theirs() -> list[float]:
        found = [
            sk.mean_squared_error(y, f),
            sk.root_mean_squared_error(y, f),
            sk.mean_absolute_error(y, f),
        ]
        found += [sk.r2_score(y, f), sk.mean_absolute_percentage_error(y, f)]
        return [*found, sk.mean_pinball_loss(y, f, alpha=0.9), sk.median_absolute_error(y, f)]

    name = "MSE, RMSE, MAE, R2, MAPE, pinball, median AE, 1e7 rows"
    yield name, "scikit-learn", lambda: figures(table, metrics), theirs
    if importlib.util.find_spec("duckdb"):
        import duckdb

        frame = pa.table({"y": y, "f": f})
        query = (
            "select avg(e*e), sqrt(avg(e*e)), avg(abs(e)), "
            "1 - sum(e*e) / (count(*) * var_pop(y)), avg(abs(e / y)), "
            "avg(greatest(.9 * e, -.1 * e)), median(abs(e)) from (select y, y - f as e from frame)"
        )
        yield (
            name,
            "duckdb",
            lambda: figures(table, metrics),
            lambda: list(duckdb.query(query).fetchall()[0]) if frame else [],
        )


def multilabel() -> Iterator[Case]:
    """Fifty labels a row."""
    rng = np.random.default_rng(4)
    n, k = 1_000_000, 50
    y = (rng.random((n, k)) < 0.08).astype(np.uint8)
    said = np.where(rng.random((n, k)) < 0.95, y, 1 - y).astype(np.uint8)
    table = Predictions.from_arrays(y, {"m.label": said}, task="multilabel")
    metrics = [
        "hamming_loss",
        "subset_accuracy",
        "f1(average=micro)",
        "f1(average=macro)",
        "f1(average=samples)",
    ]

    def theirs() -> list[float]:
        found = [sk.hamming_loss(y, said), sk.accuracy_score(y, said)]
        return found + [
            sk.f1_score(y, said, average=a, zero_division=1.0)
            for a in ("micro", "macro", "samples")
        ]

    yield (
        "Hamming, subset, micro, macro and samples F1, 1e6 x 50",
        "scikit-learn",
        lambda: figures(table, metrics),
        theirs,
    )
    p = rng.random((n, k)).astype(np.float32) * 0.5 + 0.5 * y * rng.random((n, k)).astype(
        np.float32
    )
    ranked = Predictions.from_arrays(y, {"m.proba": p}, task="multilabel")
    few = 20_000
    names = ["lrap", "ranking_loss"]

    def ranks() -> list[float]:
        (
            sk.label_ranking_average_precision_score(y[:few], p[:few]),
            sk.label_ranking_loss(y[:few], p[:few]),
        )
        return []

    yield (
        "LRAP and ranking loss, 1e6 x 50",
        "scikit-learn (20,000 of the rows timed)",
        lambda: figures(ranked, names),
        ranks,
    )


def small() -> Iterator[Case]:
    """What one call costs: 1,000 rows, ten figures."""
    y, p = scores(1000, "continuous")
    table = Predictions.from_arrays(y, {"m.proba": np.stack([1 - p, p], axis=1)})
    metrics = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc", "cohen_kappa"]
    metrics += ["roc_auc", "log_loss", "brier"]
    said = (p > 0.5).astype(int)
    of_label = (
        sk.accuracy_score,
        sk.balanced_accuracy_score,
        sk.precision_score,
        sk.recall_score,
        sk.f1_score,
    )
    of_label += (sk.matthews_corrcoef, sk.cohen_kappa_score)

    def theirs() -> list[float]:
        q = p.astype(np.float64)
        found = [f(y, said) for f in of_label]
        return [*found, sk.roc_auc_score(y, p), sk.log_loss(y, q), 2 * sk.brier_score_loss(y, q)]

    yield (
        "evaluate, 1,000 rows, 10 metrics",
        "scikit-learn",
        lambda: figures(table, metrics),
        theirs,
    )


CASES = (multiclass, binary, probability, uncertainty, regression, multilabel, small)
# Peers too slow to run in full: what was timed, as a share of the whole.
SHARES = {
    "scikit-learn loop (3 of 1,000 timed)": 3 / 1000,
    "scikit-learn (20,000 of the rows timed)": 0.02,
}


def timed(work: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Wall seconds and figures of a call.

    Of one below a second the median of seven: what lay idle is slow at first.
    """
    took: list[float] = []
    while not took or (took[0] < 1 and len(took) < 7):
        start = time.perf_counter()
        found = work()
        took.append(time.perf_counter() - start)
    return statistics.median(took), found


def measure(case: Case, runs: int) -> dict[str, object]:
    """The line of one case."""
    name, peer, ours, theirs = case
    figures_of_ours, figures_of_theirs = timed(ours)[1], timed(theirs)[1]
    pairs = [(timed(ours)[0], timed(theirs)[0] / SHARES.get(peer, 1)) for _ in range(runs)]
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    apart = None
    if figures_of_theirs:
        pair = np.array([figures_of_ours, figures_of_theirs], np.float64)
        apart = float(np.max(np.abs(pair[0] - pair[1]) / np.maximum(np.abs(pair[1]), 1e-12)))
    return {
        "case": name,
        "peer": peer,
        "kernels": get_backend(),
        "seconds": round(a, 5),
        "peer_seconds": round(b, 4),
        "ratio": round(ratio, 1),
        "differs": apart,
    }


def main() -> None:
    """Every case asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[[], *(case.__name__ for case in CASES)])
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    for cases in CASES:
        if not asked.cases or cases.__name__ in asked.cases:
            for case in cases():
                print(json.dumps(measure(case, asked.runs)), flush=True)


if __name__ == "__main__":
    assert METRICS
    main()
