"""Base of every fusion, and the registry of all; reading a fitted one back from its file.

>>> FUSIONS.parse("weighted(shrink=1)")
Weighted(shrink=1.0, loss='auto')
"""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast

from assay.core.registry import Member, Registry
from assay.errors import NameLookupError, ReadError, UnsupportedError
from assay.fusions.convex import Pool, Weights, common_kind
from assay.fusions.fitted import Fitted, read_parts
from assay.kernels import Array
from assay.table.folds import find_held_out
from assay.table.predictions import Predictions

__all__ = ["FUSIONS", "Evidence", "Fusion", "load_fitted"]

FUSIONS: "Registry[Fusion[Any]]" = Registry("fusions")


class Evidence(Protocol):
    """What a fusion is fitted from: anything whose rows can be taken."""

    def take(self, rows: Array, /) -> Self:
        """The rows that the mask `rows` (n,) marks."""


E = TypeVar("E", bound=Evidence)


@dataclass(frozen=True)
class Fusion(Member, Generic[E]):
    """Base of every fusion: parameters, what fitting reads, and the fit.

    A subclass is a frozen dataclass that writes `solve`, and `evidence` where it reads more than
    the pool of the table. Evidence is read once; `fuse` fits from parts of it, fold by fold.

    Class attributes:
        learns: False where nothing is fitted to the rows, so that an honest score needs no folds.
        least_rows: Rows below which `fuse` takes equal weights instead of fitting any.
        fitted: Class that `solve` returns and `load_fitted` reads back.
        losses: Metrics that its parameter `loss` takes, so that `fuse(metric=...)` sets it.
    """

    registry: ClassVar[Registry[Any]] = FUSIONS
    learns: ClassVar[bool] = True
    least_rows: ClassVar[int] = 20
    fitted: ClassVar[type[Fitted]] = Weights
    losses: ClassVar[tuple[str, ...]] = ()

    def fit(self, predictions: Predictions, *, seed: int = 0) -> Fitted:
        """The fusion fitted on every row of the table, but those of split "train" (unless all are).

        Parameters:
            predictions: A table of two models or more.
            seed: Seed of what is random in fitting; default 0.

        Raises:
            UnsupportedError: The table has one model, or outputs that this fusion cannot fuse.
        """
        check_two_models(predictions)
        keep, _ = find_held_out(predictions)
        table = predictions if keep.all() else predictions.take(keep)
        return self.solve(self.evidence(table), seed=seed)

    def evidence(self, table: Predictions, fold: Array | None = None) -> E:
        """What `solve` reads: by default the pool of the table.

        Parameters:
            table: The rows, those of fold -1 included.
            fold: Fold of each row (n,), -1 for rows that may not be fitted on; default: one fold.
        """
        return cast(E, Pool.read(table, fold))

    @abstractmethod
    def solve(self, evidence: E, *, seed: int) -> Fitted:
        """The fusion fitted to those rows.

        Parameters:
            evidence: What `evidence` gave, or some rows of it.
            seed: Seed of what is random in fitting.
        """


def load_fitted(path: str | Path) -> Fitted:
    """The fitted fusion that `Fitted.save` wrote; files of schema assay.fitted/1 are read, too.

    Parameters:
        path: File of the fitted fusion.

    Raises:
        ReadError: The file holds no fitted fusion, or one of a fusion that is not known here.

    >>> import tempfile
    >>> votes = {"a": [0, 1], "b": [1, 1], "c": [0, 0]}
    >>> fitted = FUSIONS.parse("mean").fit(Predictions.from_arrays([0, 1], votes))
    >>> path = Path(tempfile.mkdtemp()) / "fusion.json"
    >>> fitted.save(path)
    >>> load_fitted(path) == fitted
    True
    """
    header, arrays = read_parts(path)
    try:
        return FUSIONS[header["how"].partition("(")[0]].fitted.load(header, arrays)
    except NameLookupError as error:
        raise ReadError(
            f"{path}: {error} Import the module that defines it before reading."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReadError(
            f"{path}: this is no fitted fusion of schema assay.fitted/2 ({error!r})"
        ) from error


def check_two_models(predictions: Predictions) -> None:
    """UnsupportedError where `predictions` hold one model alone."""
    if len(predictions.models) < 2:
        raise UnsupportedError(
            f"fusing needs at least 2 models; the table has {len(predictions.models)}: "
            f"{', '.join(predictions.models)}. Add another model's column."
        )


def refuse_labels(predictions: Predictions, fusion: Fusion[Any]) -> None:
    """UnsupportedError where `predictions` hold labels alone, which `fusion` cannot fit."""
    if common_kind(predictions) == "label":
        first = predictions.models[0]
        raise UnsupportedError(
            f"{fusion.name} needs probabilities, but model {first!r} gives only labels. Give "
            f"{first}.proba or {first}.logit, or use how='mean', the majority vote."
        )
