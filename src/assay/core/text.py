"""Text."""

import math
from collections.abc import Sequence

__all__ = ["format_number", "text_table"]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell, two spaces apart."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = (
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))
        for line in [header, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def format_number(value: float | None, digits: int = 4) -> str:
    """A figure as people read it: counts whole, others to `digits` significant places, undefined as a dash.

    >>> format_number(0.98346), format_number(1797.0), format_number(float("nan"))
    ('0.9835', '1797', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    if float(value).is_integer() and abs(value) >= 10:
        return str(int(value))
    if 1e-3 <= abs(value) < 1e4 or value == 0:
        return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"
