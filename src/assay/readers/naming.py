"""Names of curves: which split and metric a column holds, and whether more of it is better.

>>> from assay.readers.naming import infer_direction, parse_curve_name
>>> parse_curve_name("Valid Acc"), infer_direction("accuracy")
(('val', 'accuracy'), 'higher')
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Literal

from assay.core.types import Better

__all__ = [
    "SPLITS",
    "SplitName",
    "find_axis",
    "find_interval_ends",
    "find_spreads",
    "infer_direction",
    "is_axis",
    "is_curve",
    "is_decision_metric",
    "is_ignored",
    "is_learning_rate",
    "is_perplexity",
    "is_plain_loss",
    "is_regression",
    "is_share",
    "parse_curve_name",
    "parse_numbered_set",
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
    "iterations",
    "training_iteration",
    "it",
    "step",
    "steps",
    "global_step",
    "trainer_global_step",
)
EVALUATED = _split_words("metrics bbox segm coco keypoints lvis cityscapes voc")
NUMBERED_SET = re.compile(r"^(?:validation|valid|val|eval|test)_(\d+)_(.+)$")
SPREAD = re.compile(r"(.+)-(?:std|stdv)$")
TRACKED = "assay/"
LOADER = re.compile(r"_?dataloader_idx_(\d+)$")
ALIASES = {"acc": "accuracy", "accs": "accuracy", "accuracies": "accuracy", "losses": "loss"}
LOWER_WORDS = _split_words(
    "loss losses error errors err mse mae rmse msle rmsle mape smape logloss mlogloss nll "
    "perplexity ppl distance eer fid lpips hd bpb bpc logscore "
    "hamming merror crossentropy entropy ce bce deviance brier ece l1 l2 wer cer kl divergence "
    "huber poisson hinge multiclass crps quantile rmspe"
)
HIGHER_WORDS = _split_words(
    "acc accuracy f1 fbeta f2 auc auroc auprc aucpr roc r2 precision recall map ap iou miou "
    "jaccard kappa mcc bleu rouge rougel rougelsum dice dsc ndcg mrr sensitivity specificity psnr "
    "ssim top score pearson pearsonr spearman spearmanr exact em meteor chrf hit reward fitness ar "
    "hmean correlation matthews aacc macc rew accuracies margins"
)
IGNORED_WORDS = _split_words(
    "lr learning_rate time dur duration runtime second seconds wall_time timestamp norm memory mem "
    "gpu flos count best batches step steps samples std stdv stddev speed patience eta "
    "tokens"
)
LOSS_WORDS = _split_words(
    "loss losses logloss mlogloss nll crossentropy entropy ce bce deviance multiclass"
)
SQUARED_WORDS = _split_words("mse rmse l2 msle rmsle squared")
DECISION_WORDS = _split_words(
    "acc accuracy f1 auc auroc auprc aucpr roc precision recall kappa mcc top sensitivity "
    "specificity error err merror matthews"
)
SHARE_WORDS = _split_words(
    "map ap ar iou miou dice dsc jaccard wer cer aacc macc exact em hit ndcg mrr hmean"
)
REGRESSION_WORDS = SQUARED_WORDS | _split_words("mae mape smape huber r2 absolute l1")


def parse_curve_name(column: str) -> tuple[SplitName, str]:
    """Split and metric of a `column` name.

    A name without a split is a training curve, as in Keras; one that is only a split is its loss.

    >>> [parse_curve_name(c) for c in ("loss", "eval_loss", "train/acc", "loss_val", "valLoss")]
    [('train', 'loss'), ('val', 'loss'), ('train', 'accuracy'), ('val', 'loss'), ('val', 'loss')]
    """
    name, loader = _split_loader(_normalise(column))
    name = _drop_mean(name.removeprefix("epoch_").removesuffix("_epoch"))
    split, metric = _split_name(name)
    metric = ALIASES.get(metric, metric)
    return split, f"{metric}_{loader}" if loader else metric


def _split_loader(name: str) -> tuple[str, int]:
    """The name without Lightning's `dataloader_idx_N`, and that number."""
    match = LOADER.search(name)
    return (name[: match.start()], int(match[1])) if match else (name, 0)


def _drop_mean(name: str) -> str:
    """`avg_val_loss` and `val_loss_mean` are the losses; `mean_absolute_error` is a metric."""
    rest = re.sub(r"^(avg|average|mean)_", "", name)
    is_decorated = rest.partition("_")[0] in SPLITS or rest == "loss"
    return re.sub(r"_(mean|avg|average)$", "", rest if is_decorated else name)


def _split_name(name: str) -> tuple[SplitName, str]:
    if name in SPLITS:
        return SPLITS[name], "loss"
    for word in sorted(SPLITS, key=len, reverse=True):
        for metric in (name.removeprefix(f"{word}_"), name.removesuffix(f"_{word}")):
            if metric not in (name, ""):
                return SPLITS[word], metric
    words = name.split("_")
    if words[0] in EVALUATED and infer_direction(name) == "higher":
        return "val", name.removeprefix("metrics_")
    inner = next((word for word in words if word in SPLITS), None)
    if inner is not None and inner != "learn":
        words.remove(inner)
        return SPLITS[inner], "_".join(words)
    return "train", name


def parse_numbered_set(column: str) -> tuple[int, str] | None:
    """Number and metric of a `column` of a numbered evaluation set; None where it is none.

    >>> parse_numbered_set("validation_1-logloss"), parse_numbered_set("val_loss")
    ((1, 'logloss'), None)
    """
    match = NUMBERED_SET.match(_normalise(column))
    return (int(match[1]), match[2]) if match else None


def is_learning_rate(column: str) -> bool:
    """Whether `column` holds the learning rate.

    >>> is_learning_rate("lr/pg0"), is_learning_rate("learning_rate"), is_learning_rate("loss")
    (True, True, False)
    """
    name = _normalise(column)
    return name.partition("_")[0] == "lr" or "learning_rate" in name


def is_perplexity(metric: str) -> bool:
    """Whether `metric` is the exponential of a loss in nats."""
    return bool(_find_words(metric) & {"perplexity", "ppl"})


def is_decision_metric(metric: str) -> bool:
    """Whether `metric` judges class decisions of a model that states probabilities."""
    return bool(_find_words(metric) & DECISION_WORDS) and not is_regression(metric)


def is_share(metric: str) -> bool:
    """Whether `metric` is a share of rows or the like, in [0, 1], or in percent."""
    return bool(_find_words(metric) & (DECISION_WORDS | SHARE_WORDS))


def is_plain_loss(metric: str) -> bool:
    """Whether `metric` is a loss by its name, rather than any number of which less is better."""
    return rank_loss(metric) in (0, 1, 2) or is_perplexity(metric)


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


def find_spreads(columns: Collection[str]) -> list[str]:
    """Those of the `columns` that hold the spread over folds of another, which holds the mean.

    >>> find_spreads(["test-error-mean", "test-error-std", "val_loss"])
    ['test-error-std']
    """
    found = ((column, SPREAD.match(column)) for column in columns)
    return [column for column, match in found if match and f"{match[1]}-mean" in columns]


def find_interval_ends(columns: Collection[str]) -> list[str]:
    """Those of the `columns` that are the ends of the interval of another, as `track` logs them.

    >>> find_interval_ends(["val/f1", "val/f1_low", "val/f1_high", "val/price_low"])
    ['val/f1_low', 'val/f1_high']
    """
    known = set(columns)
    pairs = ((f"{column}_low", f"{column}_high") for column in columns)
    return [end for pair in pairs if known.issuperset(pair) for end in pair]


def is_axis(column: str) -> bool:
    """Whether `column` numbers the rows of a log, as epoch or step do."""
    return _rank_axis(column) is not None


def is_curve(column: str) -> bool:
    """Whether `column` is a curve by its name: a known metric, or any value of the validation set.

    What `track` logs of a finished model, below `assay/`, is none.

    >>> [is_curve(column) for column in ("loss", "val_foo", "foo", "epoch", "learning_rate")]
    [True, True, False, False, False]
    """
    split, metric = parse_curve_name(column)
    if is_axis(column) or is_ignored(metric) or column.endswith(("__MIN", "__MAX")):
        return False
    if column.startswith(TRACKED):
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
    spaced = re.sub(r"(?<=\w)'s\b", "", column.strip())
    spaced = re.sub(
        r"^((?i:training|train|testing|test|validation|valid|val|eval|dev))(?=[A-Z][a-z])",
        r"\1_",
        spaced,
    )
    spaced = re.sub(r"(?<=[a-z])(?=(?:Train|Valid|Val|Test)$)", "_", spaced)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


@lru_cache(maxsize=1024)
def _find_words(metric: str) -> frozenset[str]:
    name = _normalise(metric)
    words = frozenset(name.split("_"))
    joined = frozenset({"iou"}) if "io_u" in name else frozenset()
    if words & {"cross", "binary", "categorical"} == set():
        words -= {"entropy"}  # that of a policy or of tokens: neither way is better
    return words | joined | {word.rstrip("0123456789") for word in words}
