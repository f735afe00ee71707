"""What every result can do, shown on one of each kind."""

import html
import json
import re
from functools import cache

import numpy as np
import pytest

import assay
from assay.core.result import CHARTS, Result, to_plain, to_record
from assay.core.text import TextTable
from assay.errors import UnsupportedError

LOG = "tests/histories/keras_csvlogger_fashion_mlp_30ep_overfit.csv"
GOOD, POOR = "good<i>", "poor|"  # names that must be escaped

# The JSON of every kind of result, a contract: its keys, and those of its first row.
KEYS = {
    "evaluation": "task classes positive n confidence by rows advice notes",
    "comparison": "metric best tied rows_to_decide pairs values n confidence notes unit correction"
    " equivalence left_out selected",
    "datasets": "metric better best tied ranks friedman critical_difference pairs scores"
    " rope confidence notes",
    "selection_bias": "metric best naive value low high chosen replicates confidence notes",
    "bayesian_fold_test": "metric rows equivalence confidence notes",
    "five_by_two_f_test": "metric a b difference f p confidence notes",
    "fairness": "by groups reference positive rows gaps criteria n confidence notes",
    "slices": "metric rows tested closest overall columns depth min_rows n method confidence notes",
    "hardest_rows": "rows by_model loss n shared notes",
    "importance": "metric rows values differences n repeats confidence notes",
    "membership": "rows split member n confidence notes",
    "threshold": "model metric positive threshold value low high before gain gain_low gain_high"
    " of_folds closed_form closed_form_value method n points notes",
    "fusion": "name how best pays answer probability single_loss difference low high note fitted "
    "rows explanation baseline_loss beats_baseline weight_intervals",
    "fusion_explanation": "game baseline baseline_loss loss loss_name rows pairs oracle ambiguities"
    " frontier enough notes",
    "soup": "how better score best improves parameters barriers notes rows",
    "deep_fusion": "join metric loss best ignored_branches best_epoch epochs n notes rows",
    "distillation": "metric loss temperature hard best_epoch epochs n notes rows",
    "diagnosis": "runs",
    "report": "title metric baseline verdict next confidence seed evaluation comparison"
    " against_baseline diagnosis fusion training test notes",
    "timings": "rows",
    "race": "metric best survivors fits fits_saved confidence notes rows",
    "halving": "metric best work full saved notes rows",
    "frugal": "metric best chosen cost_name method rows notes",
    "learning_curve": "metric worth confidence outlook rows",
    "study": "title file output fused notes report timings",
}
WITHOUT_CHART = ("hardest_rows", "soup", "deep_fusion", "distillation")
# Kinds that need models to fit.
OF_FITS = {"timings", "race", "halving", "frugal", "learning_curve", "study", "bayesian_fold_test"}
OF_FITS |= {"five_by_two_f_test", "importance"}
ROWS = {
    "evaluation": ("rows", "model metric class group value low high n method note"),
    "comparison": ("pairs", "a b difference low high p p_adjusted method verdict low_adjusted"
                   " high_adjusted"),
    "hardest_rows": ("rows", "row id truth loss wrong predicted losses"),
    "importance": ("rows", "model part importance low high broken p p_adjusted"),
    "membership": ("rows", "model loss auc low high advantage held_out held_out_low held_out_high"
                   " members others loss_of_members loss_of_others reading"),
    "threshold": ("points", "threshold precision recall f1"),
    "fusion": ("rows", "model weight loss loss_name"),
    "fusion_explanation": ("rows", "model weight loss left_out left_out_low left_out_high shapley"
                           " low high sampling_error sentence"),
    "diagnosis": ("runs", "name status best_epoch good_range onset severity loss metrics evidence"
                  " remedies confidence"),
    "timings": ("rows", "model fold fit_seconds predict_seconds rows error"),
}  # fmt: skip


@cache
def table(*groups, **columns):
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    proba = {}
    for name, errors in ((GOOD, 0.05), (POOR, 0.3)):
        label = np.where(rng.random(240) < errors, 1 - y, y)
        noise = rng.normal(0, 0.08, 240)
        proba[f"{name}.proba"] = np.clip(np.where(label == 1, 0.8, 0.2) + noise, 0.01, 0.99)
    sex = np.where(np.arange(240) % 3 == 0, "f", "m")
    split = {"split": np.repeat(["train", "test"], 120)} if "split" in columns else {}
    return assay.Predictions.from_arrays(y, proba, groups={"sex": sex}, positive=1, **split)


@cache
def fits(folder):
    """Models, X, y and the table of their cross-validation, whose parts are kept in `folder`."""
    dummy = pytest.importorskip("sklearn.dummy")
    tree = pytest.importorskip("sklearn.tree")
    X = np.random.default_rng(1).normal(size=(300, 4))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    models = {
        GOOD: tree.DecisionTreeClassifier(max_depth=3, random_state=0),
        POOR: dummy.DummyClassifier(),
    }
    return models, X, y, assay.cross_validate(models, X, y, store=folder, progress=False)


def five_by_two():
    """The test of two models on five repeats of two folds."""
    naive_bayes = pytest.importorskip("sklearn.naive_bayes")
    selection = pytest.importorskip("sklearn.model_selection")
    models, X, y, _ = fits(None)
    cv = selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=5, random_state=0)
    both = {GOOD: models[GOOD], POOR: naive_bayes.GaussianNB()}
    table = assay.cross_validate(both, X, y, cv=cv, progress=False)
    return assay.five_by_two_f_test(table, "accuracy", GOOD, POOR)


def make_soup(folder):
    """The mean of two checkpoints, scored by their first weight."""
    torch = pytest.importorskip("torch")
    paths = [folder / f"{name}.pt" for name in (GOOD, POOR)]
    for value, path in enumerate(paths):
        torch.save({"w": torch.full((2,), float(value))}, path)
    return assay.soup(paths, "uniform", score=lambda state: float(state["w"][0]), barrier=True)


def fuse_two_networks():
    """Two branches that give the input, trained for an epoch."""
    torch = pytest.importorskip("torch")
    x = torch.arange(40.0)[:, None]
    rows = x, (x[:, 0] > 20).long()
    nets = {name: torch.nn.Identity() for name in ("left", "right")}
    return assay.fuse_networks(nets, n_classes=2).fit(rows, rows, epochs=1)


def distill_one():
    """A student of even probabilities, trained for an epoch."""
    torch = pytest.importorskip("torch")
    x = torch.arange(40.0)[:, None]
    rows = x, (x[:, 0] > 20).long()
    return assay.distill(torch.full((40, 2), 0.5), torch.nn.Linear(1, 2), *(rows, rows), epochs=1)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Makes the result of a kind, once."""
    folder = tmp_path_factory.mktemp("parts")

    @cache
    def make(kind):
        if kind in OF_FITS:
            return make_of_fits(kind)
        if kind == "datasets":
            scores = {f"set{i}": {GOOD: 0.8 + i / 100, POOR: 0.7 + i / 200} for i in range(12)}
            return assay.compare_datasets(scores, "accuracy")
        p = table()
        return {
            "evaluation": lambda: assay.evaluate(p, ["f1", "recall(average=none)"], by="sex"),
            "comparison": lambda: assay.compare(p, "accuracy", selected=True),
            "fairness": lambda: assay.fairness(p, "sex"),
            "selection_bias": lambda: assay.selection_bias(p, "accuracy"),
            "slices": lambda: assay.weak_slices(p, "accuracy"),
            "hardest_rows": lambda: assay.hardest_rows(p, most=3),
            "membership": lambda: assay.membership_inference(table(split=True)),
            "threshold": lambda: assay.tune_threshold(p, GOOD),
            "fusion": lambda: assay.fuse(p, "mean"),
            "fusion_explanation": lambda: assay.fuse(p, "mean", explain=True).explanation,
            "soup": lambda: make_soup(folder),
            "deep_fusion": fuse_two_networks,
            "distillation": distill_one,
            "diagnosis": lambda: assay.diagnose(LOG),
            "report": lambda: assay.report(p, histories=LOG, fused=make("fusion"), test=p),
        }[kind]()

    def make_of_fits(kind):
        models, X, y, p = fits(folder)
        took = assay.timings(folder)
        options = {"metric": "accuracy", "progress": False}
        return {
            "bayesian_fold_test": lambda: assay.bayesian_fold_test(p, "accuracy", 0.01),
            "five_by_two_f_test": lambda: five_by_two(),
            "timings": lambda: took,
            "race": lambda: assay.race(models, X, y, **options),
            "halving": lambda: assay.successive_halving(models, X, y, **options),
            "frugal": lambda: assay.one_standard_error(p, "accuracy", costs=took),
            "importance": lambda: assay.permutation_importance(
                {name: model.fit(X, y) for name, model in models.items()},
                X,
                y,
                "accuracy",
                progress=False,
            ),
            "learning_curve": lambda: assay.learning_curve(
                models, X, y, sizes=[60, 120], **options
            ),
            "study": lambda: assay.Study(
                "title", folder, folder, p, (make("fusion"),), make("report"), took
            ),
        }[kind]()

    return make


def subclasses(cls):
    return {sub for child in cls.__subclasses__() for sub in (child, *subclasses(child))}


def test_every_class_of_results_is_shown_here():
    for name in dir(assay):
        getattr(assay, name)
    own = {c for c in subclasses(Result) if c.__module__.startswith("assay.")}
    assert {c.schema_name for c in own} == {f"assay.{kind}/1" for kind in KEYS}


@pytest.mark.parametrize("kind", KEYS)
def test_the_keys_of_the_json_are_the_contract(kind, result):
    told = json.loads(result(kind).to_json())
    assert told.pop("schema") == f"assay.{kind}/1"
    assert list(told) == KEYS[kind].split()


@pytest.mark.parametrize("kind", ROWS)
def test_the_keys_of_a_row_of_the_json_are_the_contract(kind, result):
    key, names = ROWS[kind]
    assert list(json.loads(result(kind).to_json())[key][0]) == names.split()


@pytest.mark.parametrize("kind", KEYS)
def test_records_are_the_rows_and_go_to_arrow(kind, result):
    one = result(kind)
    assert len(one.records) == len(one.rows) == one.to_arrow().num_rows


@pytest.mark.parametrize("kind", KEYS)
def test_the_text_begins_with_the_answer(kind, result):
    one = result(kind)
    assert isinstance(one.verdict, str)
    assert one.verdict
    assert one.verdict.split("\n")[0].split(". ")[0] in repr(one)


@pytest.mark.parametrize("kind", KEYS)
def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_header(kind, result):
    one = result(kind)
    text = one.to_markdown()
    assert text.startswith(one.verdict)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [len(re.findall(r"(?<!\\)\|", line)) - 1 for line in lines]
    expected = [len(t.header) for t in one.tables for _ in range(len(t.rows) + 2)]
    assert cells == expected


@pytest.mark.parametrize("kind", KEYS)
def test_a_notebook_shows_a_table_in_which_names_are_escaped(kind, result):
    one = result(kind)
    page = one._repr_html_()
    assert "<i>" not in page
    assert page.count("<table>") == len(one.tables)
    for table in one.tables:
        for row in table.rows:
            assert all(html.escape(cell) in page for cell in row)


@pytest.mark.parametrize("kind", [kind for kind in KEYS if kind not in WITHOUT_CHART])
def test_a_result_finds_its_chart(kind, result):
    spec = result(kind).chart().to_dict()
    assert spec["title"]["text"]


def test_the_chart_of_another_result_is_refused(result):
    with pytest.raises(
        UnsupportedError, match="no chart 'race' draws a Comparison; its charts: diff"
    ):
        result("comparison").chart("race")


def test_a_chart_takes_its_own_options(result):
    spec = result("evaluation").chart("leaderboard", baseline=POOR).to_dict()
    assert spec["title"]["text"] == "Leaderboard by f1"


def test_a_chart_of_a_plug_in_is_drawn_by_name(result, tmp_path):
    from assay.cli.plugins import load_plugins

    plugin = tmp_path / "plug.py"
    plugin.write_text(
        "from assay.charts.base import Chart\n"
        "class Mine(Chart):\n"
        "    '''Mine.'''\n"
        "    name = 'a_mine'\n"
        "    draws = 'assay.race/1'\n"
        "    def draw(self, result):\n"
        "        return result.best\n"
    )
    with CHARTS.isolate():
        load_plugins([str(plugin)])
        race = result("race")
        assert "a_mine" in CHARTS.names()
        assert race.chart("a_mine") == race.best
        assert race.chart().to_dict()["title"]["text"] != race.best


def test_values_that_are_not_finite_are_null_in_plain_data():
    assert to_plain({"a": np.float64("nan"), "b": (1, np.int64(2))}) == {"a": None, "b": [1, 2]}


def test_a_field_with_an_underscore_at_its_end_is_a_word_of_the_language():
    row = assay.evaluate(table(), "f1").rows[0]
    assert to_record(row)["class"] is None


def test_line_breaks_and_pipes_do_not_break_a_markdown_table():
    lines = TextTable(["a"], [["x|y\nz"]]).to_markdown().splitlines()
    assert lines == ["| a |", "| --- |", r"| x\|y z |"]


def test_columns_without_any_value_are_not_shown():
    assert TextTable.from_records([{"a": 1, "b": None}, {"a": 2}]).header == ["a"]
