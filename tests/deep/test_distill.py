"""A student taught by a pool: tables, probabilities and networks of PyTorch."""

import copy

import numpy as np
import pytest

import assay
from assay.errors import NameLookupError, SchemaError, UnsupportedError

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

RNG = np.random.default_rng(11)
X = RNG.normal(size=(300, 4)).astype("float32")
LOGITS = 3 * X @ RNG.normal(size=(4, 3))
SOFT = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
Y = np.array([RNG.choice(3, p=p) for p in SOFT])
TRAIN, VAL = slice(0, 60), slice(60, None)
ROWS, CHECKS = (X[TRAIN], Y[TRAIN]), (X[VAL], Y[VAL])
SHORT = {"epochs": 2}


def make_student(outputs=3):
    torch.manual_seed(0)
    return nn.Linear(4, outputs)


def distill(teacher=SOFT[TRAIN], student=None, train=ROWS, val=CHECKS, **options):
    return assay.distill(teacher, student or make_student(), train, val, **{**SHORT, **options})


@pytest.mark.slow
def test_a_student_of_the_true_probabilities_beats_one_of_few_hard_labels():
    few = slice(0, 16)
    options = {"epochs": 60, "patience": 60, "learning_rate": 0.1, "temperature": 1.0}
    made = distill(SOFT[few], train=(X[few], Y[few]), hard=0.0, teacher_val=SOFT[VAL], **options)
    rivals = {rival.name: rival for rival in made.rivals}
    assert rivals["hard labels alone"].answer == "better"
    assert rivals["hard labels alone"].high < 0
    table = assay.collect({"student": made.module}, X[VAL], Y[VAL])
    assert assay.evaluate(table, "log_loss", intervals=False).value == pytest.approx(made.loss)
    assert assay.diagnose(made.history).runs[0].best_epoch == made.best_epoch
    assert made.verdict.startswith("The student has validation log_loss")


def test_hard_labels_alone_are_what_hard_1_trains():
    made = distill(hard=1.0)
    assert made.rivals[0].name == "hard labels alone"
    assert made.rivals[0].difference == 0
    assert "give teacher_val" in made.notes[1]


def test_the_student_given_stays_as_it_is():
    student = make_student()
    before = copy.deepcopy(student.state_dict())
    made = distill(student=student)
    assert made.module is not student
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())


def test_a_fused_table_teaches_by_its_cross_fitted_column():
    columns = {"a.proba": SOFT[TRAIN], "b.proba": np.full((60, 3), 1 / 3)}
    table = assay.Predictions.from_arrays(Y[TRAIN], columns)
    fused = assay.fuse(table, "mean")
    of_fused = distill(fused)
    mean = (SOFT[TRAIN] + 1 / 3) / 2
    assert of_fused.loss == pytest.approx(distill(mean).loss)
    assert distill(fused.predictions).loss == of_fused.loss
    assert distill(table, model="a").loss == pytest.approx(distill().loss)


def test_networks_teach_by_their_mean_and_are_compared_on_the_validation_rows():
    torch.manual_seed(3)
    pool = {"a": nn.Linear(4, 3), "b": nn.Linear(4, 3)}
    made = distill(pool, n_classes=3)
    assert [rival.name for rival in made.rivals] == ["hard labels alone", "pool"]
    proba = [net(torch.as_tensor(X[VAL])).softmax(1).detach().numpy() for net in pool.values()]
    pooled = np.mean(proba, axis=0)[np.arange(240), Y[VAL]]
    assert made.rivals[1].loss == pytest.approx(-np.log(pooled).mean(), rel=1e-5)


def test_several_labels_and_values_are_learnt_too():
    labels = (SOFT > 0.4).astype(int)
    made = distill(
        SOFT[TRAIN],
        train=(X[TRAIN], labels[TRAIN]),
        val=(X[VAL], labels[VAL]),
        task="multilabel",
        teacher_val=SOFT[VAL],
    )
    assert len(made.rivals) == 2
    values = LOGITS[:, 0]
    made = assay.distill(
        values[TRAIN],
        make_student(1),
        (X[TRAIN], values[TRAIN]),
        (X[VAL], values[VAL]),
        task="regression",
        hard=0.0,
        epochs=200,
        learning_rate=0.1,
    )
    assert made.metric == "mse"
    assert made.loss < 0.05 * values.var()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature must be above 0"),
        ({"hard": 1.5}, "hard must be from 0 to 1"),
        ({"val": None}, "val is missing"),
        ({"student": 3}, "'student' is of type int; expected a torch.nn.Module"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(UnsupportedError, match=message):
        distill(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher": SOFT[VAL]}, r"says something of shape \(240, 3\); 60 rows need \(60, 3\)"),
        ({"teacher": LOGITS[TRAIN]}, "must give probabilities, from 0 to 1, each row summing to 1"),
        ({"teacher": SOFT[TRAIN] * np.nan}, "says something that is not finite"),
        ({"student": nn.Linear(4, 2)}, r"outputs of shape \(60, 2\); expected logits \(n, 3\)"),
        ({"train": (X[TRAIN], Y[TRAIN] + 1)}, "holds class 3"),
    ],
)
def test_a_pool_and_a_student_that_do_not_fit_are_refused(options, message):
    with pytest.raises(SchemaError, match=message):
        distill(**options)


def test_a_table_of_other_rows_or_of_several_models_does_not_teach():
    columns = {"a.proba": SOFT[TRAIN], "b.proba": SOFT[TRAIN]}
    table = assay.Predictions.from_arrays(Y[TRAIN], columns)
    with pytest.raises(NameLookupError, match="has the models a, b; name the one that teaches by"):
        distill(table)
    with pytest.raises(SchemaError, match="another truth than the rows"):
        distill(table, model="a", train=(X[TRAIN], Y[TRAIN][::-1].copy()))
