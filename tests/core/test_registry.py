"""The registry: canonical text, and third-party members."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.core.members import MEMBERS
from assay.errors import NameLookupError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS, Average, Ratio, RowMetric
from assay.states.base import State
from assay.table.predictions import Predictions


def test_a_metric_of_ones_own_is_registered_by_defining_it():
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
    result = evaluate(p, "within(tolerance=0.5)")
    assert result.value == pytest.approx(2 / 3)
    assert result.metrics == ["within(tolerance=0.5)"]


def test_a_metric_that_one_test_registers_is_unknown_to_the_next():
    assert "within" not in METRICS.names()


def test_a_ratio_of_ones_own_gets_averages_and_intervals_for_nothing():
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
        ("f1_score", "f1"),
        ("log_loss_score", "log_loss"),
        ("hit-rate", "recall"),
        ("fall-out", "false_positive_rate"),
    ],
)
def test_a_name_that_others_use_leads_to_ours(theirs, ours):
    with pytest.raises(NameLookupError, match=rf"Did you mean {ours}\?"):
        METRICS.parse(theirs)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("f1_macro", "f1(average=macro)"),
        ("recall_samples", "recall(average=samples)"),
        ("sensitivity_weighted", "recall(average=weighted)"),
        ("roc_auc_ovo_weighted", "roc_auc_ovo(average=weighted)"),
        ("kappa_linear", "cohen_kappa(weights=linear)"),
        ("qwk", "cohen_kappa(weights=quadratic)"),
        ("f2", "f_beta(beta=2)"),
        ("f2(average=micro)", "f_beta(beta=2, average=micro)"),
        ("neg_root_mean_squared_error", "rmse"),
        ("neg_brier_score", "brier(scale_by_half=true)"),
        ("PR_AUC", "average_precision"),
        ("roc-auc", "roc_auc"),
        ("R2", "r2"),
        ("fnr", "false_negative_rate"),
        ("tnr", "specificity"),
        ("eer", "equal_error_rate"),
        ("youden", "informedness"),
        ("kendall", "kendall_tau"),
    ],
)
def test_a_name_of_other_libraries_is_taken_and_shown_as_ours(theirs, ours):
    assert str(METRICS.parse(theirs)) == ours


def test_every_scorer_of_scikit_learn_that_judges_classes_or_numbers_is_taken():
    from sklearn.metrics import cluster, get_scorer_names

    clusters = {*cluster.__all__, "adjusted_mutual_info_score"}
    refused = []
    for name in set(get_scorer_names()) - clusters:
        try:
            METRICS.parse(name)
        except NameLookupError as error:
            refused.append(f"{name}: {error}")
    assert all("Did you mean d2_" in text for text in refused), refused


def test_a_parameter_that_an_alias_stands_for_is_not_given_again():
    with pytest.raises(NameLookupError, match="beta is given twice"):
        METRICS.parse("f2(beta=3)")


def test_a_member_of_a_name_comes_before_an_alias_of_another():
    with METRICS.isolate():

        class Youden(Ratio):
            name = "youden"

            def parts(self, c):
                return c.tp, c.support

        assert METRICS["youden"] is Youden


def test_only_the_modules_that_have_the_metrics_asked_for_are_imported():
    code = (
        "import sys; from assay.metrics.base import METRICS; METRICS['mcc'], METRICS['log_loss']; "
        "print(sorted(m for m in sys.modules if m.startswith('assay.metrics.')))"
    )
    modules = ["agreement", "base", "probability"]
    assert run_python(code) == str([f"assay.metrics.{module}" for module in modules])


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_index_of_members_is_what_the_modules_define(registries):
    for registry in registries:
        if registry.family in MEMBERS:
            assert registry.index() == MEMBERS[registry.family], "run `make docs`"


@pytest.mark.parametrize("listed", ["{}", "{'metrics': {'mcc': 'probability', 'f1': 'gone'}}"])
def test_a_member_is_found_where_the_index_is_empty_or_stale(listed):
    code = (
        f"import assay.core.members as index; index.MEMBERS = {listed}; "
        "from assay.metrics.base import METRICS; "
        "print(METRICS['mcc'].name, METRICS['f1'].name)"
    )
    assert run_python(code) == "mcc f1"


def test_members_are_found_in_a_zipped_install(tmp_path):
    package = Path(assay.__file__).parent
    archive = tmp_path / "assay.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in package.rglob("*.py"):
            zipped.write(path, path.relative_to(package.parent))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); import assay; "
        "from assay.metrics.base import METRICS; METRICS['mcc']; "
        "print('assay.zip' in assay.__file__, 'assay.metrics.probability' in sys.modules)"
    )
    assert run_python(code) == "True False"


def test_what_is_registered_in_isolation_is_gone_afterwards():
    recall = METRICS["recall"]
    with METRICS.isolate():

        class Other(Ratio):
            name = "other"

        class Another(Ratio):
            name = "recall"

        assert METRICS["other"] is Other
        assert METRICS["recall"] is Another
    assert METRICS["recall"] is recall
    with pytest.raises(NameLookupError, match="other"):
        METRICS.parse("other")


def test_members_that_were_not_imported_before_an_isolation_stay_after_it():
    code = (
        "from assay.metrics.base import METRICS\n"
        "with METRICS.isolate(): from assay.metrics.agreement import Mcc\n"
        "print(METRICS['mcc'] is Mcc)"
    )
    assert run_python(code) == "True"


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accuracy(normalize=False)", "tp(average=micro) counts the rows that are right"),
        ("recall(labels=[1, 2])", "f1(average=macro, only=cat|dog)"),
        ("roc_auc(multi_class=ovo)", "one against one roc_auc_ovo"),
        ("f1(pos_label=yes)", "the positive class is that of the table"),
    ],
)
def test_a_parameter_that_other_libraries_have_is_answered_with_what_stands_for_it(text, told):
    with pytest.raises(NameLookupError) as raised:
        METRICS.parse(text)
    assert told in str(raised.value)


def test_counts_of_right_and_wrong_rows_are_those_of_scikit_learn_without_normalisation():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    y, said = list("abcabca"), list("abcbbac")
    p = Predictions.from_arrays(y, {"m": said})
    for text, score in (("tp", "accuracy_score"), ("fn", "zero_one_loss")):
        found = evaluate(p, f"{text}(average=micro)", intervals=False).value
        assert found == getattr(sklearn_metrics, score)(y, said, normalize=False)


def test_the_other_names_of_a_base_are_not_taken_by_what_is_derived_from_it():
    assert str(METRICS.parse("pixel_accuracy")) == "accuracy"
    assert str(METRICS.parse("subset_accuracy")) == "subset_accuracy"
