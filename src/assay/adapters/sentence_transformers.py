"""Cross-encoders of sentence-transformers: scores of pairs of texts, before any activation.

>>> CrossEncoders().name, CrossEncoders().modules
('sentence_transformers', ('sentence_transformers',))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import count_rows
from assay.adapters.extents import Extent
from assay.adapters.torch_modules import TorchModules
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind, Task

__all__ = ["CrossEncoders"]


@dataclass(frozen=True)
class CrossEncoders(TorchModules):
    """Cross-encoders: of classes their logits, of a regression what their own activation gives."""

    name = "sentence_transformers"
    extra = "sentence-transformers"
    modules = ("sentence_transformers",)
    rank = 40
    batch_size = 32

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a CrossEncoder."""
        import sentence_transformers

        return isinstance(model, sentence_transformers.CrossEncoder)

    def find_module(self, model: Any) -> Any:
        """The module of `model`."""
        return model if hasattr(model, "modules") else model.model

    def classes(self, model: Any) -> tuple[Label, ...] | None:
        """The names of `id2label`; None where `model` has none of its own."""
        return self.class_names(model)

    def class_names(self, model: Any) -> tuple[str, ...] | None:
        """The names of `id2label`; None where `model` has none of its own."""
        names = model.config.id2label
        ordered = [str(names[i]) for i in range(len(names)) if i in names]
        own = [name for i, name in enumerate(ordered) if name != f"LABEL_{i}"]
        return tuple(ordered) if own and len(ordered) > 1 else None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Pairs of texts of each batch, `size` at a time, of the rows of `data`."""
        pairs = data.tolist() if hasattr(data, "tolist") else list(data)
        for start in range(0, len(pairs), size or max(len(pairs), 1)):
            yield pairs[start : start + (size or len(pairs))], None

    def count_data(self, data: Any) -> int | None:
        """Number of pairs in `data`."""
        return count_rows(data)

    def count_rows(self, inputs: Any) -> int:
        """Number of pairs in a batch of `inputs`."""
        return len(inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """Pairs from `start` to before `stop` of the `inputs` of a batch."""
        return inputs[start:stop]

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """The logits of `model` for pairs of texts, and what its own activation makes of them.

        `inputs` are pairs; they are computed on `device`.
        """
        torch = self.import_torch()
        pairs = [tuple(pair) for pair in inputs]

        def ask(activation: Any) -> Array:
            return np.asarray(
                model.predict(
                    pairs,
                    batch_size=len(pairs),
                    activation_fn=activation,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                ),
                np.float32,
            )

        raw = ask(torch.nn.Identity())
        return {"logit": raw, "value": ask(None)} if raw.ndim == 1 else {"logit": raw}

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """Logits of classes, or the declared `kind`; in a regression, by the `task`, the value that
        the activation of `model` gives. The `extents` say whether there is one.
        """
        if task == "regression" and "value" in extents:
            return {"value": "value"}
        return {"logit": kind or "logit"}
