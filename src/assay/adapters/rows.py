"""Rows: what the passes over the data gave, beside truth and further columns, as checked tables.

Task, classes and kinds are settled by all rows before the first is given out, so that chunks of any
size make the same table.

>>> from assay.adapters.base import find_adapter
>>> from sklearn.linear_model import LinearRegression
>>> line = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
>>> done = Pass(find_adapter(line), {"line": line}, Spool())
>>> done.run([[2.0], [3.0]])
>>> next(RowTable([done], ["line"], [4.5, 5.5], None, {}, RowColumns({})).read())
Predictions: 2 rows, regression, 1 model: line (value)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.adapters.arguments import check_truth
from assay.adapters.base import align_outputs, list_classes, to_label
from assay.adapters.extents import Extent
from assay.adapters.passes import FURTHER, Pass, convert_truth
from assay.adapters.spool import Spool
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.table.columns import normalise, numpy_to_arrow
from assay.table.conversions import make_conversions
from assay.table.labels import Label
from assay.table.outputs import group_by_model, is_fractional
from assay.table.predictions import Predictions, assemble
from assay.table.schema import Kind, Schema, Task
from assay.table.validation import require_unique

__all__ = ["RowColumns", "RowTable", "Spool"]

CHUNK = 1 << 24  # bytes of outputs that are held at a time where they are read from a file
PER_ROW = ("weight", "id", "fold", "split", "cluster")


class RowColumns:
    """The further keywords of `Predictions.from_arrays`: columns of the rows, and options.

    Parameters:
        keywords: The keywords by name.
    """

    def __init__(self, keywords: Mapping[str, Any]) -> None:
        options = dict(keywords)
        self.classes = options.pop("classes", None)
        self.positive = options.get("positive")
        self.per_row = {
            name: options.pop(name) for name in PER_ROW if options.get(name) is not None
        }
        self.groups = dict(options.pop("groups", None) or {})
        self.options = options

    def __bool__(self) -> bool:
        """Whether any column of the rows is there."""
        return bool(self.per_row or self.groups)

    def check(self, n: int) -> None:
        """SchemaError unless each column has `n` values, and the ids name one row each."""
        for name, values in {**self.per_row, **self.groups}.items():
            column = normalise(values, f"column {name!r}")
            if len(column) != n:
                raise SchemaError(
                    f"column {name!r} has {len(column)} rows, the data has {n}; give one value a "
                    f"row"
                )
            if name == "id":
                require_unique(numpy_to_arrow(column) if isinstance(column, np.ndarray) else column)

    def take(self, rows: Any, chunk: Mapping[str, Array]) -> dict[str, Any]:
        """The keywords for some `rows`, a slice, of which a `chunk` of the passes is."""
        origins = chunk.get("origins")
        places = rows if origins is None else origins
        keywords = {name: _take(values, places, name) for name, values in self.per_row.items()}
        groups = {name: _take(values, places, name) for name, values in self.groups.items()}
        for name, values in chunk.items():
            if name.startswith(FURTHER):
                _add_further(groups, name.removeprefix(FURTHER), values)
        if origins is not None:
            keywords |= _name_parts(keywords, origins)
        return keywords | self.options | ({"groups": groups} if groups else {})


class RowTable:
    """Truth, outputs of all passes and further columns, as one table or chunk by chunk.

    Parameters:
        passes: What was predicted; the passes have the same rows.
        names: Names of the models in their order.
        y: The truth; None: that of the data.
        task: The task; None: what models and truth show.
        kinds: Kinds that the caller declares, by model.
        columns: The further columns.

    Raises:
        UnsupportedError: There is no truth, or columns cannot be matched to the classes.
    """

    def __init__(
        self,
        passes: Sequence[Pass],
        names: Sequence[str],
        y: Any,
        task: Task | None,
        kinds: Mapping[str, Kind],
        columns: RowColumns,
    ) -> None:
        self.passes = passes
        self.names = names
        self.columns = columns
        self.y = convert_truth(y) if hasattr(y, "detach") else y
        self.n = passes[0].spool.n
        self.without_truth = y is None and any(each.without_truth for each in passes)
        self.has_origins = any(each.has_origins for each in passes)
        self._refuse_other_sizes()
        sample = self._find_sample()
        own = {
            n: p.classes.get(n) or p.adapter.classes(m) for p in passes for n, m in p.models.items()
        }
        self.own = {name: own[name] for name in names}
        self.task = task or self._find_task(sample)
        self.kinds = {
            n: p.adapter.settle(m, p.extents[n], self.task, kinds.get(n))
            for p in passes
            for n, m in p.models.items()
        }
        extents = {n: e for p in passes for n, e in p.extents.items()}
        self.extents = {
            name: {kind: extents[name][given] for given, kind in self.kinds[name].items()}
            for name in names
        }
        self.class_names = self._find_class_names(sample)
        known = columns.classes or self.class_names
        self.classes = list(known) if known is not None else self._find_classes(sample)
        if self.class_names is not None:
            self.own = {name: _name_classes(c, self.class_names) for name, c in self.own.items()}
        _check_widths(self.extents, self.own, self.classes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the adapters say of the models."""
        notes = {n: p.adapter.notes(m) for p in self.passes for n, m in p.models.items()}
        return tuple(f"Model {name!r}: {note}" for name in self.names for note in notes[name])

    def read(self) -> Iterator[Predictions]:
        """The table of all rows."""
        chunk = self._merge([next(each.spool.read()) for each in self.passes])
        truth = self._choose_truth(self.y, chunk, 0)
        keywords: dict[str, Any] = self.columns.take(slice(None), chunk)
        table = Predictions.from_arrays(
            truth,
            self._align(chunk),
            classes=self._declared_classes,
            task=self.task,
            **{**keywords, "class_names": self.class_names},
        )
        yield self._mark(table)

    def read_chunks(self) -> Iterator[Predictions]:
        """The table in chunks of few rows, all of the schema of the first."""
        if not self.has_origins:
            self.columns.check(self.n)
        y = None if self.y is None else normalise(self.y, "the truth")
        if y is not None and _count(y) != self.n:
            raise SchemaError(
                f"the truth has {_count(y)} rows, the data has {self.n}; give one truth a row"
            )
        task = self.task
        if task is None and y is not None and not isinstance(y, Mapping) and is_fractional(y):
            task = "regression"
        like: Schema | None = None
        start = 0
        for chunks in zip(*(p.spool.read(self._count_rows()) for p in self.passes), strict=True):
            chunk = self._merge(chunks)
            stop = start + len(next(iter(chunk.values())))
            part = None if y is None else _take(y, slice(start, stop), "truth")
            truth = self._choose_truth(part, chunk, start)
            table = self._assemble(truth, chunk, slice(start, stop), task, like)
            like = table.schema
            start = stop
            yield self._mark(table)

    def require_order(self, data: Any, batch_size: int | None) -> None:
        """UnsupportedError where `data` that hold the truth give other rows the second time, in
        batches of `batch_size`.

        Only where columns of the caller stand beside the truth of the data does that matter.
        """
        again = hasattr(data, "__iter__") and iter(data) is not data
        if self.y is not None or not self.columns or not again:
            return
        for each in self.passes:
            if each.distinct is None or hasattr(data, "__getitem__"):
                continue
            size = batch_size or each.adapter.batch_size
            _, truth = next(iter(each.adapter.batches(data, size)))
            if truth is None:
                continue
            second = convert_truth(truth)
            first = next(each.spool.read(len(second)))["truth"]
            if not np.array_equal(first, second):
                raise UnsupportedError(
                    f"the data gives its rows in another order each time: the first {len(second)} "
                    f"differ. The columns {_name_columns(self.columns)} cannot be matched to "
                    f"them; use data that does not shuffle"
                )

    def _refuse_other_sizes(self) -> None:
        for each in self.passes[1:]:
            if each.spool.n != self.n:
                raise UnsupportedError(
                    f"model {next(iter(each.models))!r} gives {each.spool.n} rows where "
                    f"{next(iter(self.passes[0].models))!r} gives {self.n}; models stand in one "
                    f"table only if they predict the same rows"
                )

    def _find_sample(self) -> Any:
        """The truth given, or each value of that of the data once."""
        if self.y is not None:
            return self.y
        if self.without_truth:
            return np.zeros(1)
        loaded = next((each for each in self.passes if each.distinct is not None), None)
        if loaded is None:
            raise UnsupportedError(
                "the truth of the rows is not given and the data holds none; give y, or a "
                "DataLoader of (inputs, truth)"
            )
        return loaded.distinct

    def _find_task(self, sample: Any) -> Task | None:
        if self.without_truth:
            return "regression"
        for each in self.passes:
            for model in each.models.values():
                task = each.adapter.task(model, sample)
                if task is not None:
                    return task
        return None

    @property
    def _declared_classes(self) -> list[Label] | None:
        """The classes to declare: none where they are the names of numbers."""
        return None if self.class_names is not None else self.classes or None

    def _find_class_names(self, sample: Any) -> tuple[str, ...] | None:
        """Names of the classes 0 to k - 1: as given, or of a model, where the truth is numbers."""
        given = self.columns.options.get("class_names")
        if given is not None:
            return tuple(given)
        if self.columns.classes is not None or self.task in ("regression", "multilabel"):
            return None
        values = np.asarray(sample)
        if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
            return None
        for each in self.passes:
            for model in each.models.values():
                names = each.adapter.class_names(model)
                if names is not None and values.min() >= 0 and values.max() < len(names):
                    return names
        return None

    def _find_classes(self, sample: Any) -> list[Label]:
        """The classes of the table: those of the truth, or of a model that knows more."""
        classes = list_classes(sample, self.task)
        if not classes or self.task == "multilabel" or np.ndim(sample) == 2:
            named = [c for c in self.own.values() if c is not None and len(c) == len(classes)]
            return list(named[0]) if named and classes == [*range(len(classes))] else classes
        for known in self.own.values():
            if known is not None and set(classes) < set(known):
                return list(known)
        for name, extents in self.extents.items():
            if self.own[name] is None and not extents.keys().isdisjoint(("proba", "logit")):
                dtype = np.asarray(sample).dtype
                return _number_classes(name, extents, np.asarray(classes, dtype))
        return classes

    def _count_rows(self) -> int:
        """Rows of a chunk."""
        width = sum(extent.width for each in self.extents.values() for extent in each.values())
        return max(CHUNK // (8 * max(width, 1)), 1)

    def _merge(self, chunks: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The columns of all passes for some rows; their truths must be one."""
        merged: dict[str, Array] = {}
        for chunk in chunks:
            for name in ("truth", "origins"):
                if name in merged and name in chunk and not _are_same(merged[name], chunk[name]):
                    raise UnsupportedError(
                        "the data gives its rows in another order each time, and models of "
                        "several frameworks cannot be matched; use data that does not shuffle"
                    )
            merged |= chunk
        return merged

    def _choose_truth(self, y: Any, chunk: Mapping[str, Array], start: int) -> Any:
        """The truth given, or else that of the data; where both are there, they must agree."""
        loaded = chunk.get("truth")
        if self.without_truth:
            return np.zeros(len(next(iter(chunk.values()))))
        if y is None:
            check_truth(loaded)
            return loaded
        if loaded is not None:
            _refuse_other_truth(y, loaded, start)
        return y

    def _align(self, chunk: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by <model>.<kind>, over the classes of the table."""
        named: dict[str, Array] = {}
        for name in self.names:
            outputs = {kind: chunk[f"{name}.{given}"] for given, kind in self.kinds[name].items()}
            aligned = align_outputs(outputs, self.own[name], self.classes, self.columns.positive)
            named |= {f"{name}.{kind}": values for kind, values in aligned.items()}
        return named

    def _assemble(
        self,
        truth: Any,
        chunk: Mapping[str, Array],
        rows: slice,
        task: Task | None,
        like: Schema | None,
    ) -> Predictions:
        """The checked table of some rows, of the schema `like`, if there is one."""
        keywords = self.columns.take(rows, chunk)
        columns = {name: keywords.pop(name) for name in PER_ROW[1:] if name in keywords}
        columns |= keywords.pop("groups", {})
        weight = keywords.pop("weight", None)
        positive = keywords.pop("positive", None)
        return assemble(
            truth,
            group_by_model(self._align(chunk)),
            columns,
            classes=self._declared_classes,
            task=task,
            positive=positive,
            weight=weight,
            like=like,
            conversions=make_conversions(
                **{**keywords, "class_names": self.class_names}, classes=self._declared_classes
            ),
        )

    def _mark(self, table: Predictions) -> Predictions:
        """The table, which says so where its rows are scored without a truth."""
        if not self.without_truth:
            return table
        return replace(table, schema=replace(table.schema, has_truth=False))


def _add_further(groups: dict[str, Any], name: str, values: Array) -> None:
    """Put the column `values` that an adapter gives into `groups`; refused if one is there."""
    if name in groups:
        raise SchemaError(
            f"column {name!r} is given, and each row has one of that name from its model; give "
            "yours another name"
        )
    groups[name] = values


def _name_parts(keywords: Mapping[str, Any], origins: Array) -> dict[str, Any]:
    """The id of each part of an input, and the input as its cluster."""
    cluster = keywords.get("cluster", keywords.get("id", origins))
    if "id" not in keywords:
        return {"cluster": cluster}
    first = np.concatenate([[True], origins[1:] != origins[:-1]])
    starts = np.maximum.accumulate(np.where(first, np.arange(len(origins)), 0))
    numbers = (np.arange(len(origins)) - starts).tolist()
    ids = keywords["id"]
    texts = ids.to_pylist() if isinstance(ids, pa.Array) else np.asarray(ids).tolist()
    names = [f"{text}/{number}" for text, number in zip(texts, numbers, strict=True)]
    return {"cluster": cluster, "id": names}


def _take(values: Any, rows: Any, name: str) -> Any:
    """Some rows of a column, at a slice or at positions."""
    if isinstance(rows, slice) and rows == slice(None):
        return values
    column = normalise(values, f"column {name!r}")
    if isinstance(column, Mapping):
        return {key: _take(part, rows, name) for key, part in column.items()}
    if isinstance(rows, slice):
        return column[rows]
    return column.take(numpy_to_arrow(rows)) if isinstance(column, pa.Array) else column[rows]


def _count(column: Any) -> int:
    return len(next(iter(column.values()))) if isinstance(column, Mapping) else len(column)


def _name_columns(columns: RowColumns) -> str:
    return ", ".join(map(repr, [*columns.per_row, *columns.groups]))


def _are_same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b))


def _refuse_other_truth(y: Any, loaded: Array, start: int) -> None:
    """UnsupportedError where the truth given is not that of the data, row by row."""
    values = y.to_numpy(zero_copy_only=False) if isinstance(y, pa.Array) else np.asarray(y)
    numbers = values.dtype.kind in "biuf" and loaded.dtype.kind in "biuf"
    texts = values.dtype.kind in "OU" and loaded.dtype.kind in "OU"
    if values.size != loaded.size or not (numbers or texts):
        return
    differs = (values.reshape(loaded.shape) != loaded).reshape(len(loaded), -1).any(axis=1)
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        raise UnsupportedError(
            f"y is {_show(values[row])} at row {start + row}, where the data holds the truth "
            f"{_show(loaded[row])}: their orders differ. Use data that does not shuffle; leave y "
            f"out, or give both in the same order."
        )


def _show(cell: Any) -> str:
    return repr(cell.tolist() if hasattr(cell, "tolist") else cell)


def _number_classes(name: str, extents: Mapping[Kind, Extent], truth: Array) -> list[Label]:
    """The classes 0 to k - 1 of a model with k output columns that knows no classes."""
    extent = extents["logit"] if "logit" in extents else extents["proba"]
    k = max(2, extent.width)
    numbers = np.arange(k)
    if truth.dtype.kind in "biuf" and np.isin(truth, numbers).all():
        return [to_label(label) for label in numbers.astype(truth.dtype)]
    labels = [to_label(label) for label in np.unique(truth)[:5]]
    raise UnsupportedError(
        f"model {name!r} has {k} output columns and does not say of which classes, and the truth "
        f"holds {', '.join(map(repr, labels))}, which are not their numbers 0 to {k - 1}. Give "
        f"classes=[...] in the order of the columns; for numbers to predict, task='regression'."
    )


def _name_classes(own: tuple[Label, ...] | None, names: Sequence[str]) -> tuple[Label, ...] | None:
    """A model's own classes, numbers by their names."""
    if own is None or not all(isinstance(c, int) and 0 <= c < len(names) for c in own):
        return own
    return tuple(names[int(c)] for c in own)


def _check_widths(
    extents: Mapping[str, Mapping[Kind, Extent]],
    own: Mapping[str, tuple[Label, ...] | None],
    classes: Sequence[Label],
) -> None:
    """UnsupportedError where a model that knows no classes has not one output column for each."""
    for name, kinds in extents.items():
        for kind in ("proba", "logit"):
            extent = kinds.get(kind)
            if own[name] is not None or extent is None or not classes:
                continue
            if extent.width != len(classes) and not (extent.width == 1 and len(classes) == 2):
                shown = ", ".join(map(repr, list(classes)[:5]))
                raise UnsupportedError(
                    f"model {name!r} has {extent.width} output columns, there are {len(classes)} "
                    f"classes ({shown}, ...); give classes=[...] in the order of the columns"
                )
