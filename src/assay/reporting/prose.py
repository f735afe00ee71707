"""Prose: a report in plain words - the conclusions, which advice counts most, and what to do next.

>>> from assay.advice.base import Advice
>>> [a.code for a in rank_advice([Advice("A003", "", "", ""), Advice("A005", "", "", "")])]
['A005', 'A003']
"""

from collections.abc import Iterable, Iterator, Sequence

from assay.advice.base import Advice
from assay.comparison.compare import Comparison
from assay.core.text import format_about, format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.fusions.fuse import Fused
from assay.reporting.content import Content

__all__ = ["MOST_RUNS", "draw_conclusions", "list_steps", "rank_advice"]

# What invalidates every value comes first, what is only good to know last; other codes between.
FIRST = ("A005", "A002", "A001", "A004")
LAST = ("A003",)
MOST_NAMED = 5
MOST_STEPS = 3
MOST_RUNS = 12  # training runs that are told of one by one
SOUND = ("good_fit", "inconclusive")  # runs that need no remedy

# What the baseline always says, by task, or where the truth holds grades of relevance.
BASELINES = {
    "graded": "ranks by the mean grade of each label",
    "regression": "always says the mean",
    "multilabel": "always says the majority of each label",
    "multioutput": "always says the mean of each output",
    "text": "always writes the most frequent text",
    "detection": "finds no box",
}


def rank_advice(advice: Iterable[Advice]) -> tuple[Advice, ...]:
    """`advice`, the most important first."""

    def place(one: Advice) -> int:
        return FIRST.index(one.code) if one.code in FIRST else len(FIRST) + (one.code in LAST)

    return tuple(sorted(advice, key=place))


def draw_conclusions(content: Content) -> tuple[str, ...]:
    """What `content` shows, a sentence each: best, baseline, held-out rows, fusion, training."""
    sentences = [
        _name_best(content),
        _set_against_baseline(content),
        _describe_held_out(content),
        _describe_fusion(content.fused),
        *(f"{run.summary}." for run in _runs(content)),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def list_steps(content: Content) -> tuple[str, ...]:
    """What to do now with `content`, the most useful first; three at most."""
    makers = (
        _leave_out_training_rows,
        _check_for_signal,
        _drop_what_held_out_rows_rule_out,
        _choose_among_tied,
        _use_fusion,
        _remedy_runs,
        _use_best,
        _confirm_choice,
    )
    return tuple(step for make in makers for step in make(content))[:MOST_STEPS]


def _runs(content: Content) -> Sequence[RunDiagnosis]:
    """The training runs that are told of, the best of very many."""
    return () if content.diagnosis is None else content.diagnosis.list_best(MOST_RUNS)


def _name_best(content: Content) -> str:
    comparison = content.comparison
    if comparison is None:
        return f"No best model can be named: {'; '.join(content.notes)}."
    others = len(comparison.tied) - 1
    if others <= MOST_NAMED:
        return comparison.verdict
    # The verdict would name too many models to be read.
    value = format_number(comparison.values[comparison.best])
    return (
        f"{comparison.best} has the best {comparison.metric} ({value}), but on these "
        f"{comparison.n:,} rows it is not significantly different from {others} others."
    )


def _set_against_baseline(content: Content) -> str:
    if content.against_baseline is None or content.comparison is None:
        return ""
    row = content.evaluation.get(content.baseline or "", content.metric)
    schema = content.predictions.schema
    kind = "graded" if schema.graded else schema.task
    says = BASELINES.get(kind, "always says the most frequent class")
    baseline = f"the baseline, which {says} ({format_number(row.value)})"
    if _beats_baseline(content):
        return f"It beats {baseline}."
    return f"It does not clearly beat {baseline}: nothing useful may have been learned."


def _beats_baseline(content: Content) -> bool:
    best = content.comparison.best if content.comparison is not None else None
    return content.against_baseline is None or content.against_baseline.tied == (best,)


def _describe_held_out(content: Content) -> str:
    if content.held_out is None or content.held_out.comparison is None:
        return ""
    test = content.held_out.comparison
    choice = content.comparison.best if content.comparison is not None else test.best
    rows = f"On {test.n:,} held-out rows"
    best = _name_with_value(test, test.best)
    if choice not in test.values:
        return f"{rows} {best} is best; {choice} is not there."
    chosen = _name_with_value(test, choice)
    if choice == test.best:
        others = [name for name in test.tied if name != choice]
        tied = f", tied with {_name_few(others)}" if others else ""
        return f"{rows} {chosen} is best again{tied}."
    if choice in test.tied:
        return f"{rows} {chosen} is not significantly different from the best there, {best}."
    return f"{rows} {best} is significantly better than {chosen}."


def _name_with_value(comparison: Comparison, model: str) -> str:
    return f"{model} ({comparison.metric} {format_number(comparison.values[model])})"


def _describe_fusion(fused: Fused | None) -> str:
    if fused is None:
        return ""
    loss = f"cross-fitted {fused.loss_name} {format_number(fused.loss)}"
    losses = f"{loss} against {format_number(fused.single_loss)} of the best single model"
    if fused.answer is None:
        return f"There are too few rows to say whether fusing pays ({losses})."
    keep = f", keep {fused.best}" if fused.answer == "worse" else ""
    return f"Fusing {fused.effect}{keep} ({losses})."


def _leave_out_training_rows(content: Content) -> Iterator[str]:
    if any(advice.code == "A005" for advice in content.evaluation.advice):
        yield "Report the rows of the test split alone: these values hold training rows."


def _check_for_signal(content: Content) -> Iterator[str]:
    if content.comparison is not None and not _beats_baseline(content):
        yield "Check labels and features before choosing: no model clearly beats the baseline."


def _drop_what_held_out_rows_rule_out(content: Content) -> Iterator[str]:
    """A step where the held-out rows leave none of the models that the first rows found best."""
    test = None if content.held_out is None else content.held_out.comparison
    comparison = content.comparison
    if test is None or comparison is None or _keep_possible(content, comparison.tied):
        return
    others = [name for name in test.tied if name in comparison.values]
    if not others:
        yield "Confirm on further rows before choosing: the held-out rows favour other models."
        return
    choice = f"Choose among {_name_few(others)}" if len(others) > 1 else f"Prefer {others[0]}"
    yield (
        f"{choice}, which the held-out rows favour, and confirm that on further rows: the two sets "
        "of rows disagree."
    )


def _keep_possible(content: Content, names: Iterable[str]) -> list[str]:
    """Those of the models that the held-out rows, if any, do not rule out."""
    test = None if content.held_out is None else content.held_out.comparison
    if test is None:
        return list(names)
    return [name for name in names if name in test.tied or name not in test.values]


def _choose_among_tied(content: Content) -> Iterator[str]:
    comparison = content.comparison
    if comparison is None or len(comparison.tied) < 2:
        return
    names = _keep_possible(content, comparison.tied)
    if len(names) == 1:
        yield f"Use {names[0]}, which alone of the tied models the held-out rows do not rule out."
    if len(names) < 2:
        return
    rows = comparison.rows_to_decide
    more = f", or collect about {format_about(rows)} rows to settle it" if rows else ""
    yield f"Choose among {_name_few(names)} by cost, speed or simplicity{more}."


def _use_fusion(content: Content) -> Iterator[str]:
    fused = content.fused
    if (
        fused is None
        or fused.answer in (None, "worse")
        or not fused.beats_baseline
        or not _keep_possible(content, [fused.name])
    ):
        return
    if content.comparison is None or fused.name in content.comparison.tied:
        yield f"Where probabilities count, use {fused.name}: it is fitted in .fused.fitted."


def _remedy_runs(content: Content) -> Iterator[str]:
    for run in _runs(content):
        if run.status not in SOUND and run.remedies:
            yield f"{run.name} ({run.status.replace('_', ' ')}): {run.remedies[0]}."


def _use_best(content: Content) -> Iterator[str]:
    comparison = content.comparison
    if comparison is None or len(comparison.tied) > 1:
        return
    if _keep_possible(content, [comparison.best]):
        yield f"Use {comparison.best}."


def _confirm_choice(content: Content) -> Iterator[str]:
    if content.held_out is None:
        yield "Confirm the choice on rows that nothing was chosen on: report(..., test=...)."


def _name_few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
