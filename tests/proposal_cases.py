"""The cases of `proposals`: tables and files, metrics, verbs, training loops and logs, PyTorch."""

import json
import math
import re
from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import sklearn.metrics
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold
from sklearn.naive_bayes import GaussianNB

import assay
from assay.engines.processes import _dump, _take_first
from assay.metrics.base import METRICS
from assay.states.sketch import Sketch
from assay.table.validation import _sort_labels
from deep_cases import list_cases_of_deep_fusion
from fusion_cases import list_cases_of_stacking, list_cases_of_weights
from proposals import (
    case,
    error,
    exit_code,
    figure,
    make_folder,
    notes,
    refused,
    run,
    said,
    saved,
    value,
)  # fmt: skip
from soup_cases import list_cases_of_fused_estimators, list_cases_of_soups

P = assay.Predictions.from_arrays
RNG = np.random.default_rng(12)
Y = np.array(["no", "yes"] * 40)
N = np.array([0, 1] * 40)
WRONG = np.arange(80) % 4 == 0
M = np.where(WRONG, "yes", Y)  # three of four rows are right
HALF = np.where(np.arange(80) % 8 == 0, "yes", Y)  # seven of eight
GOOD = np.where(Y == "yes", 0.8, 0.1)
PROBA = np.stack([1 - GOOD, GOOD], axis=1)
LOSS = -(np.log(0.8) + np.log(0.9)) / 2
SITE = np.array(["a", "b", "c", "d"] * 20)
FEW = P(Y, {"m": M})
TWO = P(Y, {"a": M, "b": HALF})
X = RNG.normal(size=(80, 2)) + N[:, None]
VALUES = RNG.normal(size=80)
LONG = "y,m.label\n" + "no,no\nyes,yes\nno,yes\nyes,yes\n" * 10
BARE = "y,s\n" + "no,0.2\nyes,0.9\nno,0.6\nyes,0.5\n" * 10
AUC = 0.75
WEIGHT = "y,m.label,weight\n" + "no,no,3\nyes,yes,1\nno,yes,1\nyes,yes,1\n" * 10
BOTH = P(Y, {"a.proba": GOOD, "b.proba": GOOD / 2})
PAIR = "y,a.proba,b.proba\n" + "no,0.1,0.2\nyes,0.8,0.7\n" * 20
PLAIN = {"progress": False, "n_jobs": 1}


def list_cases_of_columns() -> None:
    case(
        error(assay.read, saved("a,m.label\nno,no\nyes,yes\n"), truth=3),
        lambda: figure(assay.read(saved("a,m.label\nno,no\nyes,no\n"), truth="a"), "accuracy"),
        0.5,
    )
    case(
        refused("evaluate t.csv", t=LONG.replace("y,", "target,", 1)),
        value("evaluate t.csv --truth target -m accuracy", t=LONG.replace("y,", "target,", 1)),
        0.75,
    )
    case(
        refused("evaluate t.csv", t="0.2,0\n0.9,1\n0.6,0\n"),
        value(
            "evaluate t.csv --no-header --truth 2 --model m=proba:1 -m roc_auc",
            t="0.2,0\n0.9,1\n0.6,0\n",
        ),
        1.0,
    )
    case(
        refused("evaluate t.csv", t="1,1\n0,1\n1,1\n0,0\n"),
        value(
            "evaluate t.csv --no-header --truth 1 --model m=label:2 -m accuracy",
            t="1,1\n0,1\n1,1\n0,0\n",
        ),
        0.75,
    )
    case(
        said("evaluate t.csv -m accuracy", t=WEIGHT),
        value("evaluate t.csv --no-weight -m accuracy", t=WEIGHT),
        0.75,
    )
    case(
        refused("evaluate t.csv --weight weight --no-weight", t=WEIGHT),
        value("evaluate t.csv --weight weight -m accuracy", t=WEIGHT),
        5 / 6,
    )
    clusters = LONG.replace("m.label\n", "m.label,cluster\n", 1).replace("no,yes\n", "no,yes,0\n")
    clusters = clusters.replace("no,no\n", "no,no,0\n").replace("yes,yes\n", "yes,yes,1\n")
    case(
        said("evaluate t.csv -m accuracy", t=clusters),
        value("evaluate t.csv --no-cluster -m accuracy", t=clusters),
        0.75,
    )
    ids = clusters.replace("cluster", "id")
    case(
        said("evaluate t.csv -m accuracy", t=ids),
        value("evaluate t.csv --cluster id -m accuracy", t=ids),
        0.75,
    )
    case(
        error(P, Y, {"m": M}, id=SITE),
        lambda: figure(P(Y, {"m": M}, cluster=SITE), "accuracy"),
        0.75,
    )


def list_cases_of_streams() -> None:
    folder = make_folder()
    files = [
        assay.write(P(Y, {"m": M}, id=np.arange(80) + i), folder / f"{i}.parquet") for i in (0, 79)
    ]
    case(error(assay.scan, *files), lambda: figure(assay.scan(*files, id=None), "accuracy"), 0.75)
    table = pa.table({"y": Y, "m.label": M, "weight": 1.0 + 2 * WRONG})
    pa.parquet.write_table(table, folder / "w.parquet")
    case(
        notes(assay.scan, folder / "w.parquet"),
        lambda: figure(assay.scan(folder / "w.parquet", weight=None), "accuracy"),
        0.75,
    )


def list_cases_of_undeclared_models() -> None:
    case(
        refused("evaluate t.csv --truth y", t=BARE),
        value("evaluate t.csv --model s=proba -m roc_auc", t=BARE),
        AUC,
    )
    case(
        refused("evaluate t.csv", t="y,z\nno,p\nyes,q\n"),
        value("evaluate t.csv --model m=value:z --truth y -m mae", t="y,z\n1.5,2\n2.5,2\n"),
        0.5,
    )
    case(
        said("evaluate t.csv --model s -m roc_auc", t=BARE),
        value("evaluate t.csv --model s=score -m roc_auc", t=BARE),
        AUC,
    )
    one = "y,m.label,s\n" + "no,no,0.2\nyes,yes,0.9\nno,yes,0.6\nyes,yes,0.5\n" * 10
    case(
        said("evaluate t.csv -m accuracy", t=one),
        lambda: (
            assay.evaluate(
                assay.read(saved(one), models={"m": None, "s": "proba"}), "roc_auc", intervals=False
            )
            .get("s", "roc_auc")
            .value
        ),
        AUC,
    )
    several = (
        one.replace(",s\n", ",s,t\n", 1)
        .replace("0.2\n", "0.2,0.1\n")
        .replace("0.9\n", "0.9,0.8\n")
        .replace("0.6\n", "0.6,0.7\n")
        .replace("0.5\n", "0.5,0.4\n")
    )
    case(
        said("evaluate t.csv -m accuracy", t=several),
        lambda: (
            assay.evaluate(
                assay.read(saved(several), models={"m": None, "t": "proba"}),
                "roc_auc",
                intervals=False,
            )
            .get("t", "roc_auc")
            .value
        ),
        AUC,
    )
    stray = "y,m,k\n1.5,2.5,1.0\n2.5,2.5,2.0\n3.5,2.5,x\n"
    case(
        error(assay.read, saved(stray)),
        lambda: figure(assay.read(saved(stray), models=["m"]), "mae"),
        2 / 3,
    )
    missing = "y,m.label\nNA,NA\nyes,yes\nNA,yes\nyes,yes\n"
    case(
        error(assay.read, saved(missing)),
        lambda: figure(assay.read(saved(missing), classes=["NA", "yes"]), "accuracy"),
        0.75,
    )
    grouped = 'y,m.value\n"1,234","1,250"\n"2,345","2,313"\n'
    for mark, right in ((",", 0.024), (".", 24.0)):
        case(
            refused("evaluate t.csv --task regression", t=grouped),
            value(f"evaluate t.csv --task regression --decimal {mark} -m mae", t=grouped),
            right,
        )


def list_cases_of_tasks() -> None:
    hot = np.eye(2)[N]
    case(
        error(P, hot, {"m": PROBA}),
        lambda: figure(P(hot, {"m": PROBA}, task="multiclass"), "log_loss"),
        LOSS,
    )
    amounts = np.arange(100)
    case(
        error(P, amounts, {"m": amounts + 2}),
        lambda: figure(P(amounts, {"m": amounts + 2}, task="regression"), "mae"),
        2.0,
    )
    case(
        error(P, [[1, 1], [0, 1]], {"m": [0, 1]}, task="multiclass"),
        lambda: figure(
            P([[1, 1], [0, 1]], {"m": [[1, 0], [0, 1]]}, task="multilabel"), "hamming_loss"
        ),
        0.25,
    )
    case(
        error(P, ["a", "b", "c"], {"m.label": np.eye(3, dtype=int)}),
        lambda: figure(
            P(np.eye(3, dtype=int), {"m.label": np.eye(3, dtype=int)}, task="multilabel"),
            "hamming_loss",
        ),
        0.0,
    )
    case(
        error(P, ["yes"] * 3, {"m": ["yes"] * 3}, task="binary"),
        lambda: figure(P(["yes"] * 3, {"m": ["yes"] * 3}, classes=["no", "yes"]), "recall"),
        1.0,
    )
    case(
        error(P, Y, {"m": M}, positive="si"),
        lambda: figure(P(Y, {"m": M}, positive="yes"), "recall"),
        1.0,
    )
    case(error(P, [], {"m": []}), lambda: P([], {"m": []}, classes=["no", "yes"]).n, 0)
    case(
        error(P, [0, 1, 1], {"m.proba": {"a": [0.5] * 3, "1": [0.5] * 3}}),
        lambda: figure(
            P(["a", "1", "1"], {"m.proba": {"a": [0.5] * 3, "1": [0.5] * 3}}, classes=["a", "1"]),
            "brier",
        ),
        0.5,
    )
    case(
        error(P, ["a", "b", "a"], {"m.proba": np.full((3, 3), 1 / 3)}),
        lambda: figure(
            P(["a", "b", "a"], {"m.proba": np.full((3, 3), 1 / 3)}, classes=["a", "b", "c"]),
            "log_loss",
        ),
        math.log(3),
    )
    case(
        error(P, ["a", "b"], {"m.label": [True, False]}),
        lambda: figure(
            P(["a", "b"], {"m.label": [True, False]}, labels={True: "a", False: "b"}), "accuracy"
        ),
        1.0,
    )
    case(
        error(_sort_labels, {"a": None, 1: None}),
        lambda: figure(P(["a", "1"], {"m": ["a", "1"]}, classes=["a", "1"]), "accuracy"),
        1.0,
    )
    case(
        error(P, ["A ", "B", "A "], {"m": ["A", "B", "B"]}),
        lambda: figure(
            P(["A ", "B", "A "], {"m": ["A", "B", "B"]}, labels={"A": "A "}), "accuracy"
        ),
        2 / 3,
    )


def list_cases_of_labels() -> None:
    # Labels that never meet, and labels to ignore.
    case(
        error(P, Y, {"m": np.where(M == "yes", "LABEL_1", "LABEL_0")}),
        lambda: figure(
            P(
                Y,
                {"m": np.where(M == "yes", "LABEL_1", "LABEL_0")},
                labels={"LABEL_0": "no", "LABEL_1": "yes"},
            ),
            "accuracy",
        ),
        0.75,
    )
    case(
        error(P, ["cat", "dog"] * 4, {"m": ["0", "1"] * 4}),
        lambda: figure(
            P(["cat", "dog"] * 4, {"m": ["0", "1", "1", "1"] * 2}, class_names=["cat", "dog"]),
            "accuracy",
        ),
        0.75,
    )
    case(
        error(P, ["cat", "dog"] * 4, {"m": ["Katze", "Hund"] * 4}),
        lambda: figure(
            P(
                ["cat", "dog"] * 4,
                {"m": ["Katze", "Hund"] * 4},
                labels={"Katze": "cat", "Hund": "dog"},
            ),
            "accuracy",
        ),
        1.0,
    )
    tokens = [-100, 0, 1, -100, 1, 0]
    case(
        error(P, tokens, {"m": [1, 0, 1, 0, 0, 0]}),
        lambda: figure(P(tokens, {"m": [1, 0, 1, 0, 0, 0]}, ignore_label=-100), "accuracy"),
        0.75,
    )
    case(
        error(P, [0, 1], {"m": [0, 1]}, classes=["0", "1"]),
        lambda: figure(
            P([0, 1], {"m": [0, 1]}, classes=["0", "1"], labels={0: "0", 1: "1"}), "accuracy"
        ),
        1.0,
    )


def list_cases_of_outputs() -> None:
    case(
        error(P, Y, {"m.label": GOOD}),
        lambda: figure(P(VALUES, {"m": VALUES + 1}, task="regression"), "mae"),
        1.0,
    )
    case(error(P, Y, {"m": GOOD}), lambda: figure(P(Y, {"m.proba": GOOD}), "log_loss"), LOSS)
    case(
        error(P, N, {"m.value": GOOD}, task="binary"),
        lambda: figure(P(N, {"m.value": N + 0.5}, task="regression"), "mae"),
        0.5,
    )
    case(
        error(P, N, {"m.interval": PROBA}, task="binary"),
        lambda: figure(
            P(N, {"m.interval": np.stack([N - 1, N + 1], axis=1)}, task="regression"),
            "interval_coverage",
        ),
        1.0,
    )
    case(
        error(P, Y, {"m.proba": np.round(PROBA * 10)}),
        lambda: figure(P(Y, {"m.proba": np.round(PROBA * 10)}, normalise=True), "log_loss"),
        LOSS,
    )
    case(
        error(P, Y, {"m.proba": [f"{100 * p:.0f}%" for p in GOOD]}),
        lambda: figure(
            P(Y, {"m.proba": [f"{100 * p:.0f}%" for p in GOOD]}, percent=True), "log_loss"
        ),
        LOSS,
    )
    case(
        error(P, Y, {"m.proba": PROBA / 2}),
        lambda: figure(P(Y, {"m.proba": PROBA / 2}, normalise=True), "log_loss"),
        LOSS,
    )
    lists = ["['a']", "['a', 'b']", "['b']", "['a']"]
    case(
        error(P, lists, {"m": lists}),
        lambda: figure(P(lists, {"m": lists}, classes=sorted(set(lists))), "accuracy"),
        1.0,
    )


def list_cases_of_training_rows() -> None:
    split = np.where(WRONG, "test", "train")
    case(
        notes(assay.evaluate, P(Y, {"m": M}, split=split), "accuracy"),
        lambda: figure(P(Y, {"m": M}, split=split), "accuracy", where="split in ('test', 'train')"),
        0.75,
    )
    case(
        notes(assay.evaluate, P(Y, {"m": M}, groups={"part": split}), "accuracy"),
        lambda: figure(P(Y, {"m": M}, groups={"part": split}), "accuracy", where='part == "test"'),
        0.0,
    )
    odd = np.where(WRONG, "north", "train")
    case(
        notes(assay.evaluate, P(Y, {"m": M}, groups={"set": odd}), "accuracy"),
        lambda: figure(P(Y, {"m": M}, groups={"set": odd}), "accuracy", where='set != "train"'),
        0.0,
    )
    case(
        notes(
            assay.evaluate,
            P(Y, {"m": M}, split=split),
            "accuracy",
            where="split in ('test', 'train')",
        ),
        lambda: figure(P(Y, {"m": M}, split=split), "accuracy", where='split == "test"'),
        0.0,
    )


def list_cases_of_metrics() -> None:
    case(
        error(assay.evaluate, FEW, "recall(pos_label=no)"),
        lambda: figure(P(Y, {"m": M}, positive="no"), "recall"),
        0.5,
    )
    case(
        error(assay.evaluate, FEW, "f_beta beta=2"),
        lambda: figure(FEW, "f_beta(beta=2)"),
        sklearn.metrics.fbeta_score(Y, M, beta=2, pos_label="yes"),
    )
    case(
        error(assay.evaluate, P(list("abca"), {"m": list("abcb")}), "f1(average=none, only=a)"),
        lambda: figure(P(list("abca"), {"m": list("abcb")}), "f1(average=macro, only=a|b)"),
        sklearn.metrics.f1_score(list("abca"), list("abcb"), labels=["a", "b"], average="macro"),
    )
    case(
        error(assay.make_metric, lambda y, p: 0.0, "<lambda>"),
        lambda: assay.make_metric(lambda y, p: float((y == p).mean()), name="mine")(Y, M),
        0.75,
    )
    case(
        error(assay.make_metric, lambda y, p: 0.0, "accuracy"),
        lambda: assay.make_metric(lambda y, p: float((y != p).mean()), name="my_accuracy")(Y, M),
        0.25,
    )
    share = assay.make_metric(lambda y, p: float((y == p).mean()), "share", intervals=False)
    able = assay.make_metric(lambda y, p: float((y == p).mean()), "share_too")
    case(
        error(assay.compare, TWO, share),
        lambda: assay.compare(TWO, able).pairs[0].difference,
        -0.125,
    )
    scored = saved("item,a.value,b.value\n" + "1,0.5,0.25\n2,1.0,0.5\n" * 5)
    case(
        error(assay.evaluate, assay.read(scored), "rmse"),
        lambda: figure(assay.read(saved("t,a.value\n1,2\n2,3\n"), truth="t"), "rmse"),
        1.0,
    )
    tokens = {"lm.value": [-math.log(4.0)] * 8, "size": [2] * 8}
    case(
        error(assay.evaluate, assay.read(tokens), "bits_per_byte"),
        lambda: figure(assay.read({**tokens, "bytes": [2] * 8}), "bits_per_byte"),
        1.0,
    )
    mask = np.array([[0, 1], [1, 1]])
    logits = np.stack([1 - mask, mask])
    case(
        error(assay.count_pixels, [mask], {"m": [logits]}),
        lambda: figure(assay.count_pixels([mask], {"m": [logits.argmax(axis=0)]}), "accuracy"),
        1.0,
    )
    empty = np.zeros((2, 2), int)
    pixels = assay.count_pixels([mask, empty], {"a": [mask, empty], "b": [mask, 1 - empty]})
    case(
        error(assay.score_clusters, pixels, "dice"),
        lambda: figure(assay.score_clusters(pixels, "dice", undefined=1.0).select(["a"]), "mean"),
        1.0,
    )
    masks = saved("image,y,m\n1,1,1\n1,0,0\n2,0,0\n")
    case(
        error(assay.score_clusters, assay.read(masks), "accuracy"),
        lambda: figure(assay.score_clusters(assay.read(masks), "accuracy", by="image"), "mean"),
        1.0,
    )
    truth = [{"boxes": [[50, 50, 20, 10]], "labels": [1]}]
    found = {"m": [{**truth[0], "scores": [1.0]}]}
    case(
        error(assay.pair_boxes, truth, found),
        lambda: figure(assay.pair_boxes(truth, found, box_format="xywh"), "box_ap"),
        1.0,
    )
    outputs = np.array([[1, 4], [3, 8], [5, 6]])
    for refuse in (
        error(assay.evaluate, outputs, {"m": outputs}, "mae", task="regression"),
        error(assay.evaluate, outputs, {"m": outputs}, "mae"),
    ):
        case(
            refuse,
            lambda: assay.evaluate(outputs, {"m": outputs + 1}, "mae", task="multioutput").value,
            1.0,
        )
    line = LinearRegression().fit(outputs, outputs)
    case(
        error(assay.collect, {"m": line}, outputs, outputs[:, 0], task="regression"),
        lambda: round(
            figure(assay.collect({"m": line}, outputs, outputs, task="multioutput"), "r2"), 9
        ),
        1.0,
    )
    case(
        error(assay.fuse, assay.read(scored), "mean"),
        lambda: (
            assay.fuse(
                assay.read(saved("t,a.value,b.value\n" + "1.5,2,1\n2.5,3,2\n" * 5), truth="t"),
                "mean",
            ).loss
        ),
        0.0,
    )
    # Too much to keep.
    wide = P(
        np.arange(1100),
        {"m": np.arange(1100)},
        classes=range(1100),
        task="multiclass",
        cluster=np.arange(1100) // 2,
    )
    case(error(assay.evaluate, wide, "f1"), lambda: figure(wide, "accuracy"), 1.0)
    sketch = Sketch.from_scores(GOOD[:, None], (N == 1)[:, None], None, N, 2, True)
    case(
        error(sketch.resample, np.array([[1, 2]])),
        lambda: figure(P(Y, {"m.proba": GOOD}), "roc_auc"),
        1.0,
    )
    few = P(np.arange(1000), {"m.proba": np.eye(1000)}, task="multiclass", classes=range(1000))
    case(error(assay.evaluate, few, "classwise_ece(bins=60)"), lambda: figure(few, "ece"), 0.0)


def list_cases_of_judgements() -> None:
    # Training rows, the positive class, and remedies.
    case(
        notes(assay.evaluate, FEW, "recall"),
        lambda: figure(P(Y, {"m": M}, positive="no"), "recall"),
        0.5,
    )
    case(
        notes(assay.advise, P(Y, {"m.score": -GOOD})),
        lambda: figure(P(Y, {"m.score": -GOOD}, positive="no"), "roc_auc"),
        1.0,
    )
    z = np.random.default_rng(0).normal(size=4000) * 2
    sure = P(
        (np.random.default_rng(1).random(4000) < 1 / (1 + np.exp(-z))).astype(int),
        {"m.logit": 4 * z},
    )
    case(
        notes(assay.advise, sure),
        lambda: round(
            float(
                re.search(
                    r"temperature of (\d+\.?\d*)",
                    "\n".join(map(str, assay.advise(sure, thorough=True))),
                )[1]
            ),
            0,
        ),
        4,
    )
    case(
        notes(assay.advise, sure, costs="0 1; 5 0"),
        lambda: assay.tune_threshold(sure, "m", costs=(1, 5)).closed_form,
        1 / 6,
    )
    member = P(Y, {"m": M}, split=np.where(WRONG, "out", "in"))
    case(
        error(assay.membership_inference, member),
        lambda: assay.membership_inference(member, member="in").rows[0].members,
        60,
    )
    # Gates.
    tiny = "y,m.value\n1,1\n2,2\n3,3\n"
    case(
        said("evaluate t.csv --require rmse<=0.1", t=tiny),
        exit_code("evaluate t.csv --require rmse<=0.1 --point", t=tiny),
        0,
    )
    case(
        refused("evaluate t.csv --require accuracy>=0.5 --no-intervals", t=LONG),
        exit_code("evaluate t.csv --require accuracy>=0.7 --no-intervals --point", t=LONG),
        0,
    )


def list_cases_of_slices_and_thresholds() -> None:
    sites = P(VALUES, {"m": VALUES**2}, task="regression", groups={"site": SITE})
    case(
        error(assay.weak_slices, sites, "pearson"),
        lambda: (
            assay.evaluate(sites, "pearson", by="site", intervals=False)
            .get("m", "pearson", group="a")
            .value
        ),
        np.corrcoef(VALUES[SITE == "a"], VALUES[SITE == "a"] ** 2)[0, 1],
    )
    case(
        error(assay.weak_slices, FEW),
        lambda: assay.weak_slices(
            P(Y, {"m": M}, groups={"site": SITE}), "accuracy", min_rows=5
        ).overall["m"],
        0.75,
    )
    case(
        error(assay.tune_threshold, BOTH), lambda: assay.tune_threshold(BOTH, model="a").value, 1.0
    )
    case(
        refused("threshold t.csv", t=PAIR),
        lambda: json.loads(run("threshold t.csv --tune a --json -", t=PAIR)().stdout)["value"],
        1.0,
    )
    case(
        refused("threshold t.csv --tune a --metric f1 --costs 1 5", t=PAIR),
        lambda: json.loads(run("threshold t.csv --tune a --costs 1 5 --json -", t=PAIR)().stdout)[
            "closed_form"
        ],
        1 / 6,
    )


def list_cases_of_comparisons() -> None:
    sets = dict.fromkeys("tuvwxz", "y,a.label,b.label\n" + "no,no,yes\nyes,yes,yes\n" * 9)
    several = " ".join(f"{name}.csv" for name in "tuvwxz")
    case(
        refused(f"compare {several} --datasets --selected", **sets),
        lambda: json.loads(
            run(f"compare {several} --datasets --metric accuracy --json -", **sets)().stdout
        )["pairs"][0]["difference"],
        0.5,
    )
    scores = {f"d{i}": {"a": 0.5 + i / 20, "b": 0.4 + i / 20} for i in range(6)}
    case(
        error(assay.compare_datasets, scores),
        lambda: assay.compare_datasets(scores, better="higher").pairs[0].difference,
        0.1,
    )
    case(
        error(assay.compare_datasets, scores, "accuracy", better="lower"),
        lambda: assay.compare_datasets(scores, "accuracy", better="higher").pairs[0].difference,
        0.1,
    )
    models = {"a": GaussianNB(), "b": DummyClassifier(strategy="constant", constant="yes")}
    case(
        error(
            assay.five_by_two_f_test,
            assay.cross_validate(models, X, Y, cv=4, **PLAIN),
            "accuracy",
            "a",
            "b",
        ),
        lambda: (
            assay.five_by_two_f_test(
                assay.cross_validate(
                    {"a": models["b"], "b": models["b"]},
                    X,
                    Y,
                    cv=RepeatedKFold(n_splits=2, n_repeats=5, random_state=0),
                    **PLAIN,
                ),
                "accuracy",
                "a",
                "b",
            ).p
        ),
        1.0,
    )
    costs = {"a": 1.0, "b": 2.0}
    case(
        error(
            assay.one_standard_error,
            assay.evaluate(TWO, "accuracy", intervals=False),
            "accuracy",
            costs=costs,
        ),
        lambda: {"a": 1, "b": 2}[
            assay.one_standard_error(
                assay.evaluate(TWO, "accuracy", intervals=True), "accuracy", costs=costs
            ).best
        ],
        2,
    )


def list_cases_of_fusions() -> None:
    alike = P(Y, {"a.proba": GOOD, "b.proba": GOOD})
    case(
        error(assay.fuse, TWO, "weighted"),
        lambda: figure(
            assay.fuse(P(Y, {"a": M, "b": HALF, "c": Y}), how="mean").predictions.select(["fused"]),
            "accuracy",
        ),
        0.875,
    )
    mixed = P(Y, {"a": M, "b": HALF, "c.proba": GOOD})
    case(
        error(assay.fuse, mixed, "mean"),
        lambda: figure(assay.fuse(mixed, how="hard").predictions.select(["fused"]), "accuracy"),
        0.875,
    )
    ranked = P(Y, {"a.score": GOOD, "b.proba": GOOD, "c.proba": GOOD})
    case(
        error(assay.fuse, ranked, "mean"),
        lambda: assay.fuse(ranked, "mean", models=["b", "c"]).loss,
        LOSS,
    )
    case(
        error(assay.fuse, BOTH, "mean", name="a"),
        lambda: assay.fuse(alike, "mean", name="ab").loss,
        LOSS,
    )
    case(error(assay.fuse, alike, 3), lambda: assay.fuse(alike, "weighted(shrink=2)").loss, LOSS)
    case(
        notes(assay.fuse, alike, "weighted", metric="f1"),
        lambda: figure(assay.fuse(alike, "greedy(metric=f1)").predictions.select(["fused"]), "f1"),
        1.0,
    )
    short = P(Y[:24], {"a.proba": GOOD[:24], "b.proba": GOOD[:24]})
    case(error(assay.fuse, short, "stacking"), lambda: assay.fuse(short, how="weighted").loss, LOSS)
    weighed = "fuse t.csv --how mean --weights"
    out = str(make_folder() / "fused.csv")
    case(
        refused(f"{weighed} a,b -o {out}", t=PAIR),
        lambda: json.loads(run(f"{weighed} a=0.7,b=0.3 -o {out} --json -", t=PAIR)().stdout)[
            "rows"
        ][0]["weight"],
        0.7,
    )
    by_hand = {"a": 0.5, "b": 0.5}
    case(
        error(assay.fuse, alike, "greedy", weights=by_hand),
        lambda: assay.fuse(alike, how="mean", weights=by_hand).loss,
        LOSS,
    )
    three = P(Y, {"a.proba": GOOD, "b.proba": GOOD, "c.proba": GOOD / 2})
    case(
        error(assay.fuse, three, "mean", weights=by_hand),
        lambda: assay.fuse(three.select(["a", "b"]), "mean", weights=by_hand).loss,
        LOSS,
    )
    numbers = P(VALUES, {"a": VALUES + 1, "b": VALUES - 1}, task="regression")
    for how, stands_for in (
        ("geometric", "median"),
        ("log_pool", "weighted"),
        ("tempered", "weighted"),
        ("rank_mean", "mean"),
    ):
        case(
            error(assay.fuse, numbers, how),
            lambda stands_for=stands_for: round(assay.fuse(numbers, how=stands_for).loss, 3),
            0.0,
        )
    halves = P(Y, {"a": M, "b.proba": GOOD})
    case(
        error(assay.fuse, halves, "rank_mean"),
        lambda: figure(
            assay.fuse(P(Y, {"a": M, "b": HALF, "c": Y}), how="hard").predictions.select(["fused"]),
            "accuracy",
        ),
        0.875,
    )
    only = P(["yes"] * 40, {"a.proba": GOOD[:40], "b.proba": GOOD[:40]}, classes=["no", "yes"])
    case(
        error(assay.fuse, only, "performance(metric=roc_auc)"),
        lambda: assay.fuse(alike, "performance(metric=accuracy)").loss,
        LOSS,
    )


def list_cases_of_reports() -> None:
    case(
        lambda: "\n".join(assay.report(TWO).next),
        lambda: (
            assay.report(TWO, metric="accuracy", test=TWO.slice(0, 40))
            .held_out.evaluation.get("a", "accuracy")
            .value
        ),
        0.75,
    )


def list_cases_of_cross_validation() -> None:
    grid = {"knn": (GaussianNB(), {"var_smoothing": [1e-9, 1e-3]})}
    case(
        error(assay.cross_validate, grid, X, Y, **PLAIN),
        lambda: assay.cross_validate(grid, X, Y, inner=3, **PLAIN).n,
        80,
    )
    late = [(np.arange(0, 80, 2), np.arange(1, 80, 2)), (np.arange(1, 80, 2), np.arange(0, 80, 2))]
    constant = {"yes": DummyClassifier(strategy="most_frequent")}
    case(
        notes(assay.cross_validate, constant, X, Y, cv=late, **PLAIN),
        lambda: figure(assay.cross_validate(constant, X, Y, cv=5, **PLAIN), "accuracy"),
        0.5,
    )
    store = make_folder()

    def time_stored() -> int:
        assay.cross_validate(constant, X, Y, store=store, **PLAIN)
        return len(assay.timings(store).rows)

    case(error(assay.timings, make_folder()), time_stored, 5)

    def fit(train: Any, val: Any) -> Any:
        return constant["yes"].fit(train.X, train.y), {"val_loss": [1.0, 0.5]}

    def read_histories() -> float:
        assay.cross_validate({"m": fit}, X, Y, store=store, **PLAIN)
        return assay.histories(store)["m, fold 0"].find("val", "loss").values[-1]

    case(error(assay.histories, make_folder()), read_histories, 0.5)
    halves = {"groups": np.repeat([0, 1], 40), "cv": 2}  # a fold trains on a single group
    case(
        error(assay.cross_validate, {"m": fit}, X, Y, **halves, **PLAIN),
        lambda: figure(
            assay.cross_validate({"m": fit}, X, Y, validation_fraction=0, **halves, **PLAIN),
            "accuracy",
        ),
        0.5,
    )


def list_cases_of_engines() -> None:
    mine = assay.make_metric(lambda y, p: float((y == p).mean()), "own_share")
    case(error(_dump, mine.function), lambda: figure(FEW, mine, engine="local"), 0.75)
    broken: Future[Any] = Future()
    broken.set_exception(BrokenProcessPool())
    part = next(iter(FEW.parts()))
    case(
        error(_take_first, deque([(part, broken)])),
        lambda: figure(FEW, "accuracy", engine="local"),
        0.75,
    )


def list_cases_of_texts() -> None:
    spoken = "y,heard\nthe cat sat,the cat sit\na dog ran off,a dog ran off\n"
    case(
        refused("evaluate t.csv --task text --truth y", t=spoken),
        value("evaluate t.csv --task text --truth y --model m=text:heard -m wer", t=spoken),
        1 / 7,
    )
    named = spoken.replace("heard", "large.text")
    case(
        refused("evaluate t.csv", t=named),
        value("evaluate t.csv --task text -m wer", t=named),
        1 / 7,
    )
    truth, heard = ["the cat sat", "a dog ran off"], ["the cat sit", "a dog ran off"]
    case(
        refused("evaluate t.csv --task multiclass --truth y --model m=text:heard", t=spoken),
        value("evaluate t.csv --task text --truth y --model m=text:heard -m wer", t=spoken),
        1 / 7,
    )
    case(
        error(P, truth, {"m.label": heard}, task="text"),
        lambda: figure(P(truth, {"m.text": heard}, task="text"), "wer"),
        1 / 7,
    )
    case(
        error(P, Y, {"m.label": M}, task="text"),
        lambda: figure(P(Y, {"m.label": M}), "accuracy"),
        0.75,
    )
    case(
        error(P, N, {"m": N}, task="text"),
        lambda: figure(P(N, {"m": np.where(WRONG, 1, N)}), "accuracy"),
        0.75,
    )
    case(
        error(P, [31, 42], {"m": ["31", "43"]}, task="text"),
        lambda: figure(P([str(31), str(42)], {"m": ["31", "43"]}, task="text"), "wer"),
        0.5,
    )


class Uncomputed:
    """Stands for a tensor of a function that is being compiled, which JAX and TensorFlow hand on.

    Its values are not there yet, and an array of it is refused as theirs is.
    """

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise NotImplementedError("Cannot convert a symbolic tensor to a NumPy array.")


def list_cases_of_meters() -> None:
    def measure(outputs: Any, target: Any, metric: str = "accuracy", **options: Any) -> float:
        meter = assay.Meter(metric, intervals=False, **options)
        meter.update(outputs, target)
        return meter.compute().value

    case(
        error(measure, Uncomputed(), N, kind="proba"),
        lambda: measure(PROBA, N, "log_loss", kind="proba"),
        LOSS,
    )
    case(
        error(measure, PROBA, N),
        lambda: measure(PROBA, N, "log_loss", kind="proba"),
        LOSS,
    )
    case(
        error(measure, PROBA, N),
        lambda: measure(np.log(PROBA), N, "log_loss", kind="logit"),
        LOSS,
    )
    case(
        error(measure, GOOD, N),
        lambda: measure(-GOOD, N, "roc_auc", kind="score"),
        0.0,
    )
    case(
        error(measure, VALUES, VALUES + 1),
        lambda: measure(VALUES, VALUES + 1, "mae", kind="value"),
        1.0,
    )
    case(
        error(measure, M, Y),
        lambda: measure(M, Y, classes=["no", "yes"]),
        0.75,
    )
    case(
        error(measure, N, N),
        lambda: measure(np.where(WRONG, 1, N), N, classes=range(2)),
        0.75,
    )
    truth, heard = ["the cat sat"], ["the cat sit"]
    case(
        error(measure, heard, truth, "wer", kind="text", task="multiclass", classes=truth),
        lambda: measure(heard, truth, "wer", task="text"),
        1 / 3,
    )
    hot = np.eye(2, dtype=int)[N]
    case(
        error(measure, PROBA, hot, kind="proba"),
        lambda: measure(PROBA, hot, "log_loss", kind="proba", task="multiclass"),
        LOSS,
    )
    case(
        error(measure, PROBA, hot, kind="proba"),
        lambda: measure(1 - PROBA, hot, "hamming_loss", kind="proba", task="multilabel"),
        1.0,
    )
    case(
        error(measure, PROBA, hot, kind="proba", task="multilabel", ignore_label=-100),
        lambda: measure(PROBA, hot, "hamming_loss", kind="proba", task="multilabel"),
        0.0,
    )


def list_cases_of_tracks() -> None:
    evaluation = assay.evaluate(FEW, "accuracy", intervals=False)

    def read_back() -> float:
        run = assay.track(evaluation, to="tensorboard", run=make_folder(), step=1, prefix="val")
        return run.read_history().find("val", "accuracy").values[0]

    case(error(assay.track, evaluation), read_back, 0.75)


def list_cases_of_logs() -> None:
    losses = {"train": [1.0, 0.5, 0.25], "val": [1.0, 0.75, 0.5]}
    table = "epoch,aa,bb\n0,1,1\n1,0.5,0.75\n2,0.25,0.5\n"

    case(
        error(assay.History.from_keras, {"aa": losses["train"], "bb": losses["val"]}),
        lambda: (
            assay.History.from_lists(train_loss=losses["train"], val_loss=losses["val"])
            .series[0]
            .values[-1]
        ),
        0.25,
    )
    other = saved('{"loss": [1.0]}\n', "run.jsonl")

    def log_anew() -> int:
        log = assay.TrainingLog(other, progress=False)
        log.add(1, train_loss=1.0, val_loss=1.0)
        return len(log.history.find("val", "loss").values)

    case(error(assay.TrainingLog, other, resume=True, progress=False), log_anew, 1)
    case(
        error(assay.History.from_keras, 3),
        lambda: (
            assay.History.from_lists(train_loss=losses["train"], val_loss=losses["val"])
            .series[1]
            .values[-1]
        ),
        0.5,
    )
    case(
        refused("diagnose log.csv", log=table),
        lambda: json.loads(
            run("diagnose log.csv --train aa --val bb --json -", log=table)().stdout
        )["runs"][0]["best_epoch"],
        2,
    )


def list_cases_of_torch() -> None:
    try:
        import torch
    except ImportError:
        return
    from torch.utils.data import DataLoader, TensorDataset

    inputs = torch.tensor(X, dtype=torch.float32)
    linear = torch.nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight[:] = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
        linear.bias[:] = 0.0
    right = float((np.where(X.sum(axis=1) > 0, "yes", "no") == Y).mean())
    case(
        error(assay.collect, {"m": linear}, inputs, Y),
        lambda: figure(assay.collect({"m": linear}, inputs, Y, classes=["no", "yes"]), "accuracy"),
        right,
    )
    case(
        error(assay.collect, {"m": linear}, inputs, Y, classes=["maybe", "no", "yes"]),
        lambda: figure(assay.collect({"m": linear}, inputs, Y, classes=["no", "yes"]), "accuracy"),
        right,
    )
    bounded = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Hardtanh(0.25, 0.75))
    with torch.no_grad():
        bounded[0].weight[:] = 50.0
        bounded[0].bias[:] = 0.0
    said = X.sum(axis=1) > 0.015
    case(
        error(assay.collect, {"m": bounded}, inputs, N),
        lambda: figure(assay.collect({"m": bounded}, inputs, N, kinds={"m": "proba"}), "accuracy"),
        float((said == N).mean()),
    )
    data = TensorDataset(inputs, torch.tensor(N))
    own = {"classes": [0, 1]}

    def score(**options: Any) -> float:
        return figure(assay.collect({"m": linear}, DataLoader(data, **options), **own), "accuracy")

    case(
        error(assay.collect, {"m": linear}, DataLoader(data, batch_size=32, shuffle=True)),
        lambda: score(batch_size=32, shuffle=False),
        right,
    )
    case(
        error(assay.collect, {"m": linear}, DataLoader(data, batch_size=32, drop_last=True)),
        lambda: score(batch_size=32, drop_last=False),
        right,
    )


with METRICS.isolate():  # what cases define is theirs alone, whoever imports them
    list_cases_of_columns()
    list_cases_of_streams()
    list_cases_of_undeclared_models()
    list_cases_of_tasks()
    list_cases_of_labels()
    list_cases_of_outputs()
    list_cases_of_training_rows()
    list_cases_of_metrics()
    list_cases_of_judgements()
    list_cases_of_slices_and_thresholds()
    list_cases_of_comparisons()
    list_cases_of_fusions()
    list_cases_of_reports()
    list_cases_of_cross_validation()
    list_cases_of_engines()
    list_cases_of_texts()
    list_cases_of_meters()
    list_cases_of_tracks()
    list_cases_of_logs()
    list_cases_of_torch()
    list_cases_of_soups()
    list_cases_of_fused_estimators()
    list_cases_of_weights()
    list_cases_of_stacking()
    list_cases_of_deep_fusion()
