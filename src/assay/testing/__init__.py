"""Checks for authors of plug-ins: one function a family, that raises AssertionError with the law
that is broken.

A member of a family (a metric, a fusion, an adapter, a reader, an engine, a tracker) must keep the
laws that the rest of the house relies on; the project's own members are held to them by these same
functions. Tables at random come from `random_table`, and from `tables` as a hypothesis strategy.

Rooms:

- tables: predictions tables at random, of every task, a function of a seed
- laws: how a law that does not hold is told
- metrics: what every metric must keep
- fusions: what every fusion must keep
- engines: what every engine must keep
- readers: what every reader of training logs must keep
- adapters: what every adapter of a framework must keep
- trackers: what every tracker of runs must keep

>>> from assay.testing import check_metric
>>> check_metric("f1(average=macro)", repeats=2)
"""

from assay.testing.adapters import check_adapter as check_adapter
from assay.testing.engines import check_engine as check_engine
from assay.testing.fusions import check_fusion as check_fusion
from assay.testing.metrics import check_metric as check_metric
from assay.testing.readers import check_reader as check_reader
from assay.testing.tables import random_table as random_table
from assay.testing.tables import tables as tables
from assay.testing.trackers import check_tracker as check_tracker

__all__ = [
    "check_adapter",
    "check_engine",
    "check_fusion",
    "check_metric",
    "check_reader",
    "check_tracker",
    "random_table",
    "tables",
]
