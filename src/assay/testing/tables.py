"""Predictions tables at random: every task, with ties, weights, absent classes, and labels of all
types.

>>> random_table("binary", 0, n=4)
Predictions: 4 rows, binary (ant, bee; positive: bee), 2 models: a (proba), b (proba)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from assay.kernels import Array
from assay.table.boxes import write_boxes
from assay.table.predictions import Predictions
from assay.table.schema import TASKS, Task

__all__ = ["LABELS", "make_log_proba", "make_positive", "random_table", "tables"]

LABELS: dict[str, Any] = {
    "str": ["ant", "bee", "cat", "dog", "elk", "fox"],
    "int": [3, -1, 7, 10, 4, 0],
    "bool": [False, True],
}

# How far the first and the second model are from the truth.
NOISE = {"a": 1.0, "b": 2.0}
# What texts are made of: tags of words, so that they are read as entities as well.
WORDS = ("O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "S-LOC", "E-PER")
SKILL = {"a": 2.0, "b": 0.7}


def random_table(
    task: Task,
    seed: int,
    *,
    n: int | None = None,
    labels: Literal["str", "int", "bool"] = "str",
    weighted: bool = False,
    ties: bool = False,
) -> Predictions:
    """A table of two models, `a` better than `b`, that is a function of its arguments alone.

    Parameters:
        task: binary, multiclass, multilabel, regression, multioutput, text or detection.
        seed: What the content is drawn from, 0 or more.
        n: Number of rows, 1 or more; default: 2 to 59, drawn.
        labels: Type of the class labels; default "str".
        weighted: Whether rows have weights, all above 0; default False.
        ties: Whether values are rounded, so that many of them tie; default False.

    Returns:
        The table: probabilities, values and intervals in a regression, texts, or boxes as texts.

    >>> random_table("regression", 1, n=3).n
    3
    """
    rng = np.random.default_rng(seed)
    if n is None:
        n = int(rng.integers(2, 60))
    weight = np.round(rng.gamma(2.0, size=n), 3) + 0.001 if weighted else None
    if task == "regression":
        return _regression(rng, n, weight, ties)
    if task == "multilabel":
        return _multilabel(rng, n, weight, ties)
    if task == "multioutput":
        return _multioutput(rng, n, weight, ties)
    if task == "text":
        return _text(rng, n, weight, ties)
    if task == "detection":
        return _detection(rng, n, weight, ties)
    k = 2 if task == "binary" or labels == "bool" else int(rng.integers(3, 7))
    classes = sorted(LABELS[labels][:k])
    truth = rng.choice(_present_classes(rng, k), size=n)
    models = {f"{model}.proba": _proba(rng, truth, k, SKILL[model], ties) for model in SKILL}
    names = [classes[code] for code in truth]
    return Predictions.from_arrays(names, models, classes=classes, task=task, weight=weight)


def tables(tasks: Sequence[Task] = TASKS) -> Any:
    """A hypothesis strategy of tables of any of the tasks.

    One of regression may be of amounts, or of log-probabilities.

    Parameters:
        tasks: The tasks to draw from; default: all.

    Returns:
        A strategy of `Predictions` of 1 to 40 rows. Needs hypothesis: pip install 'assay[testing]'.

    >>> tables(["binary"]).example().task  # doctest: +SKIP
    'binary'
    """
    from hypothesis import strategies as st

    every = st.builds(
        random_table,
        st.sampled_from(list(tasks)),
        st.integers(0, 2**32 - 1),
        n=st.integers(1, 40),
        labels=st.sampled_from(["str", "int"]),
        weighted=st.booleans(),
        ties=st.booleans(),
    )
    return st.builds(
        lambda p, change: change(p) if change and p.task == "regression" else p,
        every,
        st.sampled_from([None, make_positive, make_log_proba]),
    )


def make_positive(predictions: Predictions) -> Predictions:
    """The regression table `predictions` with truth and values above 0.

    Their sizes, and a little.
    """
    outputs = {
        model: {kind: np.abs(a) + 0.1 if kind == "value" else a for kind, a in kinds.items()}
        for model, kinds in predictions.outputs.items()
    }
    return replace(predictions, truth=np.abs(predictions.truth) + 0.1, outputs=outputs)


def make_log_proba(predictions: Predictions) -> Predictions:
    """The regression table `predictions` with values of 0 or less, and how long each row's text is.

    Its columns `bytes` and `words` are whole numbers of 1 or more.
    """
    outputs = {
        model: {kind: -np.abs(a) if kind == "value" else a for kind, a in kinds.items()}
        for model, kinds in predictions.outputs.items()
    }
    words = 1 + np.arange(predictions.n) % 5
    lengths = {"bytes": pa.array(4 * words + 1), "words": pa.array(words)}
    return replace(predictions, outputs=outputs, columns={**predictions.columns, **lengths})


def _regression(rng: Any, n: int, weight: Array | None, ties: bool) -> Predictions:
    y = rng.normal(size=n) * 3
    if ties:
        y = np.round(y)
    models = {f"{model}.value": y + rng.normal(size=n) * s for model, s in NOISE.items()}
    for model, s in NOISE.items():
        half = np.round(rng.gamma(2.0, s, size=(n, 2)), 0 if ties else 6)
        models[f"{model}.interval"] = models[f"{model}.value"][:, None] + half * [-1, 1]
    return Predictions.from_arrays(y, models, task="regression", weight=weight)


def _multioutput(rng: Any, n: int, weight: Array | None, ties: bool) -> Predictions:
    """Two to four outputs."""
    y = rng.normal(size=(n, int(rng.integers(2, 5)))) * 3
    y = np.round(y) if ties else y
    models = {f"{model}.value": y + rng.normal(size=y.shape) * s for model, s in NOISE.items()}
    return Predictions.from_arrays(y, models, task="multioutput", weight=weight)


def _multilabel(rng: Any, n: int, weight: Array | None, ties: bool) -> Predictions:
    k = int(rng.integers(2, 6))
    y = rng.integers(0, 2, (n, k))
    models = {}
    for model, s in {"a": 3, "b": 1}.items():
        proba = rng.beta(1 + s * y, 1 + s * (1 - y))
        models[f"{model}.proba"] = np.round(proba, 1) if ties else proba
    return Predictions.from_arrays(y, models, task="multilabel", weight=weight)


def _text(rng: Any, n: int, weight: Array | None, ties: bool) -> Predictions:
    """Sentences of which models get some words wrong; all of two words where they shall tie."""
    lengths = np.full(n, 2) if ties else rng.integers(1, 9, n)
    truth = [rng.choice(WORDS, size) for size in lengths]
    models = {
        f"{model}.text": [
            " ".join(np.where(rng.random(len(words)) < wrong, rng.choice(WORDS, len(words)), words))
            for words in truth
        ]
        for model, wrong in {"a": 0.2, "b": 0.5}.items()
    }
    return Predictions.from_arrays(list(map(" ".join, truth)), models, task="text", weight=weight)


def _detection(rng: Any, n: int, weight: Array | None, ties: bool) -> Predictions:
    """Images with up to four objects, crowds among them, which models find roughly; or not.

    Weights are whole, as where images count several times.
    """
    weight = None if weight is None else np.ceil(weight)
    k = int(rng.integers(2, 5))
    classes = sorted(LABELS["str"][:k])
    truth = []
    found: dict[str, list[str]] = {model: [] for model in NOISE}
    for _ in range(n):
        corners = rng.uniform(0, 100, (int(rng.integers(0, 5)), 2))
        sides = rng.uniform(8, 200, 2)
        boxes = [
            {
                "category": classes[int(rng.integers(k))],
                "bbox": [*corner.tolist(), *(sides * rng.uniform(0.3, 1.0, 2)).tolist()],
                "iscrowd": int(rng.random() < 0.1),
            }
            for corner in corners
        ]
        truth.append(write_boxes(boxes))
        for model, s in NOISE.items():
            guesses = [box for box in boxes if rng.random() < 0.9] + boxes[: int(rng.integers(2))]
            found[model].append(write_boxes([_guess_box(rng, box, s, ties) for box in guesses]))
    models = {f"{model}.text": texts for model, texts in found.items()}
    return Predictions.from_arrays(truth, models, task="detection", classes=classes, weight=weight)


def _guess_box(rng: Any, box: dict[str, Any], noise: float, ties: bool) -> dict[str, Any]:
    """The `box` as a model may find it; its score tells nothing where scores shall tie."""
    bbox = np.array(box["bbox"])
    bbox += np.tile(bbox[2:], 2) * rng.uniform(-0.1, 0.1, 4) * noise
    score = 0.5 if ties else float(rng.random())
    return {"category": box["category"], "bbox": bbox.tolist(), "score": score}


def _present_classes(rng: Any, k: int) -> Array:
    """The classes that the truth may hold: in three tables of ten, some are absent."""
    if rng.random() >= 0.3:
        return np.arange(k)
    return np.asarray(rng.choice(k, size=max(1, int(rng.integers(1, k + 1))), replace=False))


def _proba(rng: Any, truth: Array, k: int, skill: float, ties: bool) -> Array:
    z = rng.normal(size=(len(truth), k))
    z[np.arange(len(truth)), truth] += skill
    if ties:
        z = np.round(z)
    p = np.exp(z)
    return np.asarray(p / p.sum(axis=1, keepdims=True))
