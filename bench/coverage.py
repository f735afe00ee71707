"""Coverage of 95 % intervals by simulation: how often the interval of each metric holds the true
figure.

Side by side: assay's default, the textbook's (Wald, or Student's t for means; DeLong's normal one
for the AUC; none for the rest), the percentile bootstrap, the package `confidenceinterval` where it
offers the metric, and the BCa bootstrap of scipy. The slow ones run on the first replications only.
Several processes make the data, so that no procedure is fitted to one: two normal classes, of which
the model knows the true probabilities; the same model over-confident; labels of which a share is
flipped; scores with heavy tails; probabilities from a beta distribution; regression with normal and
with heavy-tailed noise. True figures come from a large sample. Prints one JSON line a case and
metric, then a table, then what lies outside the aim: 0.93 to 0.975 where each class has 10 rows or
more, elsewhere 0.90 unless said; then the coverage of the count metrics on 30 rows by the law of
the table itself; then the hard cases (see `hard_cases`), which `--hard` measures alone.

    python bench/coverage.py [--quick] [--hard [METRIC ...]]
"""

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import hard_cases
import numpy as np
from processes import beta, flipped, heavy_classes, normal_classes, regression
from scipy.special import gammaln, ndtri
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import t as student

from assay.evaluation.evaluate import evaluate
from assay.intervals.procedures import compute_interval
from assay.intervals.replicates import Sample
from assay.metrics.base import METRICS
from assay.states.confusion import Confusion, ConfusionTable
from assay.table.predictions import Predictions
from assay.table.schema import Schema

try:
    import confidenceinterval
except ImportError:
    confidenceinterval = None

CLASSES = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "f1(average=macro)",
    "mcc",
    "balanced_accuracy",
    "roc_auc",
    "log_loss",
    "brier",
)
COUNTED = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "f1(average=macro)",
    "mcc",
    "balanced_accuracy",
    "cohen_kappa",
)
NUMBERS = ("mse", "rmse", "mae", "r2")
GOOD, MEDIOCRE = (
    3.29,
    1.05,
)  # distance of two normal classes at which the best accuracy is 0.95 and 0.70
SIZES = (30, 100, 1000)
# Replications: of assay, of the percentile bootstrap and confidenceinterval, of scipy's BCa; a
# third for 1,000 rows.
RUNS, FEWER, FEWEST = 2000, 150, 30
DRAWS = 500  # resamples of each bootstrap but assay's own
TEN, UNSAID = "where each class has 10 rows", "where nothing is said"
PARTS = (TEN, UNSAID)
WAYS = ("assay", "textbook", "percentile", "confidenceinterval", "scipy BCa")


class Case(NamedTuple):
    """A process that makes data, what its name is, and the metrics asked of it."""

    name: str
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]]  # truth and what the model gives
    metrics: tuple[str, ...]


CASES = [
    Case("balanced, good model", normal_classes(0.5, GOOD), CLASSES),
    Case("balanced, mediocre model", normal_classes(0.5, MEDIOCRE), CLASSES),
    Case("5 % positive, good model", normal_classes(0.05, GOOD), CLASSES),
    Case("5 % positive, mediocre model", normal_classes(0.05, MEDIOCRE), CLASSES),
    Case(
        "beta probabilities, good model", beta(0.12), ("f1", "mcc", "roc_auc", "log_loss", "brier")
    ),
    Case("over-confident, good model", normal_classes(0.5, GOOD, 1.5), ("log_loss", "brier")),
    Case(
        "over-confident, mediocre model", normal_classes(0.5, MEDIOCRE, 2.0), ("log_loss", "brier")
    ),
    Case("5 % of labels flipped", flipped(0.05), CLASSES),
    Case("30 % of labels flipped", flipped(0.3), CLASSES),
    Case("heavy tails, 10 % positive", heavy_classes(0.1, 3.5), ("f1", "mcc", "roc_auc")),
    Case("regression, R2 0.5", regression(0.5, heavy=False), NUMBERS),
    Case("regression, R2 0.95", regression(0.95, heavy=False), NUMBERS),
    Case("regression, R2 0.5, heavy tails", regression(0.5, heavy=True), NUMBERS),
    Case("regression, R2 0.95, heavy tails", regression(0.95, heavy=True), NUMBERS),
]


def table(case: Case, y: Any, said: Any) -> Predictions:
    """The rows as a table of one model."""
    if case.metrics is NUMBERS:
        return Predictions.from_arrays(y, {"m": said}, task="regression")
    return Predictions.from_arrays(y, {"m.proba": said}, classes=[0, 1], positive=1)


def figure(name: str, y: Any, said: Any) -> Any:
    """The figure along the last axis, for the resampling peers: (..., n) -> (...)."""
    if name in ("mse", "rmse", "mae", "r2"):
        error = y - said
        mse = (error**2).mean(axis=-1)
        by = {
            "mse": lambda: mse,
            "rmse": lambda: np.sqrt(mse),
            "mae": lambda: np.abs(error).mean(axis=-1),
        }
        return by[name]() if name in by else 1 - mse / y.var(axis=-1)
    if name in ("log_loss", "brier"):
        own = np.where(y == 1, said, 1 - said)
        return (
            (-np.log(own)).mean(axis=-1)
            if name == "log_loss"
            else (2 * (1 - own) ** 2).mean(axis=-1)
        )
    if name == "roc_auc":
        return auc(y, said)
    label = said > 0.5
    tp, fp = (label & (y == 1)).sum(axis=-1), (label & (y == 0)).sum(axis=-1)
    fn, tn = (~label & (y == 1)).sum(axis=-1), (~label & (y == 0)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, other = tp / (tp + fn), tn / (tn + fp)
        f1, f0 = 2 * tp / (2 * tp + fp + fn), 2 * tn / (2 * tn + fp + fn)
        root = np.sqrt(1.0 * (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return {
            "accuracy": (tp + tn) / y.shape[-1],
            "precision": tp / (tp + fp),
            "recall": recall,
            "f1": f1,
            "f1(average=macro)": (f1 + f0) / 2,
            "mcc": (1.0 * tp * tn - 1.0 * fp * fn) / root,
            "balanced_accuracy": (recall + other) / 2,
        }[name]


def auc(y: Any, said: Any) -> Any:
    """Area under the ROC curve by rank sums; equal scores, as resampling makes, count half."""
    order = np.argsort(said, axis=-1, kind="stable")
    s, t = (
        np.take_along_axis(said, order, -1),
        np.take_along_axis(np.broadcast_to(y, said.shape), order, -1),
    )
    first = np.concatenate([np.ones((*s.shape[:-1], 1), bool), np.diff(s, axis=-1) != 0], axis=-1)
    place = np.arange(s.shape[-1])
    start = np.maximum.accumulate(np.where(first, place, 0), axis=-1)
    last = np.concatenate([first[..., 1:], np.ones((*s.shape[:-1], 1), bool)], axis=-1)
    end = np.minimum.accumulate(np.where(last, place, s.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    pos = t.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (((start + end) / 2 + 1) * t).sum(axis=-1) - pos * (pos + 1) / 2, pos * (
            s.shape[-1] - pos
        )


def quotient(found: Any) -> Any:
    """A figure, where it comes in two parts."""
    if not isinstance(found, tuple):
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        return found[0] / found[1]


def textbook(name: str, y: Any, said: Any) -> tuple[float, float] | None:
    """Wald's interval of a share of rows, Student's t of a mean."""
    label, value, n = said > 0.5, float(quotient(figure(name, y, said))), len(y)
    rows = {"accuracy": n, "precision": int(label.sum()), "recall": int((y == 1).sum())}
    if name in rows:
        half = (
            ndtri(0.975) * math.sqrt(value * (1 - value) / rows[name]) if rows[name] else math.nan
        )
        return value - half, value + half
    each = {"mse": lambda: (y - said) ** 2, "mae": lambda: np.abs(y - said)}
    each["log_loss"] = lambda: -np.log(np.where(y == 1, said, 1 - said))
    each["brier"] = lambda: 2 * (y - said) ** 2
    if name not in each:
        return None
    half = student.ppf(0.975, n - 1) * each[name]().std(ddof=1) / math.sqrt(n)
    return value - half, value + half


def percentile(name: str, y: Any, said: Any, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles of the figure over resampled rows."""
    rows = rng.integers(0, len(y), size=(DRAWS, len(y)))
    return tuple(np.nanquantile(quotient(figure(name, y[rows], said[rows])), [0.025, 0.975]))


def package(name: str, y: Any, said: Any) -> tuple[float, float] | None:
    """The interval of the package `confidenceinterval`, where it is installed and offers the
    metric.
    """
    of = {
        "accuracy": ("accuracy_score", {}),
        "precision": ("precision_score", {"average": "binary", "method": "wilson"}),
        "recall": ("recall_score", {"average": "binary", "method": "wilson"}),
        "f1": ("f1_score", {"average": "binary"}),
        "f1(average=macro)": ("f1_score", {"average": "macro"}),
        "roc_auc": ("roc_auc_score", {}),
    }
    if confidenceinterval is None or name not in of:
        return None
    call, options = of[name]
    return getattr(confidenceinterval, call)(
        y, said if name == "roc_auc" else (said > 0.5).astype(int), **options
    )[1]


def bca(name: str, y: Any, said: Any, rng: np.random.Generator) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap of scipy."""

    def statistic(*rows: Any, axis: int = -1) -> Any:
        return quotient(figure(name, *rows))

    options: dict[str, Any] = {
        "paired": True,
        "vectorized": True,
        "n_resamples": DRAWS,
        "method": "BCa",
    }
    found = scipy_bootstrap((y, said), statistic, rng=rng, **options).confidence_interval
    return found.low, found.high


def measure(case: Case, n: int, share: float) -> list[dict[str, Any]]:
    """Coverage of every metric by every way.

    Assay's also where each class has 10 rows, and where it says nothing.
    """
    rng = np.random.default_rng(n)
    big = evaluate(table(case, *case.draw(rng, 2_000_000)), case.metrics, intervals=False)
    truth = {row.metric: row.value for row in big.rows}
    held: dict[str, dict[str, list[bool]]] = {
        m: {way: [] for way in (*WAYS, *PARTS, "said few")} for m in truth
    }
    fewer, fewest = ((1 if n < 1000 else 1 / 3) * share * most for most in (FEWER, FEWEST))
    for i in range(round(RUNS * share)):
        y, said = case.draw(rng, n)
        ten = case.metrics is NUMBERS or min(np.bincount(y, minlength=2)) >= 10
        for row in evaluate(table(case, y, said), case.metrics).rows:
            if math.isnan(row.value):
                continue
            name, into, few = row.metric, held[row.metric], "few" in row.note
            inside = bool(row.low <= truth[name] <= row.high)
            for part, there in (("assay", True), ("said few", few), (TEN, ten), (UNSAID, not few)):
                if there or part == "said few":
                    into[part].append(few if part == "said few" else inside)
            ways = {"textbook": textbook(name, y, said)}
            if i < fewer:
                ways |= {
                    "percentile": percentile(name, y, said, rng),
                    "confidenceinterval": package(name, y, said),
                }
            if i < fewest:
                ways["scipy BCa"] = bca(name, y, said, rng)
            for way, ends in ways.items():
                if ends is not None:
                    into[way].append(bool(ends[0] <= truth[name] <= ends[1]))
    return [line(case, n, m, found) for m, found in held.items()]


def line(case: Case, n: int, metric: str, held: dict[str, list[bool]]) -> dict[str, Any]:
    """One record.

    The share of intervals that hold the truth, by each way, and its standard error.
    """
    shares = {way: round(float(np.mean(held[way])), 3) for way in WAYS if held[way]}
    errors = {way: round(math.sqrt(0.95 * 0.05 / len(held[way])), 3) for way in shares}
    few = {"said few": round(float(np.mean(held["said few"])), 3)} if held["said few"] else {}
    # Samples that are rarely drawn are not like the others: a class that is rare in them by chance
    # misleads any model.
    often = {part: held[part] for part in PARTS if len(held[part]) > len(held["assay"]) / 5}
    parts = {part: round(float(np.mean(found)), 3) for part, found in often.items()}
    return {
        "case": case.name,
        "n": n,
        "metric": metric,
        "coverage": shares,
        **parts,
        **few,
        "standard error": errors,
    }


def outside(lines: list[dict[str, Any]]) -> Iterator[str]:
    """What lies outside the aim, in words."""
    for one in lines:
        where = f"{one['case']}, {one['n']} rows, {one['metric']}"
        if TEN in one and not 0.93 <= one[TEN] <= 0.975:
            yield f"{where}: {one[TEN]:.3f} {TEN}"
        elif UNSAID in one and one[UNSAID] < 0.9:
            yield f"{where}: {one[UNSAID]:.3f} {UNSAID}"


def show(lines: list[dict[str, Any]]) -> None:
    """A table in Markdown: a row a case, size and metric."""
    print(
        f"\n| case | n | metric | {' | '.join(WAYS)} | {TEN} | said few |"
        f"\n|--|--|--|{'--|' * (len(WAYS) + 2)}"
    )
    for one in lines:
        cells = [f"{one['coverage'][way]:.3f}" if way in one["coverage"] else "" for way in WAYS]
        few, ten = (
            (f"{one['said few']:.0%}" if one.get("said few") else ""),
            (f"{one[TEN]:.3f}" if TEN in one else ""),
        )
        print(
            f"| {one['case']} | {one['n']} | {one['metric']} "
            f"| {' | '.join(cells)} | {ten} | {few} |"
        )
    errors = {
        way: [one["standard error"][way] for one in lines if way in one["standard error"]]
        for way in WAYS
    }
    said = ", ".join(f"{way} {np.median(e):.1%}" for way, e in errors.items() if e)
    print(f"\nStandard error of the simulation, median over the rows: {said}.")
    print("\nOutside the aim:\n" + "\n".join(f"- {out}" for out in outside(lines)))


def exactly(n: int, positive: float, right: float) -> dict[str, float]:
    """Coverage of count metrics summed over all tables of n rows whose labels are right so often
    in either class.
    """
    shares = np.array(
        [
            (1 - positive) * right,
            (1 - positive) * (1 - right),
            positive * (1 - right),
            positive * right,
        ]
    )
    cells = np.array(
        [(*abc, n - sum(abc)) for abc in product(range(n + 1), repeat=3) if sum(abc) <= n]
    )
    chance = np.exp(gammaln(n + 1) - gammaln(cells + 1).sum(axis=1) + cells @ np.log(shares))
    schema = Schema("binary", (0, 1), {}, 1)
    metrics = [METRICS.parse(name).bind(schema) for name in COUNTED]

    def sample(cell: Any) -> Sample:
        table, rows = cell.reshape(1, 2, 2), np.array([cell.sum()])
        value = ConfusionTable(table, table, table.trace(axis1=1, axis2=2), rows, rows, rows)
        return Sample(Confusion(), value, schema, bucketed=False, clustered=False, seed=0)

    truth = [
        float(metric.estimate(sample(np.rint(shares * 1e12).astype(np.int64)).summary)[0])
        for metric in metrics
    ]
    held, defined = np.zeros(len(metrics)), np.zeros(len(metrics))
    for cell in np.flatnonzero(chance > 1e-6):
        of = sample(cells[cell])
        ends = np.array(
            [[float(end[0]) for end in compute_interval(metric, of)[:2]] for metric in metrics]
        )
        defined += chance[cell] * ~np.isnan(ends[:, 0])
        held += chance[cell] * (
            (ends[:, 0] <= np.array(truth) + 1e-12) & (truth <= ends[:, 1] + 1e-12)
        )
    return dict(zip(COUNTED, (held / defined).tolist(), strict=True))


def show_exact() -> None:
    """A table in Markdown of what 30 rows allow: no simulation, no noise."""
    print(f"\n| 30 rows, exactly | {' | '.join(COUNTED)} |\n|--|{'--|' * len(COUNTED)}")
    for positive, right in product((0.5, 0.4), (0.95, 0.9, 0.8, 0.7)):
        found = exactly(30, positive, right)
        cells = [f"{found[name]:.3f}" for name in COUNTED]
        print(f"| {positive:.0%} positive, {right:.0%} right | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Every case and size; `--quick` runs a tenth of the replications, `--hard` the hard cases.

    Metrics that are named are the only ones of the hard cases.
    """
    share = 0.1 if "--quick" in sys.argv else 1.0
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    warnings.simplefilter("ignore")  # peers warn where a resample does not define the figure
    if "--hard" not in sys.argv:
        measure_all(share)
    hard_cases.measure_all(share, named)


def measure_all(share: float) -> None:
    """Every case and size, by a `share` of the replications."""
    found = []
    for case in CASES:
        for n in SIZES:
            for one in measure(case, n, share):
                print(json.dumps(one), flush=True)
                found.append(one)
    show(found)
    show_exact()


if __name__ == "__main__":
    main()
