"""A study in one file: what it runs and writes, how it resumes, which files it refuses and how."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer

import assay
from assay.errors import AssayError, MissingDependencyError, ReadError, SchemaError
from assay.io.read_write import read
from assay.selection.experiment import Experiment
from assay.selection.store import timings
from assay.selection.training_data import TrainingData
from assay.studies.recipe import read_recipe
from assay.studies.study import run_study

DOCS = Path(__file__).parents[2] / "docs" / "study.md"

STUDY = """
title = "Cells"
seed = 3
metrics = ["accuracy", "roc_auc"]
compare_by = "accuracy"
fusions = ["mean", "greedy"]

[data]
file = "cells.csv"
target = "diagnosis"
drop = ["note"]

[split]
folds = 4

[models.lr]
class = "sklearn.linear_model.LogisticRegression"
preprocess = ["sklearn.preprocessing.StandardScaler"]

[models.tree]
class = "sklearn.tree.DecisionTreeClassifier"
params = { max_depth = 3 }
"""

# The page of two models takes half the time of that of four.
PLAIN = STUDY.replace('fusions = ["mean", "greedy"]\n', "")


def write_cells(folder):
    X, y = load_breast_cancer(return_X_y=True)
    X, named = X[::3], np.array(["well", "ill"])[y[::3]]
    lines = [
        "a,b,c,note,diagnosis",
        *(f"{a},{b},{c},x,{n}" for (a, b, c), n in zip(X[:, :3], named, strict=True)),
    ]
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_cells(tmp_path)


def study(folder, text=STUDY, name="study.toml", **options):
    (folder / name).write_text(text)
    return run_study(folder / name, say=lambda _: None, progress=False, **options)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that is done, its folder, and what it said."""
    folder = write_cells(tmp_path_factory.mktemp("done"))
    (folder / "study.toml").write_text(STUDY)
    said = []
    return run_study(folder / "study.toml", say=said.append, progress=False), folder, said


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """A study that is done, one of whose models failed, and its folder."""
    folder = write_cells(tmp_path_factory.mktemp("failing"))
    return study(folder, PLAIN + BAD, output=folder / "elsewhere"), folder


def test_one_file_gives_table_report_and_comparison_in_the_folder_named_after_it(done):
    found, folder, _ = done
    assert found.output == folder / "study"
    assert found.predictions.models == ["lr", "tree", "fused_mean", "fused_greedy"]
    assert read(folder / "study" / "predictions.parquet") == found.predictions
    assert found.report.metric == "accuracy"
    assert found.report.comparison.best in found.predictions.models
    assert "<html" in (folder / "study" / "report.html").read_text()
    assert json.loads((folder / "study" / "report.json").read_text())["title"] == "Cells"
    assert timings(folder / "study" / "parts").models == ["lr", "tree"]
    assert json.loads(found.to_json())["schema"] == "assay.study/1"
    assert "Cells: 190 rows" in repr(found)
    assert "seconds a fit" in repr(found)
    assert found.records == found.report.records
    assert found.chart() is not None


def test_each_step_is_said(done):
    _, folder, said = done
    assert said[0] == f"cross-validating lr, tree on 190 rows, into {folder / 'study'}"
    assert said[1:] == [
        "fusing: mean",
        "fusing: greedy",
        "evaluating, comparing, and writing the report",
    ]


def test_results_are_written_into_another_folder_where_one_is_given(failing):
    found, folder = failing
    assert found.output == folder / "elsewhere"
    assert (folder / "elsewhere" / "report.html").exists()
    assert not (folder / "study").exists()


def test_a_study_run_twice_gives_the_same_bytes_and_fits_nothing_again(done):
    folder = done[1]
    table = (folder / "study" / "predictions.parquet").read_bytes()
    parts = {p: p.stat().st_mtime_ns for p in (folder / "study" / "parts").glob("*.parquet")}
    study(folder)
    assert (folder / "study" / "predictions.parquet").read_bytes() == table
    assert {
        p: p.stat().st_mtime_ns for p in (folder / "study" / "parts").glob("*.parquet")
    } == parts
    assert len(parts) == 8


def test_the_seed_reaches_splits_and_estimators(folder):
    recipe = read_recipe(written(folder, STUDY))
    assert recipe.estimators()["tree"].random_state == 3
    assert recipe.estimators()["lr"][-1].random_state == 3
    repeated = STUDY.replace("folds = 4", 'class = "RepeatedKFold"\nparams = { n_splits = 2 }')
    assert read_recipe(written(folder, repeated)).outer_splitter().random_state == 3
    plain = STUDY.replace("folds = 4", 'class = "sklearn.model_selection.KFold"')
    assert read_recipe(written(folder, plain)).outer_splitter().random_state is None


def written(folder, text):
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def test_a_grid_is_searched_by_the_metric_to_compare_by(folder):
    text = (
        PLAIN
        + "grid = { min_samples_leaf = [1, 20] }\n[models.lr.grid]\nC = [0.1, 1.0]\n"
        + "[inner]\nfolds = 2\n"
    )
    found = study(folder, text)
    assert [note.split(" chose ")[0] for note in found.notes] == [
        "lr: the inner search",
        "tree: the inner search",
    ]
    assert "model__C=" in found.notes[0]
    assert "min_samples_leaf=" in found.notes[1]
    assert found.fused == ()


BAD = '[models.bad]\nclass = "sklearn.linear_model.LogisticRegression"\nparams = { C = -1.0 }\n'


def test_a_model_that_fails_is_a_row_with_the_error_in_every_result(failing):
    found, folder = failing
    told = json.loads((folder / "elsewhere" / "report.json").read_text())
    for rows in (found.report.records, told["evaluation"]["rows"]):
        of_bad = [row for row in rows if row["model"] == "bad"]
        assert [row["metric"] for row in of_bad] == ["accuracy", "roc_auc"]
        assert all("InvalidParameterError" in row["note"] for row in of_bad)
        assert all(row["n"] == 0 for row in of_bad)
    assert (
        "failed to fit in fold 0: InvalidParameterError"
        in (folder / "elsewhere" / "report.html").read_text()
    )
    (line,) = [line for line in repr(found.report).splitlines() if line.strip().startswith("bad")]
    assert "-  (model 'bad' failed" in line
    failed = [row for row in timings(folder / "elsewhere" / "parts").rows if row.model == "bad"]
    assert [row.fold for row in failed] == [0, 1, 2, 3]
    assert all("InvalidParameterError" in row.error and np.isnan(row.fit_seconds) for row in failed)
    assert [
        line.split()[:2] for line in repr(found.timings).splitlines() if line.startswith("bad")
    ] == [["bad", "failed"]]
    assert found.timings.chart()


def test_the_cheaper_of_models_within_one_standard_error_is_named(folder):
    text = PLAIN.replace("max_depth = 3", "max_depth = 3, random_state = 1")
    text += '[models.forest]\nclass = "sklearn.ensemble.RandomForestClassifier"\n'
    text += "params = { n_estimators = 20 }\n"
    found = study(folder, text)
    assert found.frugal is not None
    assert set(found.frugal.records[0]) >= {"model", "cost", "within"}
    assert {row.model for row in found.frugal.rows} == {"lr", "tree", "forest"}
    assert found.frugal.verdict in repr(found)
    assert json.loads(found.to_json())["frugal"]["chosen"] == found.frugal.chosen


def test_a_fusion_that_cannot_be_made_is_left_out_and_said(folder):
    text = STUDY + '[models.svc]\nclass = "sklearn.svm.LinearSVC"\n'
    found = study(folder, text.replace('["mean", "greedy"]', '["mean"]'))
    assert found.fused == ()
    assert found.predictions.models == ["lr", "tree", "svc"]
    assert any(
        note.startswith("fused_mean is left out: model 'svc' gives only label, score")
        for note in found.notes
    )
    with pytest.raises(AssayError, match=r"study.toml: fusions: model 'svc' gives only"):
        study(folder, 'on_error = "raise"\n' + text)


def test_a_race_drops_the_poor_says_when_and_resumes(folder):
    text = STUDY.replace(
        "folds = 4", 'class = "RepeatedStratifiedKFold"\nparams = { n_splits = 3, n_repeats = 2 }'
    )
    text += '[models.lazy]\nclass = "sklearn.dummy.DummyClassifier"\n[race]\nminimum = 4\n' + BAD
    found = study(folder, text)
    assert found.race is not None
    assert "lazy" not in found.race.survivors
    assert found.predictions.models[: len(found.race.survivors)] == list(found.race.survivors)
    (row,) = [
        row
        for row in found.report.records
        if row["model"] == "lazy" and row["metric"] == "accuracy"
    ]
    assert row["note"].startswith("dropped from the race after 4 folds")
    assert "failed" in next(r["note"] for r in found.report.records if r["model"] == "bad")
    assert found.timings.models == ["lr", "tree", "lazy"]
    assert found.race.fits + found.race.fits_saved == 18
    before = sorted((folder / "study" / "parts").glob("*.parquet"))
    again = study(folder, text)
    assert again.predictions == found.predictions
    assert sorted((folder / "study" / "parts").glob("*.parquet")) == before
    assert json.loads(found.to_json())["race"]["schema"] == "assay.race/1"


def test_what_to_compare_and_which_advice_to_leave_out_are_said_in_the_file(folder):
    options = 'equivalence = 0.05\ncorrection = "benjamini_hochberg"\nignore = ["A003", "A006"]\n'
    found = study(
        folder, options + PLAIN.replace('["accuracy", "roc_auc"]', '["accuracy", "log_loss"]')
    )
    told = found.report.comparison
    assert (told.equivalence, told.correction, told.unit) == (0.05, "benjamini_hochberg", "folds")
    assert told.pairs[0].p_equal is not None
    assert not {"A003", "A006"} & {advice.code for advice in found.report.advice}


def test_a_model_that_fails_is_left_out_and_said(failing):
    found, folder = failing
    assert "bad" not in found.predictions.models
    assert found.notes[0].startswith(
        "bad is left out: model 'bad' failed to fit in fold 0: InvalidParameterError"
    )
    with pytest.raises(AssayError, match="model 'bad' failed to fit in fold"):
        study(folder, 'on_error = "raise"\n' + PLAIN + BAD, name="strict.toml")


def test_data_and_models_may_come_from_a_module_beside_the_study(folder):
    (folder / "beside_this_study.py").write_text(
        "from sklearn.datasets import load_diabetes\n"
        "from sklearn.linear_model import Ridge\n"
        "def rows(n):\n"
        "    X, y = load_diabetes(return_X_y=True)\n"
        "    return {'X': X[:n], 'y': y[:n], 'id': range(n)}\n"
        "def model(alpha):\n    return Ridge(alpha=alpha)\n"
    )
    found = study(
        folder,
        '[data]\nload = "beside_this_study:rows"\nparams = { n = 100 }\n'
        '[models.ridge]\nclass = "beside_this_study:model"\nparams = { alpha = 2.0 }\n',
    )
    assert found.predictions.task == "regression"
    assert found.predictions.n == 100
    assert "id" in found.predictions.columns


def test_a_data_set_of_scikit_learn_is_read_from_what_it_returns(folder):
    text = '[data]\nload = "sklearn.datasets:load_iris"\n'
    text += '[models.nb]\nclass = "sklearn.naive_bayes.GaussianNB"\n'
    assert study(folder, text).predictions.classes == (0, 1, 2)


def test_columns_that_are_no_numbers_are_given_as_a_frame_to_nested_objects(folder):
    pytest.importorskip("pandas")
    text = (
        STUDY.replace('drop = ["note"]\n', "").replace('["mean", "greedy"]', "[]")
        + """
[[models.tree.preprocess]]
class = "sklearn.compose.ColumnTransformer"
[models.tree.preprocess.params]
transformers = [
["text", { class = "sklearn.preprocessing.OneHotEncoder", params = { handle_unknown = "ignore" } },
     ["note"]],
    ["numbers", "passthrough", ["a", "b"]],
]
"""
    )
    only = text.replace(text[text.index("[models.lr]") : text.index("[models.tree]")], "")
    assert study(folder, only).predictions.models == ["tree"]


def test_groups_weights_and_ids_are_columns_of_the_file(folder):
    rows = (folder / "cells.csv").read_text().splitlines()
    more = [
        f"{rows[0]},who,w,key",
        *(f"{r},p{i // 3},{1 + i % 2},k{i}" for i, r in enumerate(rows[1:])),
    ]
    (folder / "cells.csv").write_text("\n".join(more) + "\n")
    text = PLAIN.replace(
        'drop = ["note"]', 'drop = ["note"]\ngroups = "who"\nweight = "w"\nid = "key"'
    )
    found = study(folder, text).predictions
    assert {"cluster", "fold", "id"} <= set(found.columns)
    assert set(found.weight) == {1.0, 2.0}


SLOW = """
import time
from sklearn.tree import DecisionTreeClassifier
class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        time.sleep(0.3)
        with open({log!r}, "a") as file:
            file.write("fit\\n")
        return super().fit(X, y)
"""


def test_a_study_killed_in_the_middle_goes_on_from_there(folder):
    log = folder / "fits.txt"
    (folder / "slow_model.py").write_text(SLOW.format(log=str(log)))
    text = PLAIN.replace("sklearn.tree.DecisionTreeClassifier", "slow_model:Slow").replace(
        "folds = 4", "folds = 8"
    )
    path = written(folder, "n_jobs = 2\n" + text)
    script = f"from assay.studies.study import run_study; run_study({str(path)!r})"
    killed = subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    parts = folder / "study" / "parts"
    while not (log.exists() and list(parts.glob("*.parquet"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    there = len(list(parts.glob("*.parquet")))
    assert 1 <= there < 16
    started = len(log.read_text().split())
    resumed = study(folder, text)
    # The two fits in flight when the process was killed may have ended without a file.
    assert 8 <= len(log.read_text().split()) <= 8 + 2
    assert started < 8
    whole = study(folder, text, output=folder / "whole")
    assert resumed.predictions == whole.predictions
    a, b = ((folder / where / "predictions.parquet").read_bytes() for where in ("study", "whole"))
    assert a == b


@pytest.mark.slow
def test_a_study_killed_at_any_moment_and_again_ends_as_one_that_never_was(folder):
    log = folder / "fits.txt"
    (folder / "slow_model.py").write_text(SLOW.format(log=str(log)))
    text = STUDY.replace("sklearn.tree.DecisionTreeClassifier", "slow_model:Slow").replace(
        "folds = 4", "folds = 8"
    )
    path, out = written(folder, "n_jobs = 2\n" + text), folder / "cut"
    command = [sys.executable, "-m", "assay", "validate", str(path), "-o", str(out)]
    rng, kills = np.random.default_rng(0), 0
    for seconds in rng.uniform(1.0, 3.0, 4):
        running = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        os.killpg(running.pid, signal.SIGKILL)
        kills += running.wait() == -signal.SIGKILL
    assert kills > 0
    there = list((out / "parts").glob("*.parquet"))
    log.unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # 8 of the slow model's parts and 8 of the other's; those that are there are not fitted again.
    of_slow = [
        name
        for name in there
        if json.loads(pq.read_schema(name).metadata[b"assay.part"])["model"] == "tree"
    ]
    assert (len(log.read_text().split()) if log.exists() else 0) == 8 - len(of_slow)
    whole = subprocess.run(
        [*command[:-1], str(folder / "whole")], capture_output=True, text=True, check=True
    )
    for name in ("predictions.parquet", "report.json"):
        assert (out / name).read_bytes() == (folder / "whole" / name).read_bytes()
    assert done.stdout.splitlines()[:10] == whole.stdout.splitlines()[:10]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metrics =", "metric =", r"unknown key 'metric'; did you mean metrics\?"),
        ("target =", "targets =", r"data: unknown key 'targets'; did you mean target\?"),
        ("seed = 3", 'seed = "3"', r"seed: expected a whole number; got '3'"),
        ("seed = 3", "seed = true", r"seed: expected a whole number; got True"),
        (
            'compare_by = "accuracy"',
            'compare_by = "acuracy"',
            r"compare_by: no metric .* Did you mean accuracy",
        ),
        ('"greedy"', '"greddy"', r"fusions: no fusion is named 'greddy'"),
        ('"mean"', "4", r"fusions: expected text"),
        ("folds = 4", 'class = "KFolds"', r"split.class: .* has no 'KFolds'; did you mean .*KFold"),
        (
            "folds = 4",
            'folds = 4\nclass = "KFold"',
            r"split: give folds, or class with params, not both",
        ),
        ("folds = 4", "folds = 1", r"cannot be split into 1 folds"),
        (
            "max_depth",
            "max_dept",
            r"models.tree.params: .* takes no 'max_dept'; did you mean max_depth",
        ),
        (
            "DecisionTreeClassifier",
            "DecisionTreeClasifier",
            r"models.tree.class: .* mean DecisionTreeClassifier",
        ),
        (
            "sklearn.tree.",
            "sklaern.tree.",
            r"models.tree.class: 'sklaern.tree' cannot be imported .*; install it",
        ),
        (
            "sklearn.tree.DecisionTreeClassifier",
            "Tree",
            r"models.tree.class: 'Tree' is no import path",
        ),
        ("params = { max", "params = 3 #", r"models.tree.params: expected a table; got 3"),
        (
            "StandardScaler",
            "StandardScalar",
            r"preprocess\[0\].class: .*did you mean StandardScaler",
        ),
        (
            "[models.tree]",
            "[models.tree]\ngrid = { max_depth = [1] }",
            r"models.tree.grid: .* add \[inner\]",
        ),
        ('file = "cells.csv"', 'file = "cell.csv"', r"cell.csv"),
        (
            'target = "diagnosis"',
            'target = "diagnoses"',
            r"data.target: .* has no column 'diagnoses'; its columns are",
        ),
        ('target = "diagnosis"', "", r"data: the key 'target' is missing"),
        ('file = "cells.csv"', "", r"data: give one of file"),
        ("[data]", '[data]\nload = "a:b"', r"data: give one of file"),
        ("seed = 3", 'on_error = "ignore"', r"on_error: must be one of skip, raise; got 'ignore'"),
        ("seed = 3", "seed = -1", r"seed: must be a whole number from 0 to 4294967295; got -1"),
        (
            "seed = 3",
            "n_jobs = 0",
            r"n_jobs: must be a number of fits at a time, or -1 for all cores; got 0",
        ),
        (
            "seed = 3",
            'positive = "sick"',
            r"positive: 'sick' is not among the classes, 'ill', 'well'",
        ),
        ("seed = 3", "ignore = [[]]", r"ignore: no advice has the code \[\]"),
        ("seed = 3", "equivalence = inf", r"equivalence: must be above 0.*; got inf"),
        (
            "folds = 4",
            'class = "sklearn.svm.SVC"',
            r"split.class: sklearn.svm.SVC is no splitter: it has no split",
        ),
        (
            "[split]",
            "[inner]\nfolds = 0\n[split]",
            r"inner.folds: .* split into 0 folds; give 2 or more",
        ),
        (
            "[models.lr]",
            "[inner]\n[models.lr.grid]\nC = 1\n[models.lr]",
            r"models.lr.grid.C: expected a list",
        ),
        (
            "[models.lr]",
            "[inner]\n[models.lr.grid]\nc = [1]\n[models.lr]",
            r"models.lr.grid: .* takes no 'c'",
        ),
        ("cells.csv", "cells.txt", r"data.file: .*cells.txt: the suffix does not tell the format"),
        (
            "[split]",
            "[race]\nmin = 4\n[split]",
            r"race: unknown key 'min'; did you mean minimum\?.* Known: minimum",
        ),
        ("[split]", "[race]\nminimum = 1\n[split]", r"minimum must be 2 folds or more"),
        (
            "[split]",
            "[race]\nconfidence = 1.5\n[split]",
            r"race: confidence must be between 0 and 1; got 1.5",
        ),
        (
            "seed = 3",
            'correction = "none"',
            r"correction: must be one of holm, benjamini_hochberg; got 'none'",
        ),
        ("seed = 3", "equivalence = 0", r"equivalence: must be above 0.*; got 0"),
        (
            "seed = 3",
            'equivalence = "1 %"',
            r"equivalence: expected a number or a whole number; got '1 %'",
        ),
        (
            "seed = 3",
            'ignore = ["A3"]',
            r"ignore: no advice has the code 'A3'; the codes are A001, A002",
        ),
        ("seed = 3", "ignore = [3]", r"ignore: no advice has the code 3; the codes are A001, A002"),
        (
            '"roc_auc"]',
            '"mse"]',
            r"metrics: mse is for multioutput, regression tasks; the task of this study is binary",
        ),
        (
            'by = "accuracy"',
            'by = "r2"',
            r"compare_by: r2 is for multioutput, regression tasks; the task of this",
        ),
        (
            'by = "accuracy"',
            'by = "calibration_slope"',
            r"compare_by: calibration_slope is better neither",
        ),
        ("seed = 3", 'task = "ranking"', r"task: must be one of binary"),
        (
            "sklearn.tree.DecisionTreeClassifier",
            "sklearn.model_selection.KFold",
            r"takes no 'max_depth'",
        ),
        ('drop = ["note"]', "frame = false", r"data.frame: column 'note' does not hold numbers"),
        ('drop = ["note"]', 'features = ["a", "d"]', r"data.features: .* has no column 'd'"),
        ("seed = 3", "seeds = 0", r"seeds: must be 1 or more"),
        ("seed = 3", "seeds = 2\nrace = {}", r"seeds: a race drops models"),
        ("seed = 3", "validation_fraction = 1", r"validation_fraction: must be from 0 to below 1"),
        (
            'class = "sklearn.tree.DecisionTreeClassifier"',
            'fit = "sklearn.tree.DecisionTreeClassifier"',
            r"models.tree.fit: sklearn.tree.DecisionTreeClassifier is no function",
        ),
        (
            'class = "sklearn.tree.DecisionTreeClassifier"',
            'fit = "sklearn.datasets.make_moons"',
            r"models.tree.params: sklearn.datasets.make_moons takes no 'max_depth'",
        ),
        (
            'class = "sklearn.tree.DecisionTreeClassifier"',
            'class = "x"\nfit = "sklearn.datasets.make_moons"',
            r"models.tree.class: a model that is trained by a function",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error_naming_file_and_key(folder, old, new, message):
    assert old in STUDY
    with pytest.raises(AssayError, match=message) as error:
        study(folder, STUDY.replace(old, new))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("a = ", ReadError, "study.toml: is not TOML"),
        ("title = 'x'", SchemaError, "the key 'data' is missing"),
        ("[data]\nfile='x'\n[models]", SchemaError, "the key 'models' is missing"),
        (
            "[data]\nfile='x'\n[models.a]\nparams={}",
            SchemaError,
            "models.a: the key 'class' is missing",
        ),
        ("models = 3\n[data]", SchemaError, "models: expected a table"),
    ],
)
def test_a_file_that_is_no_study_is_refused(folder, text, kind, message):
    with pytest.raises(kind, match=message):
        study(folder, text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ReadError, match=r"nothing.toml: cannot be read \(No such file"):
        run_study(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3", r"returned int; expected \(X, y\)"),
        ("return {'X': [[1]]}", "returned dict; expected"),
        ("raise RuntimeError('no net')", "failed: RuntimeError: no net"),
    ],
)
def test_a_function_that_gives_no_data_is_named(folder, body, message):
    name = f"gives_{abs(hash(body))}"
    (folder / f"{name}.py").write_text(f"def rows():\n    {body}\n")
    text = f'[data]\nload = "{name}:rows"\n[models.nb]\nclass = "sklearn.naive_bayes.GaussianNB"\n'
    with pytest.raises(SchemaError, match=f"data.load: {name}:rows {message}"):
        study(folder, text)


def test_a_truth_with_a_gap_is_refused_with_its_row(folder):
    text = (folder / "cells.csv").read_text().replace("well", "2").replace("ill", "1")
    lines = text.splitlines()
    lines[3] = lines[3][:-1]
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(SchemaError, match=r"data.target: column 'diagnosis' has no value at row 2"):
        study(folder)


@pytest.mark.slow
def test_the_example_of_the_documentation_runs_as_it_stands(folder):
    text = DOCS.read_text().split("```toml")[1].split("```")[0]
    rng = np.random.default_rng(0)
    rows = ["age,income,city,customer,churned"]
    for i in range(200):
        age, city = rng.integers(20, 60), rng.integers(0, 2)
        rows.append(
            f"{age},{rng.normal()},{'ab'[city]},{i // 2},{'yes' if age + 9 * city > 40 else 'no'}"
        )
    (folder / "customers.csv").write_text("\n".join(rows) + "\n")
    pytest.importorskip("pandas")
    found = study(folder, text)
    assert found.report.comparison is not None
    assert len(found.fused) == 2


def test_a_network_of_a_module_beside_the_study_is_trained_on_its_folds_and_diagnosed(folder):
    pytest.importorskip("torch")
    (folder / "nets.py").write_text(DOCS.read_text().split("```python")[1].split("```")[0])
    text = PLAIN.replace("folds = 4", "folds = 2").replace(
        'class = "sklearn.tree.DecisionTreeClassifier"\nparams = { max_depth = 3 }',
        'fit = "nets:fit_net"\nparams = { epochs = 3 }',
    )
    found = study(folder, text)
    assert found.predictions.models[:2] == ["lr", "tree"]
    assert list(found.predictions.outputs["tree"]) == ["logit"]
    diagnosis = found.report.diagnosis
    assert [run.name for run in diagnosis.runs] == [f"tree, fold {fold}" for fold in range(2)]
    page = (folder / "study" / "report.html").read_text()
    assert "tree, fold 0" in page
    assert study(folder, text).report.to_dict() == found.report.to_dict()


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'assay\[sklearn\]'"):
        Experiment.plan({}, TrainingData([], []))


SEVERAL = """
title = "Growth"
metrics = ["rmse", "r2", "r2(average=none)"]
compare_by = "r2"
[data]
file = "plants.csv"
target = ["height", "mass"]
[split]
folds = 3
[models.ridge]
class = "sklearn.linear_model.Ridge"
[models.stump]
class = "sklearn.tree.DecisionTreeRegressor"
params = { max_depth = 1 }
"""


def write_plants(folder, whole=False):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = x @ [[1.0, 2.0], [-1.0, 0.5]] + rng.normal(size=(60, 2)) / 5
    y = np.round(y) if whole else y
    rows = [",".join(map(str, row)) for row in np.hstack([x, y]).tolist()]
    (folder / "plants.csv").write_text("light,water,height,mass\n" + "\n".join(rows) + "\n")


def test_several_targets_are_evaluated_and_compared_each_and_together(tmp_path):
    pytest.importorskip("pandas")
    write_plants(tmp_path)
    found = study(tmp_path, SEVERAL)
    assert (found.predictions.task, found.predictions.classes) == (
        "multioutput",
        ("height", "mass"),
    )
    e = found.report.evaluation
    each = [r.value for r in e.rows if r.metric == "r2(average=none)" and r.model == "ridge"]
    assert len(each) == 2
    assert np.mean(each) == pytest.approx(e.get("ridge", "r2").value)
    assert found.report.comparison.best == "ridge"
    assert found.notes == ()
    assert read(tmp_path / "study" / "predictions.parquet") == found.predictions


def test_whole_numbers_are_several_outputs_and_0_and_1_are_labels_unless_the_task_is_said(tmp_path):
    pytest.importorskip("pandas")
    write_plants(tmp_path, whole=True)
    assert study(tmp_path, SEVERAL).predictions.task == "multioutput"
    lines = (tmp_path / "plants.csv").read_text().splitlines()
    halves = [line.rsplit(",", 2)[0] + f",{i % 2},{i // 2 % 2}" for i, line in enumerate(lines[1:])]
    (tmp_path / "plants.csv").write_text("\n".join([lines[0], *halves]) + "\n")
    table = study(tmp_path, 'task = "multioutput"' + SEVERAL, "said.toml").predictions
    assert table.task == "multioutput"


def test_a_model_of_one_output_and_a_fusion_are_left_out_of_several_with_the_reason(tmp_path):
    pytest.importorskip("pandas")
    write_plants(tmp_path)
    more = '[models.boosting]\nclass = "sklearn.ensemble.GradientBoostingRegressor"\n'
    found = study(tmp_path, 'fusions = ["mean"]' + SEVERAL + more)
    assert found.predictions.models == ["ridge", "stump"]
    assert any("boosting is left out" in note and "1d array" in note for note in found.notes)
    assert any("several outputs are not fused together" in note for note in found.notes)


def test_a_function_trains_several_outputs_and_its_history_knows_no_classes(tmp_path):
    from sklearn.linear_model import LinearRegression

    x = np.random.default_rng(0).normal(size=(40, 2))
    y = x @ [[1.0, 2.0], [-1.0, 0.5]]

    def fit(train, val):
        return LinearRegression().fit(train.X, train.y), {"val_loss": [0.9, 0.7, 0.6]}

    assay.cross_validate({"line": fit}, x, y, cv=2, store=tmp_path)
    assert {h.n_classes for h in assay.histories(tmp_path).values()} == {None}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ('["height", "weight"]', "no column 'weight'"),
        ('["height", "height"]', "'height' is named twice"),
        ("[]", "the name of a column, or a list of names"),
        ('["height", 3]', "the name of a column, or a list of names"),
        ('["height", "kind"]', "column 'kind' does not hold numbers"),
    ],
)
def test_targets_that_cannot_be_used_are_refused(tmp_path, target, told):
    (tmp_path / "plants.csv").write_text("light,height,kind\n1,2,a\n2,3,b\n3,4,a\n")
    text = SEVERAL.replace('["height", "mass"]', target)
    with pytest.raises(AssayError, match=rf"data\.target: .*{told}"):
        study(tmp_path, text)
