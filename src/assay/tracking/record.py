"""Record: what is logged of a result, whatever logs it: verdict, figures, files and rows.

>>> from assay.evaluation.evaluate import evaluate
>>> record = make_record(evaluate([0, 1, 1, 0], [0, 1, 0, 0], "accuracy", intervals=False))
>>> record.kind, record.figures, sorted(record.files)
('evaluation', {'assay/accuracy': 0.75}, ['evaluation.html', 'evaluation.json', 'evaluation.md'])
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.core.result import Result
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.io.read_write import write
from assay.table.predictions import Predictions
from assay.tracking.figures import list_figures, name_numbers

__all__ = ["PREFIX", "Record", "make_record"]

PREFIX = "assay"  # readers of training logs take what stands below it for no curve


@dataclass(frozen=True)
class Record:
    """What is logged of one result.

    Attributes:
        kind: What it is, as in "evaluation".
        verdict: The answer in a sentence or two.
        figures: Numbers by name; none is nan.
        files: Text or bytes by name of the file.
        table: Tidy rows as a `pyarrow.Table`; None where there are none.
    """

    kind: str
    verdict: str
    figures: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    table: Any = None


def make_record(result: Any, prefix: str = PREFIX) -> Record:
    """The record of a result or of predictions; the figures of an evaluation below a `prefix`."""
    if isinstance(result, Predictions):
        return _record_predictions(result)
    if not isinstance(result, Result):
        raise UnsupportedError(
            "expected what a verb returned (an Evaluation, a Comparison, a Diagnosis, a Report, "
            f"...), or Predictions; got {type(result).__name__}"
        )
    kind = result.schema_name.partition("/")[0].rpartition(".")[2]
    place = prefix if isinstance(result, Evaluation) else PREFIX
    numbers = name_numbers(list_figures(result))
    return Record(
        kind,
        result.verdict,
        {f"{place}/{name}" if place else name: value for name, value in numbers.items()},
        {
            f"{kind}.json": result.to_json(),
            f"{kind}.md": result.to_markdown(),
            f"{kind}.html": result.to_html(),
        },
        result.to_arrow() if len(result.rows) else None,
    )


def _record_predictions(table: Predictions) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        content = Path(write(table, Path(folder) / "predictions.parquet")).read_bytes()
    return Record("predictions", repr(table), files={"predictions.parquet": content})
