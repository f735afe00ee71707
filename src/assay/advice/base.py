"""Base of every check of advice, the registry of all, and what a check reads.

A check is one class with a code; defining it registers it, in the project as in a plug-in:

>>> with CHECKS.isolate():
...     class FewRows(Check):
...         '''The table has fewer than 10 rows.'''
...         name = "X001"
...         title = "The table has {n} rows."
...         def find(self, context):
...             n = context.table.n
...             return [self.report("It should have 10.", "Collect more.", n=n)] if n < 10 else []
...     table = Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
...     print(FewRows().find(CheckContext(table, np.ones(2), np.ones(2), {}))[0])
X001 The table has 2 rows. It should have 10. Collect more.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from assay.core.registry import Member, Registry
from assay.kernels import Array
from assay.states.confusion import Counts
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.rows import Rows

__all__ = ["CHECKS", "FALSE_ALARM", "Advice", "Check", "CheckContext", "Z"]

CHECKS: "Registry[Check]" = Registry("checks", wing="advice")

FALSE_ALARM = 0.01  # chance that a test accuses any model of a sound table
Z = 1.959963984540054  # standard errors to either side that hold 95 % of a normal distribution

# A sample holds this many probabilities, within limits on its rows.
SAMPLE_VALUES = 1 << 17
FEWEST_ROWS = 1 << 12
MOST_ROWS = 1 << 16
# So many clusters leave no estimate uncertain: they need not be counted further.
MANY_CLUSTERS = 100_000


class Advice(NamedTuple):
    """One finding of a check.

    Parameters:
        code: Code of the check, as in "A001".
        title: The finding in one sentence.
        evidence: The numbers that show it.
        remedy: What to read or do instead.

    >>> print(Advice("A000", "All is well.", "Nothing is odd.", "Carry on."))
    A000 All is well. Nothing is odd. Carry on.
    """

    code: str
    title: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.title} {self.evidence} {self.remedy}"


@dataclass(frozen=True, eq=False, repr=False)
class CheckContext:
    """What the checks read, gathered once for all of them.

    Parameters:
        table: The predictions, in memory or streamed.
        class_rows: Rows of each class (k,); empty for multi-label and regression.
        class_weight: Weight of each class (k,); empty for multi-label and regression.
        counts: Confusion counts of models, where known.
        costs: Cost of each kind of error (k, k), rows truth and columns prediction; None: all
            errors alike.
        thorough: Whether remedies are to be fitted.
        seed: Seed of what is random in that.
        every: The table with the rows that were left out, since models were trained on them; None:
            there are none.
    """

    table: Table
    class_rows: Array
    class_weight: Array
    counts: Mapping[str, Counts]
    costs: Array | None = None
    thorough: bool = False
    seed: int = 0
    every: Table | None = None
    _rows: dict[str, Rows] = field(default_factory=dict)

    @property
    def shares(self) -> Array:
        """Share of the weight that each class has (k,)."""
        return np.asarray(self.class_weight / max(float(self.class_weight.sum()), 1e-300))

    @property
    def level(self) -> float:
        """Level of a test of one model: that of all models together is FALSE_ALARM."""
        return FALSE_ALARM / max(len(self.table.models), 1)

    @cached_property
    def effective_rows(self) -> float:
        """Number of independent rows: clusters where declared, else Kish's effective number."""
        table = self.table.head
        if "cluster" in self.table.columns:
            return float(self._count_clusters())
        if not self.table.is_in_memory or table.weight is None:
            return float(self.table.n)
        return float(table.weight.sum() ** 2 / max((table.weight**2).sum(), 1e-300))

    @property
    def knows_clusters(self) -> bool:
        """Whether the rows come in clusters, all of which are at hand."""
        return self.table.is_in_memory and "cluster" in self.table.columns

    @cached_property
    def class_clusters(self) -> Array:
        """Number of clusters that have a row of each class (k,), of a table with clusters."""
        table = self.table.head
        k = table.schema.k
        cluster = table.columns["cluster"]
        if not pa.types.is_dictionary(cluster.type):
            cluster = cluster.dictionary_encode()
        codes = (
            cluster.indices.fill_null(len(cluster.dictionary))
            .to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
        return np.bincount(np.unique(codes * k + table.truth) % k, minlength=k)

    @cached_property
    def sample(self) -> Predictions:
        """The table, or evenly spread rows of a long one: what checks of single rows read."""
        table = self.table.head
        enough = min(MOST_ROWS, max(FEWEST_ROWS, SAMPLE_VALUES // max(table.schema.k, 1)))
        if not self.table.is_in_memory or table.n < 2 * enough:
            return table
        return table.every(table.n // enough)

    def _count_clusters(self) -> int:
        """How many clusters the rows come in; of very many at least MANY_CLUSTERS."""
        clusters: set[Any] = set()
        for chunk in self.table.column_chunks("cluster"):
            clusters.update(chunk.unique().to_pylist())
            if len(clusters) > MANY_CLUSTERS:
                break
        return len(clusters)

    def read_models(self, reads: str) -> Iterator[tuple[str, Rows]]:
        """Name and rows of the sample of each model that gives what `reads` says, derived once."""
        for model in self.table.models:
            if self.table.schema.offers(model, reads):
                yield model, self._rows.setdefault(model, self.sample.rows(model))


class Check(Member):
    """Base of every check: a code, a title, and `find`, which gives its findings on a table.

    Its docstring begins with what it finds, for `assay list checks`. It must read tables of every
    task, give nothing where it does not apply, and stay silent on a sound table.

    Class attributes:
        name: The code, unique among all checks, as in "A001".
        title: The finding in one sentence, with fields in braces that `report` fills.
    """

    registry: ClassVar[Registry[Any]] = CHECKS
    title: ClassVar[str]

    @abstractmethod
    def find(self, context: CheckContext) -> list[Advice]:
        """The findings on the table of `context`; none where the check does not apply."""

    def report(self, evidence: str, remedy: str, **fields: Any) -> Advice:
        """One finding of this check.

        Parameters:
            evidence: The numbers that show it.
            remedy: What to read or do instead.
            **fields: What fills the braces of the title.
        """
        return Advice(self.name, self.title.format(**fields), evidence, remedy)
