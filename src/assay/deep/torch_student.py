"""A student of PyTorch: trained on what a pool says and on true labels.

>>> import numpy as np
>>> logits = torch.tensor([[0.0, 0.0]])
>>> soft = torch.tensor([[0.5, 0.5]])
>>> float(compute_divergence(Target("binary", 2), logits, soft, 2.0))
0.0
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.deep.options import Target, Training
from assay.deep.torch_layers import call_network
from assay.deep.torch_rows import ArrayRows, move_inputs, open_rows
from assay.deep.torch_training import compute_loss, find_device, seed_torch, train_epochs
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array

__all__ = ["TorchStudent"]

LARGE = 1024


class TorchStudent:
    """A module, and the rows it learns from.

    Parameters:
        network: The student; it is copied for each training.
        target: What it gives.
        train: (X, y) of the training rows.
        val: (X, y) of the validation rows.
    """

    def __init__(self, network: nn.Module, target: Target, train: Any, val: Any) -> None:
        self.network = network
        self.target = target
        self.place = find_device(None, network)
        self.rows = _open_arrays(train, "train", target)
        self.checks = _open_arrays(val, "val", target)
        self.train_inputs = self.rows.inputs
        self.val_inputs = self.checks.inputs
        self.train_truth: Array = self.rows.truth.numpy()
        self.val_truth: Array = self.checks.truth.numpy()

    def learn(
        self, options: Training, soft: Array, temperature: float, hard: float
    ) -> tuple[nn.Module, tuple[tuple[float, ...], tuple[float, ...], int]]:
        """A trained copy, the training and the validation loss of each epoch, and the best epoch.

        Parameters:
            options: How long, and how.
            soft: What the pool says of the training rows.
            temperature: What logits are divided by.
            hard: Weight of the true labels.
        """
        student = deepcopy(self.network)
        soft_rows = torch.as_tensor(soft, dtype=torch.float32)
        rows = ArrayRows((self.rows.inputs, soft_rows), self.rows.truth, options.batch_size)

        def step(batch: Any) -> tuple[Tensor, int]:
            (inputs, said), truth = batch
            output = self._call(student, inputs)
            loss = hard * compute_loss(self.target, output, truth.to(self.place))
            if hard < 1:
                away = compute_divergence(self.target, output, said.to(self.place), temperature)
                loss = loss + (1 - hard) * away
            return loss, len(truth)

        def measure() -> float:
            output = torch.as_tensor(self.ask(student))
            return float(compute_loss(self.target, output, self.checks.truth))

        with seed_torch(options.seed):
            curves = train_epochs(student, options, rows.batches, step, measure)
        return student.eval(), (curves.train, curves.val, curves.best)

    def ask(self, student: nn.Module) -> Array:
        """What a `student` gives for the validation rows."""
        student.eval()
        with torch.no_grad():
            parts = [
                self._call(student, inputs).float().cpu() for inputs, _ in self.checks.batches(None)
            ]
        return torch.cat(parts).numpy()

    def _call(self, student: nn.Module, inputs: Any) -> Tensor:
        """The output of a `student`: (n, k), or (n,) in regression."""
        output = call_network(student, move_inputs(inputs, student, str(self.place)))
        output = output if isinstance(output, Tensor) else output.logits
        if self.target.task == "regression":
            return output.reshape(len(output))
        if output.ndim != 2 or output.shape[1] != self.target.size:
            raise SchemaError(
                f"the student gives outputs of shape {tuple(output.shape)}; expected logits (n, "
                f"{self.target.size})"
            )
        return output


def compute_divergence(target: Target, output: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """How far an `output` is from what a pool says, both at some `temperature`, times its square.

    Parameters:
        target: What the student gives.
        output: Its logits (n, k), or values (n,).
        soft: Probabilities of the pool (n, k), or values (n,).
        temperature: What logits are divided by.
    """
    if target.task == "regression":
        return functional.mse_loss(output, soft)
    soft = soft.clamp(1e-7, 1 - 1e-7)
    cold = output / temperature
    if target.task == "multilabel":
        warm = torch.sigmoid(torch.logit(soft) / temperature)
        entropy = functional.binary_cross_entropy(warm, warm)
        divergence = functional.binary_cross_entropy_with_logits(cold, warm) - entropy
    else:
        warm = (soft.log() / temperature).softmax(1)
        divergence = functional.kl_div(cold.log_softmax(1), warm, reduction="batchmean")
    return temperature**2 * divergence


def _open_arrays(data: Any, what: str, target: Target) -> ArrayRows:
    """The rows of `data`, which must be arrays: what a pool says of them is by their order."""
    rows = open_rows(data, what, target, LARGE)
    if not isinstance(rows, ArrayRows):
        raise UnsupportedError(
            f"{what} must be (X, y), arrays in the order of what the pool says; got "
            f"{type(data).__name__}"
        )
    return rows
