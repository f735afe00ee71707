"""Hard cases of intervals: how often one holds the true figure where theory helps least.

Figures of calibration, the largest gap of two curves, correlations with heavy tails, rows of very
unequal weight, few clusters, streams, and states of jobs that are joined. Of each: the share of
samples whose interval holds the true value, the same where each class has ten effective rows
(Kish's), the share of samples that a note flags, and the share without an interval. True figures
come from a large sample, whose rows all count alike: weights are drawn without regard to the rows.
"""

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from processes import (
    Draw,
    clustered,
    heavy_classes,
    noisy_numbers,
    normal_classes,
    several_classes,
)

from assay.evaluation import kept_rows
from assay.evaluation.evaluate import build_evaluation, evaluate
from assay.evaluation.merge import merge_states
from assay.io.read_write import write
from assay.io.stream import scan
from assay.table.predictions import Predictions

# Samples of a case; of one with weights or a stream; of one of many rows or of several jobs, which
# take longest; of one of calibration, of heavy tails or of first rows.
RUNS, FEWER, FEWEST, MOST = 200, 100, 60, 400
LARGE, LARGE_PROBA = 4_000_000, 1_000_000
JOBS = 3
CLUSTER = 20  # rows of a cluster
GOOD, MEDIOCRE = 3.29, 1.05
CALIBRATION = ("ece", "ace", "mce", "classwise_ece", "brier_calibration")
LINE = ("calibration_slope",)
RANKING = ("ks", "roc_auc", "average_precision")
PROPER = ("log_loss", "brier", "accuracy", "f1", "mcc")
CORRELATION = ("pearson", "explained_variance", "concordance_correlation", "r2", "spearman")
HEAVY = (*CORRELATION, "mse")
NUMBERS = ("mse", "mae", "r2", "pearson")
ALL = ("ece", *RANKING, *PROPER)


class Case(NamedTuple):
    """A process, the metrics asked of it, and how its rows come.

    `sigma` is that of lognormal weights. `way` says how the rows are read: as a table, as a stream
    of files, or by jobs whose states are joined without their rows, as those of many rows are.
    """

    name: str
    draw: Draw
    metrics: Sequence[str]
    sizes: Sequence[int]
    task: str = "binary"
    sigma: float = 0.0
    clustered: bool = False
    way: Literal["table", "stream", "joined"] = "table"
    runs: int = RUNS


def weighted(sigma: float) -> list[Case]:
    """Cases of lognormal weights."""
    about = f"weights, sigma {sigma:.0f}"
    mediocre = normal_classes(0.5, MEDIOCRE)
    numbers = noisy_numbers(0.5, None)
    return [
        Case(f"{about}, mediocre model", mediocre, ALL, (200, 1000), sigma=sigma, runs=FEWER),
        Case(
            f"{about}, regression", numbers, NUMBERS, (200, 1000), "regression", sigma, runs=FEWER
        ),
    ]


CASES = [
    Case(
        "heavy tails, 10 % positive", heavy_classes(0.1, 3.5), RANKING, (100, 300, 1000), runs=MOST
    ),
    Case("good model, first rows", normal_classes(0.5, GOOD), RANKING, (100, 300), runs=MOST),
    *[
        Case(
            f"{name} noise",
            noisy_numbers(0.8, freedom),
            HEAVY,
            (30, 100, 300, 1000),
            "regression",
            runs=MOST,
        )
        for name, freedom in (("normal", None), ("Student's t, 5 d.f.,", 5), ("3 d.f.", 3))
    ],
    *weighted(1.0),
    *weighted(2.0),
    Case(
        "clusters of 20",
        clustered(normal_classes(0.5, MEDIOCRE), CLUSTER),
        ALL,
        (5 * CLUSTER, 12 * CLUSTER),
        clustered=True,
    ),
    Case("stream", normal_classes(0.5, MEDIOCRE), ALL, (100,), way="stream", runs=FEWER),
    Case("long stream", normal_classes(0.5, MEDIOCRE), ALL, (100_000,), way="stream", runs=FEWEST),
    Case("joined states", normal_classes(0.5, MEDIOCRE), ALL, (300,), way="joined", runs=FEWEST),
    Case(
        "joined states, regression",
        noisy_numbers(0.8, None),
        CORRELATION,
        (300,),
        "regression",
        way="joined",
        runs=FEWEST,
    ),
    *[
        Case(name, draw, (*CALIBRATION, *LINE), (40, 100, 1000), runs=MOST)
        for name, draw in (
            ("good model", normal_classes(0.5, GOOD)),
            ("over-confident model", normal_classes(0.5, MEDIOCRE, 2.0)),
        )
    ],
    *[
        Case(name, draw, CALIBRATION, (40, 100, 1000), runs=MOST)
        for name, draw in (
            ("over-confident good model", normal_classes(0.5, GOOD, 2.0)),
            ("under-confident model", normal_classes(0.5, MEDIOCRE, 0.5)),
            ("over-confident model of 5 classes", several_classes(5, 1.2, 2.0)),
        )
    ],
]


def tabulate(case: Case, y: Any, said: Any, weight: Any = None) -> Predictions:
    """The rows as a table of one model."""
    cluster = np.arange(len(y)) // CLUSTER if case.clustered and weight is None else None
    options = {"weight": weight, "cluster": cluster}
    if case.task == "regression":
        return Predictions.from_arrays(y, {"m": said}, task="regression", **options)
    positive = {"positive": 1} if said.ndim == 1 else {}
    classes = list(range(said.shape[1] if said.ndim > 1 else 2))
    return Predictions.from_arrays(y, {"m.proba": said}, classes=classes, **positive, **options)


@cache
def find_truth(case: Case) -> dict[str, float]:
    """The figures of a large sample, those of calibration to its own small bias."""
    several = case.draw(np.random.default_rng(0), 2)[1].ndim > 1
    y, said = case.draw(np.random.default_rng(0), LARGE_PROBA if several else LARGE)
    plain = case._replace(clustered=False)
    found = evaluate(tabulate(plain, y, said), case.metrics, intervals=False)
    return {row.metric: row.value for row in found.rows}


def judge(case: Case, table: Predictions, folder: Path) -> Any:
    """The evaluation of a table, of the files of its parts, or of the states of these."""
    if case.way == "table":
        return evaluate(table, case.metrics)
    parts = [table.take(part) for part in np.array_split(np.arange(table.n), JOBS)]
    if case.way == "stream":
        for i, part in enumerate(parts):
            write(part, folder / f"{i}.parquet")
        return evaluate(scan(folder), case.metrics)
    states = [folder / f"{i}.state" for i in range(JOBS)]
    for part, state in zip(parts, states, strict=True):
        state.unlink(missing_ok=True)
        evaluate(part, case.metrics, checkpoint=state)
    return build_evaluation(*merge_states(states))


def measure(case: Case, n: int, share: float) -> list[dict[str, Any]]:
    """A record of each metric of a case on `n` rows."""
    rng = np.random.default_rng(n)
    truth = find_truth(case)
    held: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(round(case.runs * share)):
            y, said = case.draw(rng, n)
            weight = rng.lognormal(sigma=case.sigma, size=n) if case.sigma else None
            ten = has_ten(case, y, weight)
            for row in judge(case, tabulate(case, y, said, weight), Path(folder)).rows:
                if math.isnan(row.low):
                    missing[row.metric] += 1
                    continue
                inside = bool(row.low <= truth[row.metric] <= row.high)
                flagged = "too narrow" in row.note or "only" in row.note
                held[row.metric].append((inside, ten, flagged))
    return [summarise(case, n, name, held[name], missing[name]) for name in truth]


def has_ten(case: Case, y: Any, weight: Any) -> bool:
    """Whether each class has ten effective rows; of a regression, whether all rows have."""
    weight = np.ones(len(y)) if weight is None else weight
    if case.task == "regression":
        classes = [np.ones(len(y), bool)]
    else:
        classes = [y == code for code in range(max(2, int(y.max()) + 1))]
    sums = [(weight[rows].sum(), (weight[rows] ** 2).sum()) for rows in classes]
    return all(squares and total**2 / squares >= 10 for total, squares in sums)


def summarise(case: Case, n: int, metric: str, held: Any, missing: int) -> dict[str, Any]:
    """One record: shares of samples, and the standard error of the coverage."""
    runs = len(held) + missing
    inside, ten, flagged = np.array(held, bool).reshape(-1, 3).T
    often = ten.sum() > runs / 5
    about = f"{n // CLUSTER} clusters" if case.clustered else f"{n} rows"
    return {
        "case": f"{case.name}, {about}",
        "metric": metric,
        "samples": runs,
        "covers": round(float(inside.mean()), 3),
        "ten": round(float(inside[ten].mean()), 3) if often else None,
        "unflagged": round(float(inside[~flagged].mean()), 3) if (~flagged).sum() > 50 else None,
        "flagged": round(float(flagged.mean()), 3),
        "without": round(missing / runs, 3),
        "error": round(math.sqrt(0.95 * 0.05 / runs), 3),
    }


def list_outside(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What lies outside the aim: 0.93 to 0.975 of ten effective rows, below 0.90 unflagged."""
    for line in lines:
        where = f"{line['case']}, {line['metric']}"
        if line["covers"] < 0.9 and line["flagged"] < 1:
            yield f"{where}: {line['covers']:.3f}, flagged in {line['flagged']:.1%}"
        elif line["flagged"] < 1 and line["ten"] is not None and not 0.93 <= line["ten"] <= 0.975:
            yield f"{where}: {line['ten']:.3f} of ten effective rows a class"


def measure_all(share: float, named: Sequence[str] = ()) -> None:
    """Every hard case: a JSON line a metric, a table in Markdown, and what is outside the aim.

    `named` are the only metrics asked, where there are any.
    """
    lines = []
    for case in CASES:
        metrics = [name for name in case.metrics if name in named] if named else case.metrics
        if not metrics:
            continue
        case = case._replace(metrics=tuple(metrics))
        # Jobs that are joined without their rows, as those of many rows are.
        kept_rows.MOST_ROWS = 0 if case.way == "joined" else 1 << 16
        for n in case.sizes:
            for line in measure(case, n, share):
                print(json.dumps(line), flush=True)
                lines.append(line)
    show(lines)


def show(lines: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown: a row a case and metric; then what is outside the aim."""
    header = "| case | metric | samples | covers | of ten rows a class | flagged | without |"
    print(f"\n{header}\n|--|--|--|--|--|--|--|")
    for line in lines:
        ten = "" if line["ten"] is None else f"{line['ten']:.3f}"
        flagged = f"{line['flagged']:.0%}" if line["flagged"] else ""
        without = f"{line['without']:.0%}" if line["without"] else ""
        print(
            f"| {line['case']} | {line['metric']} | {line['samples']} | {line['covers']:.3f} "
            f"| {ten} | {flagged} | {without} |"
        )
    errors = sorted({line["error"] for line in lines})
    print(f"\nStandard error of the simulation: {' or '.join(f'{error:.1%}' for error in errors)}.")
    print("\nOutside the aim:\n" + "\n".join(f"- {out}" for out in list_outside(lines)))
