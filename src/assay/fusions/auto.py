"""Auto: the mean of several fusions, each weighed by how well it does on rows left out of its fit.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> y = np.arange(300) % 3
>>> proba = np.full((300, 3), 0.2) + 0.4 * np.eye(3)[y]
>>> p = Predictions.from_arrays(y, {"a.proba": proba, "b.proba": np.full((300, 3), 1 / 3)})
>>> fitted = Auto().fit(p)
>>> bool(fitted.apply(p)["proba"][0, 0] > 0.6)  # sharper than the model that is right
True
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from assay.core.text import find_free_name
from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Evidence, Fusion
from assay.fusions.convex import common_kind
from assay.fusions.fitted import Fitted, header_fields
from assay.fusions.judging import measure_losses
from assay.kernels import Array
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["Auto", "AutoEvidence", "Averaged"]

PROBABILITIES = ("best", "mean", "weighted(shrink=0.5)", "tempered", "log_pool", "stacking")
VALUES = ("best", "mean", "weighted(shrink=0.5)", "stacking")
MOST_VALUES = 400_000  # outputs of members that are read; rows beyond are left out evenly
MOST_INPUTS = 200  # members' outputs a row, above which no regression is fitted on them
ROWS_A_MODEL = 5  # below which equal weights have a start
LEAST_SHARE = 1e-3  # of a candidate that is kept


@dataclass(frozen=True, kw_only=True)
class Averaged(Fitted):
    """Several fitted fusions, and the share of each in their mean.

    Parameters:
        parts: The fitted fusions.
        shares: Share of each, > 0, summing to 1.
    """

    parts: tuple[Fitted, ...]
    shares: tuple[float, ...]

    @property
    def required_models(self) -> tuple[str, ...]:
        """Names of the models that any part reads."""
        needed = {name for part in self.parts for name in part.required_models}
        return tuple(name for name in self.models if name in needed)

    def combine(self, batch: Predictions) -> Array:
        """The mean of the parts' columns on the rows of `batch`."""
        total: Any = 0.0
        for part, share in zip(self.parts, self.shares, strict=True):
            total = total + share * part.combine(batch.select(part.required_models))
        return np.asarray(total)

    def importance(self) -> Mapping[str, float]:
        """Share of each model in the parts, by their shares."""
        total = dict.fromkeys(self.models, 0.0)
        for part, share in zip(self.parts, self.shares, strict=True):
            for name, own in (part.importance() or {}).items():
                total[name] += share * own
        return total

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header with those of the parts; their arrays, by the number of the part."""
        header, arrays = super().dump()
        dumped = [part.dump() for part in self.parts]
        for number, (_, own) in enumerate(dumped):
            arrays |= {f"{number}.{name}": array for name, array in own.items()}
        headers = [own for own, _ in dumped]
        return {**header, "shares": list(self.shares), "parts": headers}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`."""
        parts = []
        for number, own in enumerate(header["parts"]):
            start = f"{number}."
            of_part = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            parts.append(FUSIONS[own["how"].partition("(")[0]].fitted.load(own, of_part))
        shares = tuple(float(share) for share in header["shares"])
        return cls(**header_fields(header), parts=tuple(parts), shares=shares)


@dataclass(frozen=True, eq=False)
class AutoEvidence:
    """The rows that candidates are fitted to and judged on, and fits that were made already.

    Parameters:
        table: Evenly spread rows of the table, or all.
        fold: Fold of each of them, -1 for rows that may not be fitted on.
        place: Position of each of them among the rows that `take` speaks of.
        size: Number of those rows.
        rows: Number of rows of the table that may be fitted on.
        fits: Fits of candidates by which rows they are of; shared by what `take` gives.
    """

    table: Predictions
    fold: Array
    place: Array
    size: int
    rows: int
    fits: dict[tuple[str, bytes], Fitted] = field(default_factory=dict)
    origin: "AutoEvidence | None" = None
    kept: Array | None = None

    def take(self, rows: Array) -> "AutoEvidence":
        """The rows that the mask `rows` (n,) marks."""
        if rows.all():
            return self
        inside = rows[self.place]
        root = self.origin or self
        kept = np.flatnonzero(inside) if self.kept is None else self.kept[inside]
        return replace(
            self,
            table=self.table.take(inside),
            fold=self.fold[inside],
            place=(np.cumsum(rows) - 1)[self.place[inside]],
            size=int(rows.sum()),
            rows=int(rows.sum()),
            origin=root,
            kept=kept,
        )

    @cached_property
    def evidences(self) -> dict[str, Evidence]:
        """What each candidate reads of the whole table; those that refuse it are left out."""
        found: dict[str, Evidence] = {}
        for text in _list_candidates(self.table):
            try:
                found[text] = FUSIONS.parse(text).evidence(self.table, self.fold)
            except UnsupportedError:
                continue
        return found

    def fit(self, text: str, inside: Array, seed: int) -> Fitted:
        """The candidate `text` fitted with `seed` to the rows that the mask `inside` (n,) marks."""
        root = self.origin or self
        mask = np.zeros(len(root.fold), bool)
        mask[np.flatnonzero(inside) if self.kept is None else self.kept[inside]] = True
        key = text, np.packbits(mask).tobytes()
        if key not in root.fits:
            evidence = root.evidences[text].take(mask)
            root.fits[key] = FUSIONS.parse(text).solve(evidence, seed=seed)
        return root.fits[key]


@dataclass(frozen=True)
class Auto(Fusion[AutoEvidence]):
    """The mean of the best single model and fusions of several kinds, by their cross-fitted loss.

    Of probabilities the candidates are the best model, `mean`, `weighted`, `tempered`, `log_pool`
    and `stacking` (from 100 rows on); of values the best model, `mean`, `weighted` and `stacking`.
    Each is fitted without each fold in turn and judged on it. A candidate weighs exp(-n (its loss -
    the least loss) / 2), n the effective number of rows; in regression the difference is in units
    of the least loss. Below 5 rows a model, equal weights start ahead by a factor exp(5 m / n - 1),
    m the number of models; below 20 rows nothing is fitted. So the best leads where rows can tell,
    and near-ties are averaged, the best single model among them. Models that give labels alone are
    voted on. All of it is part of the fit: `fuse` repeats it without each fold.

    At most 400,000 outputs of members are read: of a longer table evenly spread rows.

    Source: Yang (2004), Bernoulli 10:25-47 (aggregation by exponential weights); Wolpert (1992),
    Neural Networks 5:241-259.
    """

    name = "auto"
    fitted = Averaged

    def evidence(self, table: Predictions, fold: Array | None = None) -> AutoEvidence:
        """Rows of the `table`, with each row's `fold` to judge candidates by."""
        fold = assign_folds(table)[0] if fold is None else fold
        size = max(len(table.models) * max(table.schema.k, 1), 1)
        step = -(-table.n * size // MOST_VALUES)
        place = np.arange(0, table.n, max(step, 1))
        sample = table if step <= 1 else table.take(place)
        return AutoEvidence(sample, fold[place], place, table.n, int((fold >= 0).sum()))

    def solve(self, evidence: AutoEvidence, *, seed: int = 0) -> Fitted:
        """The mean of the candidates fitted to the `evidence` with `seed`, and a note on it."""
        table, fold = evidence.table, evidence.fold
        folds = sorted(set(fold.tolist()) - {-1})
        kind = common_kind(table)
        inside = fold >= 0
        few = int(inside.sum()) < self.least_rows
        if kind == "label" or len(folds) < 2 or few:
            mean = FUSIONS["mean"]()
            return mean.solve(mean.evidence(table, fold), seed=seed)
        losses = {
            text: _cross_fit_loss(evidence, text, folds, seed)
            for text in (evidence.origin or evidence).evidences
        }
        n = _count_rows(table, inside)
        prior = max(ROWS_A_MODEL * len(table.models) / max(n, 1.0) - 1, 0.0)
        shares = _weigh(losses, n, kind == "value", prior)
        parts = {text: evidence.fit(text, inside, seed) for text in shares}
        named = sorted(shares, key=lambda text: -shares[text])
        note = "Averaged by cross-fitted loss: " + ", ".join(
            f"{text} {shares[text]:.2f}" for text in named
        )
        notes = [f"{note}."]
        if prior:
            notes.append(
                f"Drawn toward equal weights: {n:.0f} rows are few for {len(table.models)} models."
            )
        if evidence.size > len(table.truth):
            notes.append(f"Fitted on {len(fold)} of {evidence.size} rows, evenly spread.")
        return Averaged(
            how=str(self),
            kind=kind,
            schema=table.schema,
            notes=tuple(notes),
            gap=max(part.gap for part in parts.values()),
            parts=tuple(parts.values()),
            shares=tuple(shares.values()),
        )


def _list_candidates(table: Predictions) -> Sequence[str]:
    """Texts of the fusions that are tried on such a table."""
    candidates = VALUES if table.task == "regression" else PROBABILITIES
    few = len(table.models) * max(table.schema.k, 1) <= MOST_INPUTS
    return [text for text in candidates if few or text != "stacking"]


def _cross_fit_loss(evidence: AutoEvidence, text: str, folds: Sequence[int], seed: int) -> float:
    """Mean loss of the candidate `text`, each fold by the fit without it."""
    table, fold = evidence.table, evidence.fold
    total = weight = 0.0
    for left_out in folds:
        fitted = evidence.fit(text, (fold >= 0) & (fold != left_out), seed)
        rows = table.take(fold == left_out)
        name = find_free_name("fused", rows.models)
        judged = rows.append(name, **fitted.apply(rows)).select([name])
        loss = measure_losses(judged, fitted.kind).mean[name]
        size = float(rows.n if rows.weight is None else rows.weight.sum())
        total += size * loss if size else 0.0
        weight += size
    return total / max(weight, 1e-300)


def _count_rows(table: Predictions, inside: Array) -> float:
    """Effective number of the rows `inside` (Kish), of clusters where they are declared."""
    if "cluster" in table.columns:
        return float(len(table.columns["cluster"].unique()))
    if table.weight is None:
        return float(inside.sum())
    weight = table.weight[inside]
    return float(weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300))


def _weigh(
    losses: Mapping[str, float], n: float, relative: bool, prior: float = 0.0
) -> dict[str, float]:
    """Share of each candidate by its loss on `n` rows, those of next to nothing left out.

    Equal weights have a start of `prior`, in logarithms of shares.
    """
    values = np.array(list(losses.values()))
    least = float(values.min())
    scale = least if relative and least > 0 else 1.0
    start = np.array([prior if text == "mean" else 0.0 for text in losses])
    logs = start - n * (values - least) / (2 * scale)
    shares = np.exp(logs - logs.max())
    if relative and least <= 0:
        shares = (values == least).astype(float)
    shares = np.where(shares / shares.sum() < LEAST_SHARE, 0, shares)
    shares /= shares.sum()
    return {text: float(share) for text, share in zip(losses, shares, strict=True) if share > 0}
