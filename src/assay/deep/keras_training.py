"""Training in Keras: rows as arrays; epochs until the validation loss no longer falls.

>>> import numpy as np
>>> from assay.deep.options import Target
>>> proba = np.array([[0.5, 0.5], [0.1, 0.9]])
>>> round(measure_loss(Target("binary", 2), proba, np.array([0, 1])), 3)
0.399
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from assay.adapters.keras import Keras
from assay.deep.options import Target, Training
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array

__all__ = ["LOSSES", "measure_loss", "open_arrays", "seed_keras", "train_epochs"]

LOSSES = {
    "binary": "sparse_categorical_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "multilabel": "binary_crossentropy",
    "regression": "mean_squared_error",
}


def open_arrays(data: Any, what: str, target: Target) -> tuple[Any, Array]:
    """Inputs and truth of all rows of `data` as arrays.

    Parameters:
        data: (X, y), or a tf.data.Dataset or PyDataset of batches, which is read whole.
        what: What the rows are for, for messages, as in "train".
        target: What the network gives.

    Raises:
        SchemaError: Inputs and truth differ in their number of rows, or there is none.
    """
    adapter = Keras()
    if isinstance(data, tuple | list) and len(data) == 2:
        inputs, truth = data
        batches = [next(adapter.batches(inputs, None))[0]]
        truths = [target.read_truth(truth, what)]
    else:
        if isinstance(data, np.ndarray | Mapping | tuple | list):
            raise UnsupportedError(
                f"{what} must be (X, y), a tf.data.Dataset or a PyDataset; got "
                f"{type(data).__name__}"
            )
        both = list(adapter.batches(data, None))
        batches = [each for each, _ in both]
        truths = [target.read_truth(truth, what) for _, truth in both]
    if not truths or not sum(map(len, truths)):
        raise UnsupportedError(f"{what} gives no rows; give at least one")
    whole = _concatenate(batches)
    truth = np.concatenate(truths)
    counts = {len(values) for values in list_arrays(whole)}
    if counts != {len(truth)}:
        found = " and ".join(map(str, sorted(counts)))
        raise SchemaError(f"{what} has {found} rows of inputs and {len(truth)} of truth")
    return whole, truth


def list_arrays(inputs: Any) -> list[Array]:
    """The arrays among `inputs`: one, several in a list, or named ones."""
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def _concatenate(batches: Sequence[Any]) -> Any:
    """Inputs of all `batches` as one batch; double precision becomes single."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {name: _concatenate([batch[name] for batch in batches]) for name in first}
    if isinstance(first, list | tuple):
        return [_concatenate(parts) for parts in zip(*batches, strict=True)]
    whole = np.concatenate([np.asarray(batch) for batch in batches])
    return whole.astype(np.float32) if whole.dtype == np.float64 else whole


def train_epochs(
    model: Any,
    inputs: Any,
    truths: Sequence[Array],
    options: Training,
    measure: Callable[[], float],
    logged: str,
) -> tuple[list[float], list[float], int]:
    """Train a compiled `model`, and give it the weights of the epoch of least validation loss.

    Parameters:
        model: The model.
        inputs: Inputs of the training rows.
        truths: Truth for each output.
        options: How long, and how.
        measure: The validation loss.
        logged: Name, in the logs of Keras, of the training loss to be kept.

    Returns:
        Training loss and validation loss of each epoch, and the best epoch, counted from 1.
    """
    order = np.random.default_rng(options.seed)
    train: list[float] = []
    val: list[float] = []
    best = 0
    kept: list[Array] = []
    for epoch in range(1, options.epochs + 1):
        places = order.permutation(len(truths[0]))
        shuffled = [values[places] for values in truths]
        history = model.fit(
            _take(inputs, places),
            shuffled if len(shuffled) > 1 else shuffled[0],
            batch_size=options.batch_size,
            epochs=1,
            shuffle=False,
            verbose=0,
        ).history
        train.append(float(history[logged][0]))
        options.refuse_loss(train[-1], epoch, "training")
        val.append(measure())
        options.refuse_loss(val[-1], epoch, "validation")
        if val[-1] <= min(val):
            best = epoch
            kept = model.get_weights()
        if epoch - best >= options.patience:
            break
    model.set_weights(kept)
    return train, val, best


def _take(inputs: Any, places: Array) -> Any:
    """The rows of `inputs` at some `places`."""
    if isinstance(inputs, Mapping):
        return {name: values[places] for name, values in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [values[places] for values in inputs]
    return inputs[places]


def measure_loss(target: Target, output: Array, truth: Array) -> float:
    """The mean loss of an `output`, probabilities or values, by the `truth` of a `target`."""
    if target.task == "regression":
        return float(np.mean((output.reshape(-1) - truth) ** 2))
    proba = np.clip(output.astype(np.float64), 1e-7, 1 - 1e-7)
    if target.task == "multilabel":
        return -float(np.mean(np.where(truth > 0, np.log(proba), np.log1p(-proba))))
    return -float(np.mean(np.log(proba[np.arange(len(truth)), truth])))


@contextmanager
def seed_keras(seed: int) -> Iterator[None]:
    """Random numbers of Keras by a `seed`; those of Python and NumPy then go on as they were."""
    import keras

    of_python = random.getstate()
    of_numpy = np.random.get_state()  # noqa: NPY002 - Keras seeds the legacy generator
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
