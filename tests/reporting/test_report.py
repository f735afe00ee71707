"""Report: the page needs no network and no script, says what results say, escapes all names."""

import html
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.comparison.compare import compare
from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.training_log import TrainingLog
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.fusions.fuse import fuse
from assay.io.read_write import write
from assay.readers.history import History
from assay.reporting.report import Report, report
from assay.table.predictions import Predictions
from assay.table.schema import TASKS
from assay.testing import random_table

TRAIN = [1.2, 0.9, 0.7, 0.55, 0.45, 0.35, 0.3, 0.24, 0.2, 0.16, 0.13, 0.1]
VAL = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
BAD = "<script>alert('x')</script>"


def softmax(n: int, k: int, y: Any, sharp: float, seed: int) -> Any:
    z = np.random.default_rng(seed).normal(size=(n, k))
    z[np.arange(n), y] += sharp
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def table(n: int = 400, k: int = 3, models: int = 3, **more: Any) -> Predictions:
    """Models of growing skill on the same rows."""
    y = np.random.default_rng(0).integers(0, k, n)
    given = {f"m{i}.proba": softmax(n, k, y, 1.5 + 0.4 * i, i + 1) for i in range(models)}
    return Predictions.from_arrays(
        [f"c{c}" for c in y], given, classes=[f"c{c}" for c in range(k)], **more
    )


def history(name: str = "net") -> History:
    return History.from_lists(
        train_loss=TRAIN,
        val_loss=VAL,
        val_accuracy=[1 - v / 2 for v in VAL],
        name=name,
        n_classes=10,
    )


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page; unbalanced tags fail."""

    VOID = frozenset({"meta", "br", "wbr", "link", "hr", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def full() -> Report:
    p = table(800)
    fused = fuse(p.slice(0, 400), "weighted")
    test = p.slice(400, 800)
    test = test.append(fused.name, **fused.fitted.apply(test))
    return report(
        fused.predictions, histories=[history()], fused=fused, test=test, title="Cats & dogs"
    )


@pytest.fixture(scope="module")
def text(full: Report) -> str:
    return full.to_html()


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_has_every_section_that_applies(page: Page):
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    expected = [
        "leaderboard",
        "advice",
        "comparison",
        "held-out",
        "fusion",
        "errors",
        "thresholds",
        "reliability",
        "training",
        "methods",
    ]
    assert ids == expected


def test_the_page_refers_to_nothing_outside_itself(text: str, page: Page):
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_the_page_needs_no_script(page: Page):
    assert page.count("script") == 0
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_every_chart_has_a_title_a_description_and_a_table(page: Page):
    figures = page.count("figure")
    assert figures > 8
    assert page.count("svg") == page.count("details") == page.count("desc") == figures
    labelled = [attributes["aria-labelledby"] for tag, attributes in page.tags if tag == "svg"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(name in ids for names in labelled for name in names.split())


def test_verdict_advice_and_remedies_are_on_the_page(full: Report, page: Page):
    said = [
        *full.conclusions,
        *full.next,
        *full.diagnosis.runs[0].remedies,
        *full.comparison.notes,
        full.fused.note,
    ]
    assert all(" ".join(sentence.split()) in page.text for sentence in said)


def test_the_page_says_how_the_numbers_were_made(page: Page):
    for word in ("seed 0", assay.__version__, "95% confidence", "Wilson", "bootstrap", "400 rows"):
        assert word in page.text


def test_saving_writes_the_page_whole_and_the_same_table_and_seed_give_the_same(tmp_path: Path):
    p = table(60, models=2)
    path = report(p).save(tmp_path / "deep" / "report.html")
    assert path.read_text() == report(p).to_html()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_report_reads_a_file(tmp_path: Path):
    p = table(60)
    write(p, tmp_path / "p.parquet")
    assert report(tmp_path / "p.parquet").to_json() == report(p).to_json()


def test_the_tied_set_is_that_of_the_comparison(full: Report, page: Page):
    assert full.tied_models == full.comparison.tied == compare(full.predictions).tied
    marked = sum(tag == "tr" and attributes.get("class") == "tied" for tag, attributes in page.tags)
    assert marked == len(full.comparison.tied) + len(full.held_out.comparison.tied)


def test_the_baseline_is_the_last_row_and_marked(full: Report, text: str):
    assert full.ranking[-1].model == full.baseline == "baseline"
    assert (
        '<tr class="baseline"><th scope="row">baseline <span class="badge">baseline</span>' in text
    )


def test_a_model_named_baseline_keeps_its_name():
    p = table(90, models=1).append("baseline", label=["c0"] * 90)
    assert report(p).baseline == "baseline_2"


def test_the_baseline_is_no_model_of_the_comparison_and_gives_no_advice(full: Report):
    assert "baseline" not in full.comparison.values
    assert not any("baseline" in advice.title for advice in full.advice)


def test_a_best_model_no_better_than_the_baseline_is_called_that():
    y = np.array(["a"] * 60 + ["b"] * 40)
    p = Predictions.from_arrays(y, {"guess": np.random.default_rng(0).permutation(y)})
    made = report(p, metric="accuracy")
    assert "does not clearly beat the baseline" in made.conclusions[1]
    assert "Check labels and features" in made.next[0]


def test_the_json_is_strict_and_holds_the_rows_of_the_evaluation(full: Report):
    def refuse(token: str) -> None:
        raise AssertionError(token)

    held = json.loads(full.to_json(), parse_constant=refuse)
    assert held["schema"] == "assay.report/1"
    rows = held["evaluation"]["rows"]
    alone = json.loads(evaluate(full.predictions, full.evaluation.metrics).to_json())["rows"]
    assert [row for row in rows if row["model"] != full.baseline] == alone
    assert len(rows) == len(full.evaluation.rows)
    names = ("evaluation", "comparison", "against_baseline", "diagnosis", "fusion")
    schemas = [held[part]["schema"].split("/")[0] for part in names]
    assert schemas == [
        f"assay.{kind}"
        for kind in ("evaluation", "comparison", "comparison", "diagnosis", "fusion")
    ]
    assert held["comparison"]["tied"] == list(full.tied_models)
    assert held["test"]["comparison"]["schema"] == "assay.comparison/1"


def test_the_summary_puts_the_verdict_before_the_leaderboard(full: Report):
    text = full.summary()
    assert repr(full) == text
    assert text.index(full.conclusions[0]) < text.index("model ") < text.index("Next\n")
    assert "\x1b" not in text
    best = full.ranking[0]
    line = next(line for line in text.splitlines() if line.startswith("*"))
    assert best.model in line
    assert f"{best.low:.4f}" in line


def test_the_summary_gives_at_most_two_pieces_of_advice_the_gravest_first():
    y = ["a"] * 190 + ["b"] * 10
    p = Predictions.from_arrays(y, {"lazy": ["a"] * 200}, split=["train"] * 100 + ["test"] * 100)
    made = report(p, where='split in ("train", "test")')
    assert [a.code for a in made.advice][:2] == ["A005", "A002"]
    assert len(made.advice) > 2
    assert made.summary().count("Training rows are being evaluated.") == 1
    assert "Classes are imbalanced" not in made.summary()


def judge(first: list[float], held_out: list[float]) -> Report:
    """Models that are right on these shares of 400 rows, and of as many held-out rows."""
    y = np.tile([0, 1], 200)

    def make(shares: list[float]) -> Predictions:
        order = np.random.default_rng(1).permutation(400)
        wrong = [order >= round(400 * share) for share in shares]
        given = {f"m{i}": np.where(mask, 1 - y, y) for i, mask in enumerate(wrong)}
        return Predictions.from_arrays(y, given)

    return report(make(first), test=make(held_out), metrics="accuracy")


def test_no_step_names_a_model_that_the_held_out_rows_rule_out():
    some = judge([0.9, 0.9, 0.9], [0.9, 0.9, 0.6])
    assert some.next[0].startswith("Choose among m0, m1 by cost")
    one = judge([0.9, 0.9, 0.5], [0.9, 0.6, 0.5])
    assert one.next[0] == (
        "Use m0, which alone of the tied models the held-out rows do not rule out."
    )
    none = judge([0.9, 0.6, 0.5], [0.6, 0.9, 0.9])
    assert none.next[0].startswith("Choose among m1, m2, which the held-out rows favour")
    assert not any("m0" in step for step in none.next)
    other = judge([0.9, 0.6], [0.6, 0.9])
    assert other.next[0].startswith("Prefer m1, which the held-out rows favour")


def test_the_best_model_is_to_be_used_where_held_out_rows_agree():
    assert judge([0.9, 0.6], [0.9, 0.6]).next[0] == "Use m0."


def test_a_held_out_table_is_reported_apart(full: Report):
    assert full.held_out.evaluation.n == 400
    assert any("On 400 held-out rows" in sentence for sentence in full.conclusions)
    assert not any("Confirm the choice" in step for step in full.next)


def test_models_to_rank_by_an_undefined_metric_are_shown_with_a_dash_and_the_reason():
    p = Predictions.from_arrays(
        ["a"] * 30, {"m": np.tile([0.7, 0.3], (30, 1))}, classes=["a", "b"], positive="b"
    )
    made = report(p, metric="roc_auc")
    assert made.comparison is None
    assert "roc_auc is undefined for every model" in made.conclusions[0]
    assert '<td class="n">–<small>single class</small></td>' in made.to_html()
    assert "-  (single_class)" in made.summary().replace("single class", "single_class")


def test_an_undefined_value_is_null_in_the_json():
    p = Predictions.from_arrays(
        ["a"] * 30, {"m": np.tile([0.7, 0.3], (30, 1))}, classes=["a", "b"], positive="b"
    )
    rows = json.loads(report(p, metrics=["accuracy", "roc_auc"]).to_json())["evaluation"]["rows"]
    row = next(row for row in rows if (row["model"], row["metric"]) == ("m", "roc_auc"))
    assert (row["value"], row["note"]) == (None, "single_class")


def test_a_metric_that_one_model_cannot_serve_leaves_that_model_out_of_the_comparison():
    p = table(60, models=2).append("plain", label=["c0"] * 60)
    made = report(p, metric="log_loss")
    assert set(made.comparison.values) == {"m0", "m1"}
    assert "plain is left out of the comparison: its log_loss is undefined" in made.to_html()


def test_hostile_names_are_escaped_everywhere():
    y = [BAD, "& \"'>"] * 40
    models = {BAD: y, '"onload="x': [BAD] * 80, "{{7*7}}": np.tile([0.5, 0.5], (80, 1))}
    p = Predictions.from_arrays(y, models, classes=[BAD, "& \"'>"], positive=BAD)
    made = report(p, title=BAD, histories=[history(BAD)])
    text = made.to_html()
    assert "<script" not in text.lower()
    assert html.escape(BAD, quote=False) in text.replace("&#39;", "'")
    page = Page(text)
    assert "{{7*7}}" in page.text
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert page.count("script") == 0
    json.loads(made.to_json())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [1, 40, pytest.param(300, marks=pytest.mark.slow)])
def test_every_task_and_size_has_a_report(task: str, n: int):
    made = report(random_table(task, 5, n=n))
    Page(made.to_html())
    assert made.summary()
    assert json.loads(made.to_json())["evaluation"]["task"] == task


def test_models_that_give_labels_only_have_no_curves():
    y = ["a", "b", "c"] * 30
    ids = [
        attributes.get("id")
        for tag, attributes in Page(report(Predictions.from_arrays(y, {"m": y})).to_html()).tags
    ]
    assert "errors" in ids
    assert "thresholds" not in ids
    assert "reliability" not in ids


def test_regression_shows_residuals_and_no_confusion():
    ids = [
        a.get("id") for _, a in Page(report(random_table("regression", 1, n=200)).to_html()).tags
    ]
    assert "residuals" in ids
    assert "errors" not in ids


def test_one_model_is_reported_without_a_comparison_section():
    made = report(table(100, models=1))
    assert "is the only model" in made.conclusions[0]
    assert 'id="comparison"' not in made.to_html()


def test_thirty_models_are_named_in_the_table_and_not_in_the_verdict():
    y = np.random.default_rng(0).integers(0, 2, 120)
    said = np.where(np.arange(120) % 9 == 0, 1 - y, y)
    made = report(
        Predictions.from_arrays(y, {f"m{i:02}": said for i in range(30)}), metric="accuracy"
    )
    assert "not significantly different from 29 others" in made.conclusions[0]
    text = made.to_html()
    assert all(f"m{i:02}" in text for i in range(30))


@pytest.mark.slow
def test_ten_models_of_ten_classes_stay_under_a_megabyte():
    assert len(report(table(1000, k=10, models=10)).to_html()) < 1_000_000


def test_a_usual_report_stays_under_300_kilobytes(text: str):
    assert len(text) < 300_000
    assert len(report(table(400, k=10, models=4), histories=[history()]).to_html()) < 300_000


@pytest.mark.slow
def test_a_hundred_classes_stay_under_300_kilobytes():
    assert len(report(table(2000, k=100, models=2)).to_html()) < 300_000


def test_the_page_does_not_grow_with_the_number_of_rows():
    small, large = (len(report(table(n, k=3, models=2)).to_html()) for n in (1_000, 20_000))
    assert large < 1.3 * small


def test_training_curves_are_optional_and_may_be_a_diagnosis():
    p = table(60, models=1)
    assert report(p).diagnosis is None
    diagnosis = diagnose(history())
    assert report(p, histories=diagnosis).diagnosis is diagnosis
    assert report(p, histories=history()).diagnosis.runs[0].status == "overfit"


def test_a_log_may_be_given_as_a_path(tmp_path: Path):
    log = tmp_path / "log.csv"
    lines = [f"{i},{t},{v}" for i, (t, v) in enumerate(zip(TRAIN, VAL, strict=True), start=1)]
    log.write_text("\n".join(["epoch,loss,val_loss", *lines]) + "\n")
    for given in (str(log), [log], [str(log)]):
        assert report(table(60, models=1), histories=given).diagnosis.runs[0].status == "overfit"


def test_the_metric_to_rank_by_comes_first_and_need_not_be_named_twice():
    made = report(table(100), metrics=["accuracy", "log_loss"], metric="balanced_accuracy")
    assert made.evaluation.metrics == ["balanced_accuracy", "accuracy", "log_loss"]
    assert report(table(100), metrics=["log_loss", "accuracy"]).metric == "log_loss"
    assert report(table(100), metrics="f1(average=none)").metric == "f1"


def test_a_metric_of_one_value_a_class_cannot_rank():
    with pytest.raises(UnsupportedError, match="rank by one value"):
        report(table(100), metric="f1(average=none)")


def test_the_chart_of_a_report_is_the_leaderboard(full: Report):
    assert full.chart().to_dict()["title"]["text"] == "Leaderboard by f1"


def test_tidy_rows_are_those_of_the_evaluation(full: Report):
    assert full.rows == full.evaluation.rows
    assert full.to_arrow().num_rows == len(full.rows)
    assert math.isclose(full.rows[0].value, full.evaluation.rows[0].value)


def test_validation_rows_of_the_table_are_those_of_a_history_that_does_not_know_its_own(tmp_path):
    p = table(60, models=1, split=["Validation"] * 40 + ["test"] * 20)
    path = tmp_path / "log.csv"
    rows = zip(TRAIN, VAL, strict=True)
    path.write_text("train_loss,val_loss\n" + "\n".join(f"{a},{b}" for a, b in rows))
    for given, n_val in ((path, 40), (replace(history(), n_val=700), 700)):
        assert report(p, histories=given).diagnosis.runs[0].history.n_val == n_val
    assert report(table(60, models=1), histories=path).diagnosis.runs[0].history.n_val is None


def test_number_of_classes_that_a_log_knows_goes_before_that_of_the_table(tmp_path):
    log = TrainingLog(tmp_path / "run.jsonl", n_classes=10, progress=False)
    for train, val in zip(TRAIN, VAL, strict=True):
        log.add(train_loss=train, val_loss=val)
    run = report(table(60, k=3, models=1), histories=tmp_path / "run.jsonl").diagnosis.runs[0]
    assert run.history.n_classes == 10


def test_number_of_classes_of_the_table_is_the_baseline_of_the_histories():
    untold = replace(history(), n_classes=None)
    for given, classes in ((untold, 3), (history(), 10)):
        run = report(table(60, k=3, models=1), histories=given).diagnosis.runs[0]
        assert run.evidence["baseline_from"] == "n_classes"
        assert run.evidence["baseline"] == pytest.approx(math.log(classes))
