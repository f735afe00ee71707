"""One file adds a member of any family, from outside the package.

It is listed, documented, used and checked.
"""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = {
    "metrics": '''
from assay import Metric
from assay.metrics.base import Ratio

class MissRate(Ratio):
    """Of the rows of a class, the share predicted as another: in [0, 1], lower is better.

    >>> MissRate()([0, 1, 1, 1], [1, 1, 0, 1])
    0.3333
    """

    name = "plugged"
    better = "lower"
    proportion = True
    undefined = "no_positive"
    cases = ({"average": "macro"},)

    def parts(self, c):
        return c.fn, c.support
''',
    "fusions": '''
from dataclasses import dataclass
from assay import Fusion

@dataclass(frozen=True)
class Plugged(Fusion):
    """Equal weights, from a file of one's own."""

    name = "plugged"
    learns = False

    def solve(self, evidence, *, seed):
        from assay.fusions.mean import Mean
        from dataclasses import replace
        return replace(Mean().solve(evidence, seed=seed), how="plugged")
''',
    "adapters": '''
from assay import Adapter

class Ruler:
    """A model of a framework that nobody knows."""

    def says(self, x):
        return x[:, 0] > 1.5

class Plugged(Adapter):
    """Models of a framework of one's own."""

    name = "plugged"
    modules = (__name__,)

    def accepts(self, model):
        return isinstance(model, Ruler)

    def task(self, model, y):
        return "binary"

    def classes(self, model):
        return (0, 1)

    def predict(self, model, inputs, *, device=None):
        return {"label": model.says(inputs).astype(int)}
''',
    "readers": '''
from assay import History, Reader

class Plugged(Reader):
    """A binary log of one's own: a mark, then one loss a byte, in hundredths."""

    name = "plugged"
    suffixes = (".bin",)

    def matches(self, place):
        begins = place.is_file() and place.read_bytes()[:2] == b"\\xff\\x00"
        return begins and place.suffix == ".bin"

    def read(self, place):
        losses = [byte / 100 for byte in place.read_bytes()[2:]]
        return [History.from_lists(val_loss=losses, name=place.stem)]
''',
    "engines": '''
from dataclasses import dataclass
from assay import Engine

@dataclass(frozen=True)
class Plugged(Engine):
    """One part after another, on one thread."""

    name = "plugged"

    def map(self, task, parts):
        for part in parts:
            yield task(part)
''',
    "charts": '''
from assay.charts.base import register

@register(draws="assay.comparison/1")
def plugged(comparison):
    """How many pairs there are, as a picture."""
    import altair
    return altair.Chart(altair.Data(values=[{"pairs": len(comparison.pairs)}])).mark_bar()
''',
    "checks": '''
from assay import Advice, Check

class Plugged(Check):
    """Whether anyone looks."""

    name = "plugged"

    def find(self, context):
        return [Advice("X001", "Somebody looks.", f"{context.table.n} rows.", "Look back.")]
''',
}  # fmt: skip

# What shows that the member is not only listed: commands, and what they print.
USES = {
    "metrics": (["evaluate", "p.csv", "--metric", "plugged"], "plugged"),
    "fusions": (["fuse", "p.csv", "--how", "plugged", "-o", "fused.csv"], "plugged"),
    "readers": (["diagnose", "log.bin"], "log"),
    "engines": (["evaluate", "p.csv", "--metric", "accuracy", "--engine", "plugged"], "accuracy"),
    "checks": (["evaluate", "p.csv", "--metric", "accuracy"], "X001 Somebody looks."),
}

CHECKS = {
    "metrics": "check_metric('plugged', repeats=2)",
    "fusions": "check_fusion('plugged', repeats=1)",
    "adapters": "check_adapter(plugin.Ruler(), numpy.arange(4.0)[:, None], [0, 0, 1, 1])",
    "readers": "check_reader('plugged', 'log.bin')",
    "engines": "check_engine('plugged', repeats=1)",
}


@pytest.fixture
def folder(tmp_path):
    rows = ["y,a.proba.no,a.proba.yes,b.proba.no,b.proba.yes"]
    for i in range(60):
        p = 0.2 + 0.6 * (i % 2) + 0.01 * (i % 7)
        truth = "yes" if i % 2 else "no"
        rows.append(f"{truth},{1 - p:.2f},{p:.2f},{0.9 - p / 2:.3f},{0.1 + p / 2:.3f}")
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "log.bin").write_bytes(b"\xff\x00" + bytes([90, 70, 60, 55, 54, 54]))
    return tmp_path


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def assay(folder, *arguments):
    return run(folder, sys.executable, "-m", "assay", "--plugin", "plugin.py", *arguments)


@pytest.mark.parametrize("family", PLUGINS)
def test_a_member_from_a_file_is_listed(folder, family):
    (folder / "plugin.py").write_text(PLUGINS[family])
    assert "plugged " in assay(folder, "list", family)


@pytest.mark.parametrize("family", USES)
def test_a_member_from_a_file_does_its_work_on_the_command_line(folder, family):
    (folder / "plugin.py").write_text(PLUGINS[family])
    command, shown = USES[family]
    assert shown in assay(folder, *command)


@pytest.mark.parametrize("family", CHECKS)
def test_a_member_from_a_file_keeps_the_laws_of_its_family(folder, family):
    (folder / "plugin.py").write_text(PLUGINS[family])
    code = f"import numpy, plugin; from assay.testing import *; {CHECKS[family]}"
    run(folder, sys.executable, "-c", code)


def test_a_chart_from_a_file_draws_its_result(folder):
    (folder / "plugin.py").write_text(PLUGINS["charts"])
    code = "import plugin, assay; print(assay.compare('p.csv').chart('plugged').to_dict()['mark'])"
    assert "bar" in run(folder, sys.executable, "-c", code)


def test_the_generator_of_the_docs_writes_a_page_for_a_metric_from_a_file(folder):
    (folder / "plugin.py").write_text(PLUGINS["metrics"])
    docs = Path(__file__).parents[2] / "docs"
    code = (
        f"import sys; sys.path.insert(0, {str(docs)!r}); import plugin, generate; "
        "from assay.metrics.base import METRICS; print(generate.page(METRICS['plugged']))"
    )
    assert "# plugged" in run(folder, sys.executable, "-c", code)
