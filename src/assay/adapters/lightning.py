"""Lightning: a LightningModule by its predict_step, or the batches that trainer.predict returned.

>>> Lightning().name, Lightning().modules
('lightning', ('lightning', 'pytorch_lightning'))
"""

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import Answers
from assay.adapters.extents import Extent, choose_kind
from assay.adapters.torch_modules import TorchModules, find_place, name_output, read_output
from assay.errors import UnsupportedError
from assay.table.schema import Kind, Task

__all__ = ["Lightning"]


@dataclass(frozen=True)
class Lightning(TorchModules):
    """Modules of Lightning, and lists of the batches that `trainer.predict` returned.

    A `predict_step` of the module's own is given the whole batch, truth included, as Lightning
    does; a module without one predicts the inputs by its forward. What a trainer returned is in the
    order of its loader: give it a loader that does not shuffle, and the truth as `y`.
    """

    name = "lightning"
    extra = "lightning"
    modules = ("lightning", "pytorch_lightning")
    rank = 20

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a LightningModule, or a list of batches of tensors."""
        return _holds_batches(model) or any(
            isinstance(model, cls) for cls in _find_classes("LightningModule")
        )

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Inputs and truth of each batch of a DataLoader or Dataset; slices of arrays and tensors.

        Parameters:
            data: As of PyTorch, or a LightningDataModule with a `predict_dataloader`; None for
                batches that were predicted already.
            size: Rows a batch, but for a DataLoader, which has its own.
        """
        if data is None:
            yield None, None
            return
        if isinstance(data, _find_classes("LightningDataModule")):
            data = data.predict_dataloader()
        yield from super().batches(data, size)

    def count_data(self, data: Any) -> int | None:
        """Number of rows in all `data`; None where that is not known before they are read."""
        if data is None or isinstance(data, _find_classes("LightningDataModule")):
            return None
        return super().count_data(data)

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch; 1 where there are none to count."""
        return 1 if inputs is None else super().count_rows(inputs)

    def prepare(self, model: Any, device: str | None) -> AbstractContextManager[Any]:
        """Evaluation mode of `model` on the `device`; on leaving, modes and device are restored."""
        return nullcontext() if _holds_batches(model) else super().prepare(model, device)

    def answer(
        self, model: Any, inputs: Any, truth: Any | None, *, device: str | None = None
    ) -> Answers:
        """What `model` gives for a batch of `inputs` and `truth` on `device`, by its predict_step.

        Batches that were predicted already are put under one another.
        """
        if _holds_batches(model):
            return Answers(name_output(np.concatenate([read_output(batch) for batch in model])))
        if inputs is None:
            raise UnsupportedError(
                "no data is given; expected a DataLoader, a Dataset, arrays or tensors"
            )
        if not _has_own_step(model):
            return Answers(self.predict(model, inputs, device=device), truth)
        torch = self.import_torch()
        place, dtype = find_place(model, device)

        def move(values: Any) -> Any:
            tensor = torch.as_tensor(values, device=place)
            return tensor.to(dtype) if dtype and tensor.dtype.is_floating_point else tensor

        batch: Any
        if isinstance(inputs, Mapping):
            batch = {name: move(values) for name, values in inputs.items()}
            batch |= {} if truth is None else {"labels": move(truth)}
        else:
            batch = [move(values) for values in _list_parts(inputs, truth)]
            batch = batch[0] if len(batch) == 1 else batch
        wanted = len(inspect.signature(model.predict_step).parameters)
        with torch.no_grad():
            output = model.predict_step(batch, 0) if wanted > 1 else model.predict_step(batch)
        return Answers(name_output(read_output(output)), truth)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The outputs of a `task` as values, logits or probabilities, or as the declared `kind`.

        What their `extents` leave open the last layer of the `model` tells, unless it has a
        predict_step, which may do more than its layers.
        """
        if "logit" in extents and (_holds_batches(model) or _has_own_step(model)):
            shown = choose_kind(extents["logit"], task, model_name="predict_step", ends_in=kind)
            return {"logit": kind or shown}
        return super().settle(model, extents, task, kind)


def _find_classes(name: str) -> tuple[Any, ...]:
    """The class of this name in lightning and in pytorch_lightning, as far as they are loaded."""
    modules = (sys.modules.get(module) for module in Lightning.modules)
    return tuple(cls for cls in (getattr(m, name, None) for m in modules) if cls is not None)


def _holds_batches(model: Any) -> bool:
    """Whether a model is a list of tensors, or of what begins with one."""
    if not isinstance(model, list) or not model:
        return False
    first = model[0][0] if isinstance(model[0], tuple | list) and model[0] else model[0]
    return hasattr(first, "detach")


def _has_own_step(model: Any) -> bool:
    """Whether a module predicts by a `predict_step` that is not Lightning's own."""
    own = [cls.predict_step for cls in _find_classes("LightningModule")]
    return type(model).predict_step not in own


def _list_parts(inputs: Any, truth: Any | None) -> list[Any]:
    """The parts of a batch as its loader gave them: the inputs, then the truth."""
    parts = [*inputs] if isinstance(inputs, tuple | list) else [inputs]
    return parts if truth is None else [*parts, truth]
