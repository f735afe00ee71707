"""Names of curves: which split and metric a column holds, and whether more of it is better.

>>> from assay.readers.naming import infer_direction, parse_curve_name
>>> parse_curve_name("Valid Acc"), infer_direction("accuracy")
(('val', 'accuracy'), 'higher')
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from assay.core.types import Better

__all__ = [
    "SPLITS",
    "SplitName",
    "find_axis",
    "infer_direction",
    "is_axis",
    "is_curve",
    "is_ignored",
    "is_regression",
    "parse_curve_name",
    "rank_loss",
]


def _split_words(words: str) -> frozenset[str]:
    return frozenset(words.split())


SplitName = Literal["train", "train_eval", "val", "test"]

SPLITS: dict[str, SplitName] = {
    **dict.fromkeys(("train_eval", "eval_train"), "train_eval"),
    **dict.fromkeys(("train", "training", "tr", "learn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev", "holdout"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
AXES = (
    "epoch",
    "epochs",
    "ep",
    "round",
    "iter",
    "iteration",
    "step",
    "global_step",
    "trainer_global_step",
)
ALIASES = {"acc": "accuracy", "accs": "accuracy", "accuracies": "accuracy", "losses": "loss"}
LOWER_WORDS = _split_words(
    "loss losses error err mse mae rmse msle rmsle mape smape logloss mlogloss nll perplexity ppl "
    "hamming merror crossentropy entropy ce bce deviance brier ece l1 l2 wer cer kl divergence "
    "huber poisson hinge multiclass crps quantile rmspe"
)
HIGHER_WORDS = _split_words(
    "acc accuracy f1 fbeta f2 auc auroc auprc aucpr roc r2 precision recall map ap iou miou "
    "jaccard kappa mcc bleu rouge dice ndcg mrr sensitivity specificity psnr ssim top score"
)
IGNORED_WORDS = _split_words(
    "lr learning_rate time dur duration runtime second seconds wall_time timestamp norm memory mem "
    "gpu flos count best batches step steps samples"
)
LOSS_WORDS = _split_words(
    "loss losses logloss mlogloss nll crossentropy entropy ce bce deviance multiclass"
)
SQUARED_WORDS = _split_words("mse rmse l2 msle rmsle squared")
REGRESSION_WORDS = SQUARED_WORDS | _split_words("mae mape smape huber r2 absolute l1")


def parse_curve_name(column: str) -> tuple[SplitName, str]:
    """Split and metric of a `column` name.

    A name without a split is a training curve, as in Keras; one that is only a split is its loss.

    >>> [parse_curve_name(c) for c in ("loss", "eval_loss", "train/acc", "loss_val", "valLoss")]
    [('train', 'loss'), ('val', 'loss'), ('train', 'accuracy'), ('val', 'loss'), ('val', 'loss')]
    """
    name = _normalise(column).removeprefix("epoch_").removesuffix("_epoch")
    if name in SPLITS:
        return SPLITS[name], "loss"
    for word in sorted(SPLITS, key=len, reverse=True):
        for metric in (name.removeprefix(f"{word}_"), name.removesuffix(f"_{word}")):
            if metric not in (name, ""):
                return SPLITS[word], ALIASES.get(metric, metric)
    return "train", ALIASES.get(name, name)


def infer_direction(metric: str) -> Better | None:
    """Whether lower or higher values of `metric` are better; None where its name does not tell.

    >>> [infer_direction(metric) for metric in ("multi_logloss", "map50", "mape", "foo")]
    ['lower', 'higher', 'lower', None]
    """
    words = _find_words(metric)
    if words & LOWER_WORDS:
        return "lower"
    return "higher" if words & HIGHER_WORDS else None


def rank_loss(metric: str) -> int | None:
    """How much `metric` is like the loss that training lowers.

    0 is `loss` itself; None is for metrics of which more is better, or whose name does not tell.
    """
    if infer_direction(metric) != "lower":
        return None
    words = _find_words(metric)
    return (
        metric == "loss",
        metric == "total_loss",
        bool(words & LOSS_WORDS),
        bool(words & SQUARED_WORDS),
        True,
    ).index(True)


def is_regression(metric: str) -> bool:
    """Whether `metric` is an error of predicted numbers, such as mse or mae.

    Where such a metric is logged, the loss is a regression's.
    """
    return bool(_find_words(metric) & REGRESSION_WORDS)


def is_ignored(metric: str) -> bool:
    """Whether `metric` is what logs hold besides curves of quality: a time, a rate or a count."""
    return metric in IGNORED_WORDS or bool(_find_words(metric) & IGNORED_WORDS)


def is_axis(column: str) -> bool:
    """Whether `column` numbers the rows of a log, as epoch or step do."""
    return _rank_axis(column) is not None


def is_curve(column: str) -> bool:
    """Whether `column` is a curve by its name: a known metric, or any value of the validation set.

    >>> [is_curve(column) for column in ("loss", "val_foo", "foo", "epoch", "learning_rate")]
    [True, True, False, False, False]
    """
    split, metric = parse_curve_name(column)
    if is_axis(column) or is_ignored(metric):
        return False
    return split == "val" or infer_direction(metric) is not None


def find_axis(columns: Iterable[str]) -> str | None:
    """The one of the `columns` that numbers the rows: epoch before round and step; None without."""
    ranked = [(rank, column) for column in columns if (rank := _rank_axis(column)) is not None]
    return min(ranked)[1] if ranked else None


def _rank_axis(column: str) -> int | None:
    """How well a column serves as the horizontal axis, 0 best; None where it is none."""
    name = _normalise(column).strip("_")
    return AXES.index(name) if name in AXES else None


# A log has few names, and each is asked about many times.
@lru_cache(maxsize=1024)
def _normalise(column: str) -> str:
    spaced = re.sub(r"^(train|test|valid|val|eval|dev)(?=[A-Z])", r"\1_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


@lru_cache(maxsize=1024)
def _find_words(metric: str) -> frozenset[str]:
    words = frozenset(_normalise(metric).split("_"))
    return words | {word.rstrip("0123456789") for word in words}
