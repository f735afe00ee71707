"""The command line as scripts see it: exit status, one-line errors, JSON alone."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

import assay
from assay.cli import main
from assay.table.predictions import Predictions

HISTORIES = Path(__file__).parents[1] / "histories"


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    proba = {
        m: rng.dirichlet(np.ones(3), 200) * 0.5
        + 0.5 * np.eye(3)[np.where(rng.random(200) < q, y, 0)]
        for m, q in (("a", 0.9), ("b", 0.8))
    }
    names = np.array(["ant", "bee", "cat"])
    p = Predictions.from_arrays(
        names[y],
        {f"{m}.proba": q for m, q in proba.items()},
        id=np.arange(200),
        groups={"site": names[y[::-1]]},
    )
    path = tmp_path / "p.parquet"
    assay.write(p, path)
    return path


def run(capsys, *arguments):
    """Exit status, standard output and standard error of a command."""
    try:
        main([str(a) for a in arguments])
        status = 0
    except SystemExit as stopped:
        status = stopped.code or 0
    out, err = capsys.readouterr()
    return status, out, err


def test_evaluate_prints_the_json_contract_alone_on_standard_output(capsys, table):
    status, out, err = run(capsys, "evaluate", table, "--json", "-")
    assert status == 0
    assert err == ""
    found = json.loads(out)
    assert found["schema"] == "assay.evaluation/1"
    assert {r["model"] for r in found["rows"]} == {"a", "b"}


def test_the_numbers_are_the_same_from_every_form_of_the_table(capsys, table, tmp_path):
    p = assay.read(table)
    assay.write(p, tmp_path / "p.csv")
    assay.write(p, tmp_path / "p.arrow")
    header = "id,y,model," + ",".join(f"proba.{c}" for c in p.classes)
    long, single = [header], {m: [header.replace("model,", "")] for m in p.models}
    for m in p.models:
        for i in range(p.n):
            cells = ",".join(repr(float(v)) for v in p.rows(m).proba[i])
            truth = p.classes[p.truth[i]]
            long.append(f"{i},{truth},{m},{cells}")
            single[m].append(f"{i},{truth},{cells}")
    (tmp_path / "long.csv").write_text("\n".join(long))
    for m, lines in single.items():
        (tmp_path / f"{m}.csv").write_text("\n".join(lines))
    forms = [
        [table],
        [tmp_path / "p.csv"],
        [tmp_path / "p.arrow"],
        [tmp_path / "long.csv"],
        [tmp_path / f"{m}.csv" for m in p.models],
    ]
    answers = []
    for files in forms:
        status, out, _ = run(capsys, "evaluate", *files, "--json", "-")
        assert status == 0
        answers.append(
            {
                (r["model"], r["metric"]): (r["value"], r["low"], r["high"])
                for r in json.loads(out)["rows"]
            }
        )
    for other in answers[1:]:
        assert other.keys() == answers[0].keys()
        for key, figures in answers[0].items():
            assert other[key] == pytest.approx(figures, rel=1e-12)


def test_metrics_are_asked_for_by_name_repeated_or_separated_by_commas(capsys, table):
    _, out, _ = run(
        capsys, "evaluate", table, "--metric", "f1, f_beta(beta=2)", "-m", "accuracy", "--json", "-"
    )
    assert {r["metric"] for r in json.loads(out)["rows"]} == {"f1", "f_beta(beta=2)", "accuracy"}


def test_groups_are_asked_for_by_column(capsys, table):
    _, out, _ = run(capsys, "evaluate", table, "--metric", "f1", "--by", "site", "--json", "-")
    assert {r["group"] for r in json.loads(out)["rows"]} == {None, "ant", "bee", "cat"}


def test_compare_names_the_best_and_the_tied(capsys, table):
    status, out, _ = run(capsys, "compare", table, "--by-metric", "accuracy", "--json", "-")
    found = json.loads(out)
    assert status == 0
    assert found["schema"] == "assay.comparison/1"
    assert found["best"] in found["tied"]


def test_fuse_writes_the_table_with_one_more_model(capsys, table, tmp_path):
    status, _, _ = run(
        capsys,
        "fuse",
        table,
        "--how",
        "weighted",
        "--name",
        "both",
        "-o",
        tmp_path / "fused.parquet",
    )
    assert status == 0
    assert assay.read(tmp_path / "fused.parquet").models == ["a", "b", "both"]


def test_diagnose_prints_the_json_contract(capsys):
    logs = sorted(HISTORIES.glob("torch_loop_*.json"))[:2]
    status, out, _ = run(capsys, "diagnose", *logs, "--json", "-")
    found = json.loads(out)
    assert status == 0
    assert found["schema"] == "assay.diagnosis/1"
    assert len(found["runs"]) == 2


def test_a_metric_is_named_by_one_option_in_every_command(capsys, table):
    from assay.cli import load_commands

    commands = load_commands()
    named = {
        name: {text for option in command.params for text in option.opts if "metric" in text}
        for name, command in commands.items()
    }
    without = {"demo", "hardest", "list", "membership", "merge", "validate"}
    assert named == {name: set() if name in without else {"--metric"} for name in commands}
    new = run(capsys, "compare", table, "--metric", "accuracy", "--json", "-")
    assert new == run(capsys, "compare", table, "--by-metric", "accuracy", "--json", "-")


def test_fuse_prints_json_alone_and_writes_the_table(capsys, table, tmp_path):
    out = tmp_path / "fused.parquet"
    status, text, _ = run(capsys, "fuse", table, "--how", "mean", "-o", out, "--json", "-")
    assert status == 0
    assert json.loads(text)["schema"] == "assay.fusion/1"
    assert len(assay.read(out).models) == 3


def test_diagnose_takes_what_is_known_of_the_data(capsys):
    log = HISTORIES / "keras_csvlogger_fashion_mlp_30ep_overfit.csv"
    options = {"n_val": 5000, "n_classes": 10, "reference": 0.3}
    words = [w for n, v in options.items() for w in (f"--{n.replace('_', '-')}", v)]
    status, out, _ = run(capsys, "diagnose", log, *words, "--json", "-")
    assert status == 0
    assert json.loads(out) == json.loads(assay.diagnose(log, **options).to_json())
    assert json.loads(out) != json.loads(assay.diagnose(log).to_json())


def test_report_takes_a_confidence_and_a_margin_of_equivalence(capsys, table, tmp_path):
    options = ["--confidence", 0.9, "--equivalence", 0.5, "--json", "-"]
    status, out, _ = run(capsys, "report", table, "-o", tmp_path / "r.html", *options)
    found = json.loads(out)
    assert status == 0
    assert found["confidence"] == 0.9
    assert found["comparison"]["equivalence"] == 0.5


@pytest.fixture
def binary(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    models = {
        f"{name}.proba": np.clip(0.3 + 0.4 * y + rng.normal(0, spread, 200), 0.01, 0.99)
        for name, spread in (("good", 0.1), ("poor", 0.4))
    }
    split = np.repeat(["train", "test"], 100)
    path = tmp_path / "binary.parquet"
    assay.write(Predictions.from_arrays(y, models, split=split, positive=1), path)
    return path


def test_threshold_is_tuned_for_the_model_that_is_named(capsys, binary):
    status, out, _ = run(capsys, "threshold", binary, "--tune", "poor", "--json", "-")
    assert status == 0
    assert json.loads(out) == json.loads(assay.tune_threshold(assay.read(binary), "poor").to_json())


def test_threshold_takes_what_errors_cost(capsys, binary):
    words = ["--tune", "good", "--costs", 1, 4, "--json", "-"]
    status, out, _ = run(capsys, "threshold", binary, *words)
    assert status == 0
    assert json.loads(out)["closed_form"] == 0.2


def test_threshold_of_several_models_asks_which(capsys, binary):
    status, _, err = run(capsys, "threshold", binary)
    assert status == 2
    assert "give --tune, one of good, poor" in err


def test_membership_prints_the_json_contract(capsys, binary):
    status, out, _ = run(capsys, "membership", binary, "--json", "-")
    found = json.loads(out)
    assert status == 0
    assert found["schema"] == "assay.membership/1"
    assert [row["members"] for row in found["rows"]] == [100, 100]


def test_a_plug_in_that_does_not_import_exits_2_with_its_error(capsys, tmp_path):
    path = bad(tmp_path, "plug.py", "1 / 0")
    status, _, err = run(capsys, "--plugin", path, "list", "metrics")
    assert status == 2
    assert "plug.py cannot be imported (ZeroDivisionError" in err


def test_a_predictions_table_with_a_loss_in_it_is_no_log(capsys, tmp_path):
    path = bad(tmp_path, "p.csv", "truth,epoch,m.label\n" + "a,1,a\nb,2,b\n" * 20)
    out = tmp_path / "r.html"
    status, text, _ = run(capsys, "report", path, "--truth", "truth", "-o", out)
    assert status == 0
    assert "40 rows" in text


def test_report_takes_tables_and_logs_together(capsys, table, tmp_path):
    log = HISTORIES / "keras_csvlogger_fashion_mlp_10ep.csv"
    status, out, _ = run(capsys, "report", table, log, "-o", tmp_path / "r.html")
    assert status == 0
    assert "best" in out
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


FAMILIES = ["metrics", "fusions", "adapters", "engines", "readers", "checks", "charts"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_listed_with_a_line_each(capsys, family):
    status, out, _ = run(capsys, "list", family)
    assert status == 0
    assert out
    assert all(len(line.split(maxsplit=1)) == 2 for line in out.splitlines())
    assert "`" not in out


def bad(tmp_path, name, text):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / name


PROBA = "id,y,m.proba.a,m.proba.b\n"
UNUSABLE = {
    "missing file": (None, "missing.csv"),
    "empty file": ("", "empty"),
    "header alone": (PROBA, "no rows"),
    "no truth column": ("id,m.label\n1,a\n2,b\n", "truth"),
    "no model column": ("id,y\n1,a\n2,b\n", "model"),
    "NaN score": ("id,y,m.score\n1,a,0.5\n2,b,nan\n", "row 1"),
    "probabilities not summing to 1": (
        PROBA + "1,a,0.5,0.5\n2,b,0.5,0.3\n",
        "sums to 0.8 at row 1 (id 2)",
    ),
    "probability above 1": (PROBA + "1,a,1.5,-0.5\n", "[0, 1]"),
    "label outside the classes": (PROBA + "1,a,0.5,0.5\n2,c,0.5,0.5\n", "'c'"),
    "text in a number column": (PROBA + "1,a,0.5,0.5\n2,b,high,0.5\n", "'high' at row 1"),
    "missing cell": (PROBA + "1,a,0.5,0.5\n2,b,,0.5\n", "row 1"),
    "ragged rows": (PROBA + "1,a,0.5\n", ""),
    "negative weight": ("y,m.label,weight\na,a,1\nb,b,-1\n", "weight is -1"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_input_exits_2_with_one_line_and_no_traceback(capsys, tmp_path, case):
    text, said = UNUSABLE[case]
    path = tmp_path / "missing.csv" if text is None else bad(tmp_path, "p.csv", text)
    status, out, err = run(capsys, "evaluate", path, "--json", "-")
    assert status == 2, case
    assert out == ""
    assert err.startswith("assay: ")
    assert err.count("\n") == 1
    assert path.name in err
    assert said in err


def test_a_truncated_parquet_exits_2_with_one_line(capsys, table):
    table.write_bytes(table.read_bytes()[:300])
    status, _, err = run(capsys, "evaluate", table)
    assert status == 2
    assert err.count("\n") == 1
    assert "p.parquet" in err


def test_a_failed_fusion_writes_nothing(capsys, table, tmp_path):
    status, _, err = run(capsys, "fuse", table, "--how", "alchemy", "-o", tmp_path / "out.parquet")
    assert status == 2
    assert "alchemy" in err
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["nonsense"],
        ["evaluate", "x.csv", "--what"],
        ["list", "cheese"],
        ["report", "x.csv"],
    ],
)
def test_wrong_usage_exits_2_with_one_line(capsys, arguments):
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1


def test_an_unwritable_place_exits_2_with_one_line(capsys, table):
    status, _, err = run(capsys, "report", table, "-o", "/proc/nowhere/report.html")
    assert status == 2
    assert err.count("\n") == 1


def test_every_command_has_help_that_says_what_it_is_for(capsys):
    from assay.cli import load_commands

    for name in load_commands():
        status, out, _ = run(capsys, name, "--help")
        assert status == 0
        assert len(out.splitlines()) > 4


def test_every_option_says_what_it_is_for():
    from assay.cli import cli, load_commands

    params = [param for command in (cli, *load_commands().values()) for param in command.params]
    options = [param for param in params if isinstance(param, click.Option)]
    assert len(options) > 50
    assert [option.name for option in options if not option.help] == []


def fresh(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_assay_loads_no_framework_and_nothing_heavy():
    frameworks = "sklearn torch keras tensorflow transformers pandas polars"
    heavy = f"{frameworks} altair jinja2 vl_convert rich scipy joblib"
    found = fresh(f"import sys, assay; print([m for m in {heavy.split()} if m in sys.modules])")
    assert found.strip() == "[]"


def test_evaluating_a_small_file_imports_neither_pandas_nor_scipy_stats(table):
    heavy = "pandas polars sklearn scipy.stats altair rich"
    found = fresh(
        f"import sys, assay; assay.evaluate({str(table)!r}); "
        f"print([m for m in {heavy.split()} if m in sys.modules])"
    )
    assert found.strip() == "[]"


def test_the_version_is_the_one_of_the_package(capsys):
    status, out, _ = run(capsys, "--version")
    assert status == 0
    assert assay.__version__ in out


def test_every_public_name_can_be_reached_and_is_listed():
    for name in assay.ROOMS:
        assert getattr(assay, name).__name__ == name
        assert name in dir(assay)


def test_type_checkers_see_the_public_names_that_are_imported_on_use():
    lines = Path(assay.__file__).read_text().splitlines()
    imports = [line.split() for line in lines if line.startswith("    from assay.")]
    shown = {name: module.removeprefix("assay.") for _, module, _, name, _, _ in imports}
    assert shown == assay.ROOMS


def test_an_empty_metric_is_refused_and_not_taken_for_none(capsys, table):
    status, out, err = run(capsys, "evaluate", table, "--metric", "")
    assert (status, out) == (2, "")
    assert "--metric is empty" in err


def test_compare_takes_a_margin_of_equivalence_and_a_correction(capsys, table):
    status, out, _ = run(
        capsys,
        "compare",
        table,
        "--by-metric",
        "accuracy",
        "--equivalence",
        0.3,
        "--correction",
        "benjamini_hochberg",
    )
    assert status == 0
    assert "b is equivalent to it within 0.3" in out
    assert "p (Benjamini-Hochberg)" in out
    status, _, err = run(capsys, "compare", table, "--equivalence", 0)
    assert (status, "equivalence must be above 0" in err) == (2, True)


def test_compare_takes_each_file_for_a_data_set_where_asked(capsys, table, tmp_path):
    p, files = assay.read(table), []
    for i in range(6):
        files.append(tmp_path / f"set{i}.parquet")
        assay.write(p.take(np.arange(i * 30, i * 30 + 50)), files[-1])
    status, out, err = run(
        capsys, "compare", *files, "--datasets", "--by-metric", "accuracy", "--json", "-"
    )
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["schema"], len(found["scores"])) == ("assay.datasets/1", 6)
    status, _, err = run(capsys, "compare", *files, "--datasets", "--unit", "rows")
    assert (status, err.count("\n")) == (2, 1)


def test_options_of_a_gate_without_the_gate_are_refused(capsys, table):
    for arguments in (["compare", table, "--margin", 0.1], ["evaluate", table, "--point"]):
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert "give both, or neither" in err


def test_a_fusion_is_saved_and_applied_to_rows_without_a_truth(capsys, tmp_path):
    y = [0, 1, 1, 0] * 10
    good = [0.1 + 0.8 * v for v in y]
    models = {"a.proba": good, "b.proba": [0.5 * p + 0.2 for p in good]}
    assay.write(assay.Predictions.from_arrays(y, models), tmp_path / "p.csv")
    pool, out, new = (str(tmp_path / name) for name in ("pool.json", "out.csv", "new.csv"))
    fitted = ("fuse", str(tmp_path / "p.csv"), "--how", "mean", "-o", out, "--save", pool)
    assert run(capsys, *fitted)[0] == 0
    want = assay.read(out).outputs["fused"]["proba"]
    lines = (tmp_path / "p.csv").read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join(line.partition(",")[2] for line in lines))
    status, _, err = run(capsys, "fuse", "--apply", pool, new, "-o", out)
    assert (status, err) == (0, f"written: {out}\n")
    header, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith('"a.proba.0"')
    assert [float(row.split(",")[-1]) for row in rows] == pytest.approx(want[:, 1])


def test_options_of_fitting_beside_apply_are_refused(capsys, table, tmp_path):
    status, _, err = run(
        capsys, "fuse", "--apply", "pool.json", table, "-o", str(tmp_path / "o.csv"), "--folds", "3"
    )
    assert status == 2
    assert "--folds is for fitting, and --apply fits nothing" in err


@pytest.mark.parametrize(("typed", "meant"), [("evaluat", "evaluate"), ("diagnos", "diagnose")])
def test_a_mistyped_command_is_answered_with_the_one_that_is_meant(capsys, typed, meant):
    status, _, err = run(capsys, typed, "x.csv")
    assert status == 2
    assert f"no such command {typed!r}; did you mean {meant}?" in err


def test_a_command_unlike_any_other_is_answered_with_all_of_them(capsys):
    assert "the commands are demo, evaluate," in run(capsys, "xyzzy")[2]
