"""The registry: canonical text, and third-party members."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from assay.errors import NameLookupError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS, Average, Ratio, RowMetric
from assay.states.base import State
from assay.table.predictions import Predictions


@pytest.fixture
def clean_shelf():
    before = dict(METRICS._classes)
    METRICS.load()
    yield
    METRICS._classes = {
        name: cls
        for name, cls in METRICS._classes.items()
        if name in before or cls.__module__ != __name__
    }


def test_a_metric_of_ones_own_is_registered_by_defining_it(clean_shelf):
    @dataclass(frozen=True)
    class Within(RowMetric):
        """Share of predictions within a tolerance of the truth."""

        name = "within"
        tolerance: float = 1.0
        reads = "value"
        tasks = frozenset({"regression"})

        def compute_rows(self, rows):
            return np.abs(rows.truth - rows.value) <= self.tolerance

    p = Predictions.from_arrays([1.0, 2.0, 3.0], {"m": [1.2, 2.6, 3.1]}, task="regression")
    found = evaluate(p, "within(tolerance=0.5)")
    assert found.value == pytest.approx(2 / 3)
    assert found.metrics == ["within(tolerance=0.5)"]


def test_a_ratio_of_ones_own_gets_averages_and_intervals_for_nothing(clean_shelf):
    @dataclass(frozen=True)
    class Jaccard(Ratio):
        """Overlap of the true and the predicted rows of a class."""

        name = "my_jaccard"
        average: Average = "auto"

        def parts(self, c):
            return c.tp, c.support + c.predicted - c.tp

    p = Predictions.from_arrays(["a", "b", "c", "a"], {"m": ["a", "b", "b", "a"]})
    rows = evaluate(p, ["my_jaccard", "my_jaccard(average=none)"]).rows
    assert rows[0].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert all(r.low <= r.value <= r.high for r in rows)


@pytest.mark.parametrize(
    "text", ["f1", "f1(average=micro)", "f_beta(beta=2)", " f_beta( beta = 2.0 , average=macro ) "]
)
def test_reading_the_canonical_text_gives_it_back(text):
    canonical = str(METRICS.parse(text))
    assert str(METRICS.parse(canonical)) == canonical


def test_an_unknown_name_suggests_close_ones_or_the_list():
    with pytest.raises(NameLookupError, match="Did you mean"):
        METRICS.parse("acuracy")
    with pytest.raises(NameLookupError, match="assay list metrics"):
        METRICS.parse("zzzz")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("f1_score", "f1"), ("matthews_corrcoef", "mcc"), ("mean_squared_error", "mse"), ("auc", "roc_auc"),
        ("PR_AUC", "average_precision"), ("iou", "jaccard"), ("dice", "f1"), ("sensitivity", "recall"),
        ("fpr", "false_positive_rate"), ("qwk", "cohen_kappa"), ("cross_entropy", "log_loss"),
    ],
)  # fmt: skip
def test_a_name_that_others_use_leads_to_ours(theirs, ours):
    with pytest.raises(NameLookupError, match=rf"Did you mean {ours}\?"):
        METRICS.parse(theirs)


def test_only_the_modules_that_have_the_metrics_asked_for_are_imported():
    code = (
        "import sys; from assay.metrics.base import METRICS; METRICS['mcc'], METRICS['log_loss']; "
        "print(sorted(m for m in sys.modules if m.startswith('assay.metrics.') and m != 'assay.metrics.base'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['assay.metrics.agreement', 'assay.metrics.probability']"


def test_members_without_parameters_are_equal_by_their_class_alone():
    accuracy, mcc = (type(METRICS.parse(name)) for name in ("accuracy", "mcc"))
    assert accuracy() == accuracy() != mcc()
    assert len({accuracy(), accuracy(), mcc()}) == 2


def test_an_average_may_be_given_by_position_where_it_is_the_first_parameter():
    f1, f_beta = (type(METRICS.parse(name)) for name in ("f1", "f_beta"))
    assert (str(f1("macro")), str(f_beta(2.0))) == ("f1(average=macro)", "f_beta(beta=2)")


class Above(State):
    """Rows of a score above a bar: a state that is no dataclass."""

    def __init__(self, bar):
        self.bar = bar

    def empty(self, schema, cells=1):
        return np.zeros(cells)

    def observe(self, rows, cell=None, cells=1):
        return np.array([np.count_nonzero(rows.score > self.bar)])

    def merge(self, a, b):
        return a + b

    def select(self, value, cells):
        return value[cells]

    def resample(self, value, times):
        return times @ value

    def summary(self, value, schema):
        return value


def test_states_with_an_initialiser_of_their_own_are_told_apart():
    assert Above(0.1) != Above(0.9)
