"""Several runs: which is best, whether seeds explain it, what was wasted, and a table that fits."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from assay.cli import cli
from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.run_names import find_group, group_runs, shorten_names
from assay.errors import SchemaError
from assay.readers.history import History
from assay.reporting.report import report
from assay.table.predictions import Predictions


def run(name, lowest, after=3, **metrics):
    """Validation loss that falls to `lowest` at epoch 4, and rises for so many epochs."""
    val = [1.0, 0.5 + lowest / 2, lowest + 0.05, lowest]
    val += [lowest + 0.03 * i for i in range(1, after + 1)]
    train = [1 / (i + 1) for i in range(len(val))]
    return History.from_lists(train_loss=train, val_loss=val, name=name, **metrics)


def rank(lowest, **options):
    return diagnose([run(name, value) for name, value in lowest.items()], **options).ranking


SEPARATE = {
    "wide_seed=1": 0.30,
    "wide_seed=2": 0.32,
    "wide_seed=3": 0.31,
    "deep_seed=1": 0.40,
    "deep_seed=2": 0.42,
    "deep_seed=3": 0.41,
}


def test_a_difference_that_seeds_do_not_explain_names_the_best():
    ranking = rank(SEPARATE)
    assert (ranking.best, ranking.tied) == ("wide", ("wide",))
    assert [group.mean for group in ranking.groups] == pytest.approx([0.31, 0.41])
    # Student's t of two groups of three with a standard deviation of 0.01: t = 12.2, 4 degrees.
    assert ranking.groups[1].p == pytest.approx(0.000255, rel=0.01)
    assert "wide is best by validation loss" in ranking.verdict


def test_a_difference_within_the_scatter_of_seeds_names_nobody():
    scattered = {"a_s1": 0.30, "a_s2": 0.40, "b_s1": 0.33, "b_s2": 0.41}
    ranking = rank(scattered)
    assert (ranking.best, ranking.tied) == (None, ("a", "b"))
    assert "seeds explain its difference from b" in ranking.verdict


def test_one_run_beside_a_group_is_judged_by_the_scatter_of_the_group():
    ranking = rank({"a_s1": 0.30, "a_s2": 0.31, "a_s3": 0.305, "far": 0.9, "near": 0.307})
    assert ranking.tied == ("a", "near")
    assert [group.runs for group in ranking.groups] == [3, 1, 1]


def test_runs_without_seeds_are_ranked_and_chance_is_not_ruled_out():
    ranking = rank({"small": 0.5, "large": 0.3, "middle": 0.4})
    assert [r.name for r in ranking.runs] == ["large", "middle", "small"]
    assert ranking.best is None
    assert "one run each" in ranking.verdict


@pytest.mark.slow
def test_of_equal_configurations_a_best_one_is_seldom_named():
    rng = np.random.default_rng(0)
    named = 0
    for _ in range(30):
        lowest = {f"{c}_s{s}": 0.4 + 0.02 * rng.normal() for c in "abc" for s in range(4)}
        named += rank(lowest).best is not None
    assert named <= 4


def test_a_run_that_broke_down_stands_last_and_in_no_mean():
    nan = float("nan")
    broken = History.from_lists(val_loss=[0.9, 0.2, nan, nan, nan], name="wide_seed=4")
    ranking = diagnose([*(run(n, v) for n, v in SEPARATE.items()), broken]).ranking
    assert ranking.runs[-1].name == "wide_seed=4"
    assert (ranking.groups[0].runs, ranking.groups[0].broken) == (4, 1)
    assert ranking.groups[0].mean == pytest.approx(0.31)
    assert "1 of 4 runs of wide broke down" in ranking.notes


def test_epochs_after_the_one_to_keep_are_wasted():
    kept, thrown = diagnose([run("kept", 0.3, after=0), run("thrown", 0.4, after=6)]).ranking.runs
    assert (kept.wasted, kept.wasted_share) == (None, 0.0)
    assert (thrown.wasted, thrown.wasted_share) == ((5, 10), 0.6)


def test_the_metric_that_is_asked_for_ranks_with_more_as_better():
    runs = [run("a", 0.3, val_accuracy=[0.5] * 7), run("b", 0.4, val_accuracy=[0.6] * 7)]
    assert diagnose(runs).ranking.groups[0].name == "a"
    ranking = diagnose(runs, metric="accuracy").ranking
    assert (ranking.better, ranking.groups[0].name) == ("higher", "b")


def test_runs_of_another_loss_are_not_ranked_and_a_note_says_so():
    other = History.from_lists(val_mse=[3.0, 2.0, 1.0], name="other")
    ranking = diagnose([run("a", 0.3), run("b", 0.4), other]).ranking
    assert [r.value is None for r in ranking.runs] == [False, False, True]
    assert ranking.notes == ("not ranked, for want of loss: other",)


def test_one_run_and_runs_with_nothing_in_common_have_no_ranking():
    assert diagnose(run("a", 0.3)).ranking is None
    other = History.from_lists(val_mse=[3.0, 2.0, 1.0], name="other")
    assert diagnose([run("a", 0.3), other]).ranking is None


@pytest.mark.parametrize(
    "name, group",
    [
        ("lr=0.1,seed=3", "lr=0.1"),
        ("lr0.1_s12", "lr0.1"),
        ("runs/big/seed_7/metrics", "runs/big/metrics"),
        ("seed42", "all"),
        ("random_state=3-deep", "deep"),
        ("resnet50", "resnet50"),
        ("version_3", "version_3"),
        ("dense_s", "dense_s"),
        ("classes10", "classes10"),
    ],
)
def test_a_seed_is_a_word_for_it_and_a_number(name, group):
    assert find_group(name) == group


def test_names_that_differ_in_more_than_a_seed_stay_themselves():
    assert group_runs(["a_s1", "b_s1"]) == ["a_s1", "b_s1"]


def test_a_pattern_of_ones_own_tells_seeds_and_one_that_matches_nothing_is_refused():
    ranking = rank({"a-try1": 0.3, "a-try2": 0.31, "b-try1": 0.5}, seed_pattern=r"try\d")
    assert [group.name for group in ranking.groups] == ["a", "b"]
    with pytest.raises(SchemaError, match="matches no name of a run; the first is 'a'"):
        rank({"a": 0.3, "b": 0.4}, seed_pattern="seed")
    with pytest.raises(SchemaError, match="must be a regular expression"):
        rank({"a": 0.3, "b": 0.4}, seed_pattern="(")


def test_names_lose_what_all_share_and_their_middle():
    assert shorten_names(["r/a/x/log", "r/b/x/log"], 10) == ["a", "b"]
    assert shorten_names(["same", "same"], 10) == ["same", "same"]
    (name,) = shorten_names(["a" * 20 + "z" * 20], 11)
    assert name == "aaaaa…zzzzz"


def test_very_many_runs_are_one_table_of_80_columns_the_best_first():
    rng = np.random.default_rng(0)
    names = [
        f"experiments/sweep/lr={10.0**-i:.0e}/seed={s}/log" for i in range(40) for s in range(3)
    ]
    diagnosis = diagnose([run(name, 0.3 + 0.2 * rng.random()) for name in names])
    lines = repr(diagnosis).split("\n\n")[-1].split("\n")
    assert len(lines) == 121
    assert max(map(len, lines)) <= 80
    losses = [float(line.split()[1]) for line in lines[1:]]
    assert losses == sorted(losses)


def test_few_runs_are_told_in_full_before_their_ranking():
    text = repr(diagnose([run("a", 0.3), run("b", 0.4)]))
    assert text.index("a: overfit") < text.index("b: overfit") < text.index("a has the best")


def test_the_json_keeps_its_runs_and_adds_the_ranking(tmp_path):
    for name, value in SEPARATE.items():
        curve = run(name, value).find("val", "loss").values
        rows = "".join(f"{i},{v}\n" for i, v in enumerate(curve, start=1))
        (tmp_path / f"{name}.csv").write_text(f"epoch,val_loss\n{rows}")
    done = CliRunner().invoke(cli, ["diagnose", str(tmp_path), "--json", "-"])
    document = json.loads(done.output)
    assert [r["name"] for r in document["runs"]] == sorted(SEPARATE)
    assert document["ranking"]["best"] == "wide"
    assert document["ranking"]["runs"][0] == {
        "name": "wide_seed=1",
        "group": "wide",
        "value": 0.3,
        "status": document["runs"][3]["status"],
        "best_epoch": 4,
        "last_epoch": 7,
        "wasted": [5, 7],
        "wasted_share": pytest.approx(3 / 7),
    }
    alone = CliRunner().invoke(cli, ["diagnose", str(tmp_path / "wide_seed=1.csv"), "--json", "-"])
    assert "ranking" not in json.loads(alone.output)


def test_the_seed_pattern_is_an_option_of_the_command(tmp_path):
    for name, value in {"a-1": 0.3, "a-2": 0.31, "b-1": 0.5}.items():
        losses = run(name, value).find("val", "loss").values
        rows = [{"epoch": i, "val_loss": v} for i, v in enumerate(losses, start=1)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    done = CliRunner().invoke(cli, ["diagnose", str(tmp_path), "--seed-pattern", r"-\d$"])
    assert "* a" in done.output
    assert done.exit_code == 0


def test_a_report_tells_of_the_best_of_very_many_runs_and_says_so(monkeypatch):
    monkeypatch.setattr("assay.reporting.html.MOST_RUNS", 2)
    monkeypatch.setattr("assay.reporting.prose.MOST_RUNS", 2)
    table = Predictions.from_arrays(["a", "b"] * 20, {"m": ["a", "b"] * 20})
    made = report(table, histories=[run(f"run{i}", 0.5 - 0.1 * i) for i in range(4)])
    page = made.to_html()
    assert "The best 2 of 4 runs" in page
    assert "run3 has the best validation loss" in page
    assert "Loss of run2" in page
    assert "Loss of run1" not in page
    assert "run0:" not in made.verdict
