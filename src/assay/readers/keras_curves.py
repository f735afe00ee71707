"""Curves as Keras keeps them: lists by name, those of validation perhaps shorter.

>>> split_keras({"loss": [3.0, 2.0], "epoch": [0, 1]})
({'loss': [3.0, 2.0]}, [0, 1])
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import SchemaError
from assay.readers.cells import LogCell
from assay.readers.naming import is_axis

__all__ = ["split_keras", "spread_values"]


def split_keras(history: Any) -> tuple[Mapping[str, Sequence[LogCell]], Sequence[LogCell] | None]:
    """Curves by name, and epochs, of a Keras `history`: an object, or a dictionary of curves."""
    if isinstance(history, Mapping):
        epochs = history.get("epoch", history.get("epochs"))
        curves = {name: values for name, values in history.items() if not is_axis(name)}
        logs = history.get("history", curves)
    else:
        epochs = getattr(history, "epoch", None)
        logs = getattr(history, "history", None)
    if not isinstance(logs, Mapping) or not all(map(_is_list, logs.values())):
        raise SchemaError(
            f"expected what Keras fit() returns, or its .history dictionary of lists; got "
            f"{type(history).__name__}. For a loop of your own use "
            f"History.from_lists(train_loss=[...], val_loss=[...])"
        )
    return logs, epochs or None


def _is_list(values: object) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str)


def spread_values(
    column: str, values: list[LogCell], length: int, notes: list[str]
) -> list[LogCell]:
    """`values` at every k-th of `length` epochs, for the only k (`validation_freq`) that fits.

    `notes` gets one that says so; an error names the `column`.
    """
    if len(values) == length or not values:
        return values or [None] * length
    fitting = [k for k in range(2, length + 1) if length // k == len(values)]
    if len(fitting) != 1:
        raise SchemaError(
            f"{column} has {len(values)} values for {length} epochs, so their epochs cannot be "
            f"told. Use a CSVLogger, or History.from_lists with None where nothing was measured."
        )
    every = fitting[0]
    notes.append(
        f"validation was taken to run every {every} epochs, as the lengths of the curves say"
    )
    spread: list[LogCell] = [None] * length
    spread[every - 1 :: every] = values
    return spread
