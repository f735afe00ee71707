"""A student of Keras: trained on what a pool says and on true labels.

>>> KerasStudent.__name__
'KerasStudent'
"""

from typing import Any

import numpy as np

from assay.deep.keras_training import measure_loss, open_arrays, seed_keras, train_epochs
from assay.deep.options import Target, Training
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array

__all__ = ["KerasStudent"]

LARGE = 1024
LEAST = 1e-7  # below which a probability counts as that


class KerasStudent:
    """A model, and the rows it learns from.

    Parameters:
        network: The student, built; it is copied for each training.
        target: What it gives.
        train: (X, y) of the training rows.
        val: (X, y) of the validation rows.
    """

    def __init__(self, network: Any, target: Target, train: Any, val: Any) -> None:
        if not getattr(network, "outputs", None):
            raise UnsupportedError(
                "the student has no graph of layers: build it, with keras.Input, as a Sequential "
                "or functional model"
            )
        last = network.layers[-1]
        self.network = network
        self.target = target
        self.gives_proba = getattr(getattr(last, "activation", None), "__name__", "") in (
            "softmax",
            "sigmoid",
        ) or type(last).__name__ in ("Softmax", "Sigmoid")
        width = network.outputs[0].shape[-1]
        if width != target.size:
            raise SchemaError(
                f"the student gives {width} outputs; expected {target.size}, one a class or label"
            )
        self.train_inputs, self.train_truth = open_arrays(train, "train", target)
        self.val_inputs, self.val_truth = open_arrays(val, "val", target)

    def learn(
        self, options: Training, soft: Array, temperature: float, hard: float
    ) -> tuple[Any, tuple[list[float], list[float], int]]:
        """A trained copy, the training and the validation loss of each epoch, and the best epoch.

        Parameters:
            options: How long, and how.
            soft: What the pool says of the training rows.
            temperature: What logits are divided by.
            hard: Weight of the true labels.
        """
        import keras

        student = keras.models.clone_model(self.network)
        student.set_weights(self.network.get_weights())
        size = self.target.size
        truth = self.train_truth
        if self.target.task in ("binary", "multiclass"):
            truth = np.eye(size, dtype=np.float32)[truth]
        both = np.concatenate([truth.reshape(-1, size), soft.reshape(-1, size)], axis=1)
        student.compile(
            keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay),
            loss=self._make_loss(temperature, hard),
        )

        def measure() -> float:
            return measure_loss(self.target, self._find_proba(student), self.val_truth)

        targets = [both.astype(np.float32)]
        with seed_keras(options.seed):
            curves = train_epochs(student, self.train_inputs, targets, options, measure, "loss")
        return student, curves

    def ask(self, student: Any) -> Array:
        """What a `student` gives for the validation rows: logits, or values."""
        if self.target.task == "regression":
            return self._predict(student)
        proba = np.clip(self._find_proba(student), LEAST, 1 - LEAST)
        logs: Array = np.log(proba)
        return logs - np.log1p(-proba) if self.target.task == "multilabel" else logs

    def _predict(self, student: Any) -> Array:
        output = student.predict(self.val_inputs, batch_size=LARGE, verbose=0)
        return np.asarray(output, np.float64)

    def _find_proba(self, student: Any) -> Array:
        """Probabilities, or values, of the validation rows."""
        output = self._predict(student)
        if self.gives_proba or self.target.task == "regression":
            return output
        if self.target.task == "multilabel":
            return np.asarray(1 / (1 + np.exp(-output)))
        odds = np.exp(output - output.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _make_loss(self, temperature: float, hard: float) -> Any:
        """The loss of an output by both truths side by side, for any backend."""
        from keras import ops

        size = self.target.size
        task = self.target.task

        def compute_logits(values: Any) -> Any:
            clipped = ops.clip(values, LEAST, 1 - LEAST)
            logs = ops.log(clipped)
            return logs - ops.log(1 - clipped) if task == "multilabel" else logs

        def cross_entropy(wanted: Any, logits: Any) -> Any:
            if task == "multilabel":
                given = ops.log_sigmoid(logits)
                return -ops.mean(wanted * given + (1 - wanted) * (given - logits), axis=-1)
            return -ops.sum(wanted * ops.log_softmax(logits, axis=-1), axis=-1)

        def compute_loss(both: Any, output: Any) -> Any:
            truth, soft = both[:, :size], both[:, size:]
            if task == "regression":
                away = ops.mean(ops.square(output - soft), axis=-1)
                return hard * ops.mean(ops.square(output - truth), axis=-1) + (1 - hard) * away
            logits = compute_logits(output) if self.gives_proba else output
            loss = hard * cross_entropy(truth, logits)
            if hard == 1:
                return loss
            said = compute_logits(soft) / temperature
            warm = ops.sigmoid(said) if task == "multilabel" else ops.softmax(said, axis=-1)
            cold = logits / temperature
            divergence = cross_entropy(warm, cold) - cross_entropy(warm, said)
            return loss + (1 - hard) * temperature**2 * divergence

        return compute_loss
