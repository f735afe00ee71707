"""Prose: a report in plain words - the verdict, which advice counts most, and what to do next.

>>> from assay.advice.base import Advice
>>> [a.code for a in important([Advice("A003", "", "", ""), Advice("A005", "", "", "")])]
['A005', 'A003']
"""

from collections.abc import Iterable, Iterator, Sequence

from assay.advice.base import Advice
from assay.comparison.compare import Comparison
from assay.core.text import format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.fusions.fuse import Fused
from assay.reporting.content import Findings

__all__ = ["important", "next_steps", "verdict_on"]

# What invalidates every figure comes first, what is only good to know last; unknown codes stand between.
ORDER = ("A005", "A002", "A001", "A004")
LEAST = ("A003",)
MOST_NAMED = 5
SOUND = ("good_fit", "inconclusive")


def important(advice: Iterable[Advice]) -> tuple[Advice, ...]:
    """Advice, the most important first."""

    def place(one: Advice) -> int:
        return ORDER.index(one.code) if one.code in ORDER else len(ORDER) + (one.code in LEAST)

    return tuple(sorted(advice, key=place))


def verdict_on(findings: Findings) -> tuple[str, ...]:
    """Who is best; whether that beats the baseline; what held-out rows, fusion and training curves say."""
    said = [_best(findings), _against_baseline(findings), _on_held_rows(findings)]
    said += [_fusion(findings.fused)] if findings.fused is not None else []
    said += (
        [f"{run.summary}." for run in findings.diagnosis.runs]
        if findings.diagnosis is not None
        else []
    )
    return tuple(sentence for sentence in said if sentence)


def _best(findings: Findings) -> str:
    if findings.comparison is not None:
        return _short(findings.comparison) or findings.comparison.verdict
    return f"No best model can be named: {'; '.join(findings.notes)}."


def _short(comparison: Comparison) -> str:
    """The verdict where it would name too many models to be read."""
    others = len(comparison.tied) - 1
    if others <= MOST_NAMED:
        return ""
    value = format_number(comparison.values[comparison.best])
    return (
        f"{comparison.best} has the best {comparison.metric} ({value}), but on these {comparison.n:,} rows it cannot "
        f"be told apart from {others} others."
    )


def _against_baseline(findings: Findings) -> str:
    if findings.against is None or findings.comparison is None:
        return ""
    best, value = (
        findings.comparison.best,
        format_number(findings.evaluation.get(findings.baseline or "", findings.metric).value),
    )
    what = {
        "regression": "always says the mean",
        "multilabel": "always says the majority of each label",
    }
    told = f"the baseline, which {what.get(findings.predictions.task, 'always says the most frequent class')}"
    if findings.against.tied == (best,):
        return f"It beats {told} ({value})."
    return f"It does not clearly beat {told} ({value}): nothing useful may have been learned."


def _on_held_rows(findings: Findings) -> str:
    if findings.held is None or findings.held.comparison is None:
        return ""
    test, metric = findings.held.comparison, findings.metric
    chosen = findings.comparison.best if findings.comparison is not None else test.best
    rows, best = (
        f"On {test.n:,} held-out rows",
        f"{test.best} ({metric} {format_number(test.values[test.best])})",
    )
    if chosen not in test.values:
        return f"{rows} {best} is best; {chosen} is not there."
    own = f"{chosen} ({metric} {format_number(test.values[chosen])})"
    if chosen == test.best:
        others = [name for name in test.tied if name != chosen]
        return f"{rows} {own} is best again{f', tied with {_few(others)}' if others else ''}."
    if chosen in test.tied:
        return f"{rows} {own} cannot be told apart from the best there, {best}."
    return f"{rows} {best} is significantly better than {own}."


def _fusion(fused: Fused) -> str:
    what, best = fused.loss_name, fused.best
    figures = f"cross-fitted {what} {format_number(fused.loss)} against {format_number(fused.losses[best])} of {best}"
    if fused.pays is None:
        return f"There are too few rows to say whether fusing pays ({figures})."
    return f"Fusing {'pays' if fused.pays else 'does not clearly pay'} ({figures})."


def next_steps(findings: Findings) -> tuple[str, ...]:
    """What to do now, the most useful first; three at most."""
    return tuple(_steps(findings))[:3]


def _steps(findings: Findings) -> Iterator[str]:
    if any(a.code == "A005" for a in findings.evaluation.advice):
        yield "Report the rows of the test split alone: these figures hold training rows."
    comparison = findings.comparison
    if (
        comparison is not None
        and findings.against is not None
        and findings.against.tied != (comparison.best,)
    ):
        yield "Check labels and features before choosing: no model clearly beats the baseline."
    if comparison is not None and len(comparison.tied) > 1:
        rows = (
            f", or collect about {comparison.rows_to_decide:,} rows to settle it"
            if comparison.rows_to_decide
            else ""
        )
        yield f"Choose among {_few(comparison.tied)} by cost, speed or simplicity{rows}."
    if (
        findings.fused is not None
        and findings.fused.pays
        and (comparison is None or findings.fused.name in comparison.tied)
    ):
        yield f"Where probabilities count, use {findings.fused.name}: its weights are in .fused.fitted."
    for run in findings.diagnosis.runs if findings.diagnosis is not None else ():
        if run.status not in SOUND and run.remedies:
            yield _remedy(run)
    if comparison is not None and len(comparison.tied) == 1:
        yield f"Use {comparison.best}."
    if findings.held is None:
        yield "Confirm the choice on rows that nothing was chosen on: report(..., test=...)."


def _remedy(run: RunDiagnosis) -> str:
    return f"{run.name} ({run.status.replace('_', ' ')}): {run.remedies[0]}."


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    )
