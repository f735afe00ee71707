"""Times: dates and durations of NumPy, as Arrow takes them.

>>> convert_unit(np.array(["2024", "2025"], "datetime64[Y]")).dtype
dtype('<M8[D]')
"""

from typing import Any

import numpy as np

from assay.errors import SchemaError

__all__ = ["convert_unit", "gather_times"]

# Units of NumPy's dates and durations that Arrow lacks, and the next finer that it has.
UNITS = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"}


def gather_times(values: Any, where: str) -> Any:
    """The `values` (n,), NumPy's dates or durations one by one, as one array; None is a gap.

    Arrow does not take them one by one; values of other types stay as they are. SchemaError, naming
    the column by `where`, where types are mixed.
    """
    if np.dtype(object) != getattr(values, "dtype", object):
        return values
    first = next((value for value in values if value is not None), None)
    if not isinstance(first, np.datetime64 | np.timedelta64):
        return values
    kinds = set(map(type, values))
    times = kinds & {np.datetime64, np.timedelta64}
    if len(times) == 2 or kinds - times - {type(None)}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise SchemaError(f"{where} mixes types ({names}); give one type")
    return np.array(list(values), times.pop().__name__)


def convert_unit(values: Any) -> Any:
    """Dates and durations of NumPy in a unit that Arrow has; other `values` as they are."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "mM":
        return values
    unit = UNITS.get(np.datetime_data(values.dtype)[0])
    if unit is None or (values.dtype.kind == "m" and unit == "D"):
        return values
    return values.astype(f"{values.dtype.kind}8[{unit}]")
