"""Splits: the names and values by which a column tells the rows that models were trained on.

>>> tells_training("Dataset Split"), tells_training("is_train"), tells_training("trained_net")
(True, True, False)
"""

from typing import Any

__all__ = [
    "FLAGS",
    "HELD_OUT",
    "NO",
    "SPLITS",
    "TRAINING",
    "YES",
    "simplify",
    "tells_training",
]

# Names of columns that say of which split a row is, and of those that say by yes or no whether it
# is a training row: as `simplify` has them.
SPLITS = frozenset({"split", "set", "subset", "partition", "dataset_split", "data_split"})
FLAGS = frozenset({"is_train", "is_training", "in_train", "train", "training"})
# What such columns say of rows that models were trained on, and of those held out.
TRAINING = frozenset({"train", "training", "trainset", "train_set", "training_set"})
HELD_OUT = frozenset(
    {
        "test", "testing", "test_set", "testset", "val", "valid", "validation", "dev",
        "development", "eval", "evaluation", "holdout", "hold_out", "held_out", "heldout", "oof",
        "out_of_fold", "calibration", "unseen", "ood",
    }
)  # fmt: skip
YES = frozenset({"true", "1", "1.0", "yes", "y", "t"})
NO = frozenset({"false", "0", "0.0", "no", "n", "f"})


def tells_training(name: str) -> bool:
    """Whether a column of this `name` is one that tells training rows from others."""
    return simplify(name) in SPLITS | FLAGS


def simplify(value: Any) -> str:
    """A name or `value` in small letters, with _ for blanks and hyphens.

    >>> simplify(" Hold-Out"), simplify(True)
    ('hold_out', 'true')
    """
    return str(value).strip().casefold().replace(" ", "_").replace("-", "_")
