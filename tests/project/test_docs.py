"""What the documents say is true: their code runs, their commands exist."""

import doctest
import importlib.util
import re
import shlex
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.metrics
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

import assay
from assay.cli import load_commands, main
from assay.fusions.base import FUSIONS
from assay.metrics.base import METRICS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README, CONTRIBUTING = ((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = load_iris(return_X_y=True)
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss\n" + "".join(f"{i},{1 / i},{1.1 / i}\n" for i in range(1, 9))
    )
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 90)
    proba = [0.6 * np.eye(3)[truth] + 0.4 * rng.dirichlet(np.ones(3), 90) for _ in range(2)]
    names = {
        "assay": assay, "X": X, "LogisticRegression": lambda: LogisticRegression(max_iter=1000),
        "RandomForestClassifier": lambda: RandomForestClassifier(10, random_state=0),
        "y": np.array(["cat", "dog", "fox"])[truth], "proba_a": proba[0], "proba_b": proba[1],
        "df": pd.DataFrame({"target": truth, "m.label": proba[0].argmax(axis=1)}),
        "y_pred": np.array(["cat", "dog", "fox"])[proba[0].argmax(axis=1)],
        "site": np.array(["north", "south"])[rng.integers(0, 2, 90)],
    }  # fmt: skip
    for code in blocks(README, "python"):
        first, _, rest = code.partition("# scikit-learn estimators")
        exec(first, names)
        names["y"] = y
        exec(rest.partition("\n")[2], names)
    assert (tmp_path / "report.html").exists()


def test_the_python_and_the_commands_of_the_page_on_deciding_run(tmp_path, monkeypatch, capsys):
    page = (DOCS / "deciding.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks(page, "python")), {})
    for i in range(1, 7):
        (tmp_path / f"set{i}.parquet").write_bytes((tmp_path / "preds.parquet").read_bytes())
    commands = re.findall(r"^(assay .*?)(?: +#.*)?$", page, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        with suppress(SystemExit):
            main(shlex.split(command)[1:])
        assert not [
            line for line in capsys.readouterr().err.splitlines() if "check failed" not in line
        ], command


def test_every_command_is_in_the_readme_and_every_command_of_the_readme_exists():
    shown = set(re.findall(r"^assay (\w+)", README, flags=re.MULTILINE))
    assert shown | {"demo"} == set(load_commands())


def test_the_metric_that_contributing_shows_is_a_metric():
    lead = (
        "from dataclasses import dataclass\nfrom assay.kernels import Array\n"
        "from assay.metrics.base import Average, Ratio\n"
        "from assay.states.confusion import Counts\n"
    )
    exec(lead + blocks(CONTRIBUTING, "python")[0], {"__name__": "shown"})
    y, said = [0, 1, 1, 1, 0, 1], [1, 1, 0, 1, 0, 0]
    p = assay.Predictions.from_arrays(y, {"m": said})
    row = assay.evaluate(p, "miss_rate").rows[0]
    assert row.value == pytest.approx(1 - recall_score(y, said))
    assert row.method == "wilson"


@pytest.mark.parametrize("name", sorted(assay.ROOMS))
def test_every_public_name_says_what_it_is(name):
    assert len(getattr(assay, name).__doc__ or "") > 40


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_what_the_generator_writes(generate):
    found = generate.pages()
    if (
        f"scikit-learn {'.'.join(sklearn.__version__.split('.')[:2])}:"
        not in (DOCS / "gaps.md").read_text()
    ):
        del found["gaps.md"]  # the gaps are those of one version
    stale = [
        path
        for path, text in found.items()
        if not (DOCS / path).exists() or (DOCS / path).read_text() != text
    ]
    assert not stale, "run 'make docs' and commit the pages"
    assert {path.name for path in (DOCS / "metrics").glob("*.md")} == {
        Path(path).name for path in found if path.startswith("metrics/")
    }


def test_the_committed_notebooks_are_the_cells_of_their_scripts(generate):
    found = generate.notebooks()
    committed = {path.name for path in (DOCS.parent / "examples").glob("*.ipynb")}
    assert committed == set(found)
    for name, text in found.items():
        assert (DOCS.parent / "examples" / name).read_text() == text, "run make docs"


def test_every_metric_has_a_page_with_an_example_and_is_in_the_index(generate):
    index = (DOCS / "metrics" / "README.md").read_text()
    for name in generate.list_own_metrics():
        assert ">>> " in (DOCS / "metrics" / f"{name}.md").read_text(), name
        assert f"]({name}.md)" in index, name


@pytest.mark.parametrize(
    "path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS))
)
def test_the_examples_of_a_page_are_right(path):
    code = "\n".join(block for block in blocks(path.read_text(), "python") if ">>>" in block)
    examples = doctest.DocTestParser().get_doctest(code, {}, path.name, str(path), 0)
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False
    )
    assert runner.run(examples).failed == 0


@pytest.mark.parametrize(
    "path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS))
)
def test_the_links_of_a_page_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", re.sub(r"`[^`]*`", "", path.read_text())):
        assert (path.parent / target).exists(), target


def test_what_scikit_learn_has_is_covered_or_listed_as_missing(generate):
    text = generate.gaps()
    assert "| `f1_score` | [f1](metrics/f1.md) |" in text
    assert all(
        f"`{name}`" in text
        for name in sklearn.metrics.__all__
        if name.endswith(("_score", "_loss", "_error"))
        and name not in sklearn.metrics.cluster.__all__
    )


def test_which_metric_names_only_metrics_that_there_are():
    text = (DOCS / "which-metric.md").read_text()
    assert set(re.findall(r"metrics/(\w+)\.md", text)) - {"README"} <= set(METRICS.names())


def test_the_page_on_fusion_names_every_fusion_and_runs():
    page = (DOCS / "fusion.md").read_text()
    table = page.partition("## How much it gains")[0]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)))
    assert {FUSIONS.parse(name).name for name in named} == set(FUSIONS.names())


def test_the_python_of_the_page_on_fusion_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    models = {f"{m}.proba": np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 60), 0, 1) for m in "ab"}
    p = assay.Predictions.from_arrays(y, models, positive=1)
    for code in blocks((DOCS / "fusion.md").read_text(), "python"):
        exec(code, {"assay": assay, "p": p})
    assert (tmp_path / "fusion.json").exists()
