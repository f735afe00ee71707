"""What a column of a training log is called: which split, which metric, and whether more of it is better.

>>> from assay.readers.naming import better_of, split_and_metric
>>> split_and_metric("Valid Acc"), better_of("accuracy")
(('val', 'accuracy'), 'higher')
"""

import re
from typing import Literal

__all__ = [
    "Better",
    "Split",
    "axis_rank",
    "better_of",
    "is_axis",
    "is_ignored",
    "is_regression",
    "loss_rank",
    "split_and_metric",
]


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


Better = Literal["lower", "higher"]
Split = Literal["train", "train_eval", "val", "test"]

SPLITS: dict[str, Split] = {
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
LOWER = _set_of(
    "loss losses error err mse mae rmse msle rmsle mape smape logloss mlogloss nll perplexity ppl hamming merror "
    "crossentropy entropy ce bce deviance brier ece l1 l2 wer cer kl divergence huber poisson hinge multiclass crps "
    "quantile rmspe"
)
HIGHER = _set_of(
    "acc accuracy f1 fbeta f2 auc auroc auprc aucpr roc r2 precision recall map ap iou miou jaccard kappa mcc bleu "
    "rouge dice ndcg mrr sensitivity specificity psnr ssim top score"
)
IGNORED = _set_of(
    "lr learning_rate time dur duration runtime second seconds wall_time timestamp norm memory mem gpu flos count "
    "best batches step steps samples"
)
LOSSES = _set_of("loss losses logloss mlogloss nll crossentropy entropy ce bce deviance multiclass")
SQUARED = _set_of("mse rmse l2 msle rmsle squared")
REGRESSION = SQUARED | _set_of("mae mape smape huber r2 absolute l1")


def split_and_metric(column: str) -> tuple[Split, str]:
    """(split, metric) of a column name.

    A name without a split is a training curve, as in Keras; one that is only a split is its loss.

    >>> [split_and_metric(c) for c in ("loss", "eval_loss", "train/acc", "loss_val", "valLoss")]
    [('train', 'loss'), ('val', 'loss'), ('train', 'accuracy'), ('val', 'loss'), ('val', 'loss')]
    """
    name = _plain(column).removeprefix("epoch_").removesuffix("_epoch")
    if name in SPLITS:
        return SPLITS[name], "loss"
    for word in sorted(SPLITS, key=len, reverse=True):
        for metric in (name.removeprefix(f"{word}_"), name.removesuffix(f"_{word}")):
            if metric not in (name, ""):
                return SPLITS[word], ALIASES.get(metric, metric)
    return "train", ALIASES.get(name, name)


def better_of(metric: str) -> Better | None:
    """Whether lower or higher values of `metric` are better; None where its name does not tell.

    >>> better_of("multi_logloss"), better_of("map50"), better_of("mape"), better_of("foo")
    ('lower', 'higher', 'lower', None)
    """
    words = _words(metric)
    if words & LOWER:
        return "lower"
    return "higher" if words & HIGHER else None


def loss_rank(metric: str) -> int | None:
    """How much like the loss that training lowers: 0 is `loss` itself; None where it is not lower-is-better."""
    if better_of(metric) != "lower":
        return None
    words = _words(metric)
    return (
        metric == "loss",
        metric == "total_loss",
        bool(words & LOSSES),
        bool(words & SQUARED),
        True,
    ).index(True)


def is_regression(metric: str) -> bool:
    """True for errors of predicted numbers, such as mse and mae; where they are logged the loss is a regression's."""
    return bool(_words(metric) & REGRESSION)


def is_ignored(metric: str) -> bool:
    """True for what logs hold besides curves of quality: times, rates, counts."""
    return metric in IGNORED or bool(_words(metric) & IGNORED)


def axis_rank(column: str) -> int | None:
    """How well a column serves as the horizontal axis, 0 best; None where it is none."""
    name = _plain(column).strip("_")
    return AXES.index(name) if name in AXES else None


def is_axis(column: str) -> bool:
    """True for the columns that number the rows."""
    return axis_rank(column) is not None


def _plain(column: str) -> str:
    apart = re.sub(r"^(train|test|valid|val|eval|dev)(?=[A-Z])", r"\1_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def _words(metric: str) -> set[str]:
    words = set(_plain(metric).split("_"))
    return words | {word.rstrip("0123456789") for word in words}
