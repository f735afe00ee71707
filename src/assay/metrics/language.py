"""Metrics of language models, read off the log-probabilities that they give to the true text.

A row is a token or a text, and the value of a model its natural logarithm of the probability.

>>> Perplexity()([0, 0], [-0.6931, -2.0794])
4
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import REGRESSION, Metric, ratio
from assay.states.base import State
from assay.states.moments import Moments, Sums
from assay.table.columns import convert_to_numbers
from assay.table.rows import Rows

__all__ = ["BitsPerByte", "Perplexity"]

# Log-probabilities may be above 0 by their rounding.
ROUNDING = 1e-5
# What interfaces that list the most probable tokens alone give to all others.
UNLISTED = -9999.0
LOSS, UNITS, IS_UNLISTED = range(3)
LARGEST = float(np.log(np.finfo(np.float64).max))


@dataclass(frozen=True)
class TokenLosses:
    """Loss of each row in nats, the units that it is divided by, and whether it is a stand-in."""

    per: str = ""

    def compute_rows(self, rows: Rows) -> Array:
        log_proba = np.asarray(rows.value, np.float64)
        _refuse_other_numbers(log_proba, rows)
        units = np.ones(len(log_proba)) if not self.per else _read_units(self.per, rows)
        return np.stack([-log_proba, units, log_proba <= UNLISTED], axis=1)


class LanguageMetric(Metric):
    """Base of what follows from the sum of losses over the sum of units."""

    reads = "value"
    tasks = REGRESSION
    better = "lower"
    needs_truth = False
    undefined = "no_units"
    per: str

    @property
    def state(self) -> State[Sums]:
        return Moments(TokenLosses(self.per), width=3)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.per,) if self.per else ()

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Units in each stratum of `value` (strata,), whatever the `summary`."""
        return np.asarray(value.mean[:, UNITS] * value.weight)

    def find_reason(self, summary: Sums) -> str:
        return "overflow" if summary.mean[0, UNITS] > 0 else self.undefined

    def note(self, summary: Sums, schema: object) -> str:
        share = float(summary.mean[0, IS_UNLISTED])
        if not share > 0:
            return ""
        return (
            f"{share:.2%} of the weight has a log-probability of {UNLISTED:.0f} or less, which "
            "some interfaces give in place of one that they do not know"
        )


@dataclass(frozen=True)
class Perplexity(LanguageMetric):
    """How many tokens a language model hesitates between: in [1, inf), lower is better.

    exp(-sum of log-probabilities / number of tokens), of all rows together: no mean of the
    perplexities of texts. The value of a model is the natural logarithm of the probability that it
    gave to the token of the row, 0 or less; the truth is not read. Models of different tokenizers
    have other tokens, and are compared by bits_per_byte. Undefined (no_units) where the column
    `per` adds up to 0, and (overflow) where it is beyond floating point.
    Same value as exp of the loss of a causal language model in Transformers.

    Parameters:
        per: Column of how many units a row has, such as words, where rows are texts with the sum
            of their log-probabilities; default: each row is one token.

    Source: Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63.

    >>> Perplexity()([0, 0], [-0.6931, -2.0794])
    4
    """

    name = "perplexity"
    aliases = ("ppl",)
    bounds = (1.0, float("inf"))
    cases = ({"per": "bytes"},)
    oracle = "np.exp(-np.average(value, weights=w) / np.average(units(m.per), weights=w))"
    per: str = ""

    def compute(self, summary: Sums) -> Array:
        loss = ratio(summary.mean[..., LOSS], summary.mean[..., UNITS])
        return np.where(loss > LARGEST, np.nan, np.exp(np.minimum(loss, LARGEST)))


@dataclass(frozen=True)
class BitsPerByte(LanguageMetric):
    """Bits that a language model needs for a byte of the text: in [0, inf), lower is better.

    -sum of log-probabilities / (ln 2 * sum of bytes), of all rows together. The value of a model is
    the natural logarithm of the probability of the row's token, or of all tokens of its text; the
    bytes are those of the same text in UTF-8. Whatever the tokenizers, models are compared on the
    same texts. The truth is not read. Undefined (no_units) where there is no byte.
    Same value as bits_per_byte of lm-evaluation-harness.

    Parameters:
        per: Column of the number of bytes of each row; default bytes.

    Source: Gao et al. (2020), The Pile, arXiv:2101.00027, section 3.1.

    >>> import assay
    >>> columns = {"lm.value": [-5.545, -2.773], "bytes": [5, 7]}
    >>> assay.evaluate(assay.read(columns), "bits_per_byte").value
    1.0000...
    """

    name = "bits_per_byte"
    aliases = ("bpb",)
    bounds = (0.0, float("inf"))
    cases = ({"per": "words"},)
    oracle = "-np.average(value, weights=w) / np.log(2) / np.average(units(m.per), weights=w)"
    per: str = "bytes"

    def compute(self, summary: Sums) -> Array:
        return ratio(summary.mean[..., LOSS], summary.mean[..., UNITS] * np.log(2))


def _refuse_other_numbers(log_proba: Array, rows: Rows) -> None:
    """Refuse values that cannot be logarithms of probabilities."""
    positive = log_proba > 0
    # Probabilities of long texts are above 0, and less than any rounding.
    bad = positive & ((log_proba > ROUNDING) | bool((log_proba >= 0).all()))
    if not bad.any():
        return
    first = int(np.argmax(bad))
    raise UnsupportedError(
        f"a log-probability is 0 or less; model {rows.model!r} gives {log_proba[first]:.6g} at "
        f"{rows.name_row(first)} ({int(bad.sum())} such rows in the batch). If its values are "
        "losses in nats, give them with a minus; if they are probabilities, give their natural "
        "logarithms"
    )


def _read_units(per: str, rows: Rows) -> Array:
    """The column `per` of the `rows` as numbers (n,), 0 or more."""
    column = rows.predictions.columns.get(per)
    if column is None:
        raise UnsupportedError(
            f"the number of units of each row is read from a column {per!r}, which the table does "
            f"not have; add it (groups={{{per!r}: [...]}}), or name the column that holds it: "
            "bits_per_byte(per=COLUMN)"
        )
    units = convert_to_numbers(column, f"column {per!r}", rows.name_row).astype(np.float64)
    bad = ~(np.isfinite(units) & (units >= 0))
    if bad.any():
        first = int(np.argmax(bad))
        raise UnsupportedError(
            f"column {per!r} is {units[first]:.6g} at {rows.name_row(first)}; give the number of "
            "units of each row, 0 or more"
        )
    return units
