"""skorch: the module of a fitted net, whose output stays what it is.

>>> Skorch().name, Skorch().modules
('skorch', ('skorch',))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.adapters.estimators import has_several
from assay.adapters.extents import Extent
from assay.adapters.torch_modules import TorchModules
from assay.table.schema import Kind, Task

__all__ = ["Skorch"]


@dataclass(frozen=True)
class Skorch(TorchModules):
    """Nets of skorch: their module is asked, so that logits stay logits whatever the criterion.

    A net is trained on the numbers of the classes, and its columns are of 0 to k - 1.
    """

    name = "skorch"
    extra = "skorch"
    modules = ("skorch",)
    rank = 20

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a NeuralNet."""
        import skorch

        return isinstance(model, skorch.NeuralNet)

    def find_module(self, model: Any) -> Any:
        """The trained module of `model`."""
        if not getattr(model, "initialized_", False):
            raise ValueError("not fitted: the net has no module yet")
        return model.module_

    def task(self, model: Any, y: Any) -> Task | None:
        """Regression of a NeuralNetRegressor `model`; otherwise as the truth `y` shows."""
        import skorch

        if isinstance(model, skorch.NeuralNetRegressor):
            return "multioutput" if has_several(y) else "regression"
        return super().task(model, y)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The outputs as the criterion of `model` takes them, or as the declared `kind`.

        Criteria of logits name them; of others the `extents` and the last layer tell, by `task`.
        """
        criterion = type(model.criterion_).__name__
        of_logits = criterion in ("CrossEntropyLoss", "BCEWithLogitsLoss")
        if of_logits and task not in ("regression", "multioutput"):
            return {"logit": kind or "logit"}
        return super().settle(model, extents, task, kind)
