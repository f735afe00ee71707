"""What collect makes of nets of skorch: the output of their module, whatever the criterion."""

import numpy as np
import pytest

import assay
from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

skorch = pytest.importorskip("skorch")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")
torch.set_num_threads(1)

X = np.random.default_rng(6).normal(size=(120, 4)).astype("float32")
Y = np.digitize(X[:, 0], [-0.5, 0.5])


class Layers(torch.nn.Module):
    def __init__(self, out=3, last=None):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, out)
        )
        self.last = last or torch.nn.Identity()

    def forward(self, x):
        output = self.last(self.layers(x))
        return output[:, 0] if output.shape[1] == 1 else output


def fit(cls=skorch.NeuralNetClassifier, y=Y, epochs=60, **options):
    torch.manual_seed(0)
    options = {"max_epochs": epochs, "lr": 0.2, "train_split": None, "verbose": 0, **options}
    return cls(Layers, **options).fit(X, y)


def test_logits_stay_logits_where_the_criterion_takes_them():
    """predict_proba of the net would give their softmax (skorch 1.4)."""
    net = fit(criterion=torch.nn.CrossEntropyLoss)
    assert find_adapter(net).name == "skorch"
    p = collect({"net": net}, X, Y)
    assert p.schema.models == {"net": ("logit",)}
    assert p.rows("net").proba == pytest.approx(net.predict_proba(X), abs=1e-6)
    assert evaluate(p, "accuracy").value > 0.85


def test_probabilities_of_the_default_criterion_are_probabilities():
    net = fit(module__last=torch.nn.Softmax(dim=1))
    p = collect({"net": net}, X, Y)
    assert p.schema.models == {"net": ("proba",)}
    assert p.outputs["net"]["proba"] == pytest.approx(net.predict_proba(X), abs=1e-6)


def test_a_binary_net_and_a_regressor_are_taken_for_what_they_are():
    y = (Y > 0).astype("float32")
    net = fit(skorch.NeuralNetBinaryClassifier, y, module__out=1)
    p = collect({"net": net}, X, y)
    assert p.schema.models == {"net": ("logit",)}
    assert evaluate(p, "roc_auc").value > 0.9
    amounts = (X[:, :1] * 2 + 1).astype("float32")
    net = fit(skorch.NeuralNetRegressor, amounts[:, 0], module__out=1, lr=0.05)
    p = collect({"net": net}, X, amounts[:, 0])
    assert (p.task, p.schema.models) == ("regression", {"net": ("value",)})
    assert p.outputs["net"]["value"] == pytest.approx(net.predict(X), abs=1e-6)


def test_the_laws_of_adapters_hold():
    check_adapter(fit(criterion=torch.nn.CrossEntropyLoss, epochs=2), X[:7], Y[:7])


def test_labels_that_do_not_begin_at_0_have_a_column_for_0():
    """classes_ of a net that was trained on 1 and 2 is [1, 2], its columns are of 0, 1, 2."""
    y = np.clip(Y, 1, 2)
    net = fit(y=y, criterion=torch.nn.CrossEntropyLoss)
    assert net.classes_.tolist() == [1, 2]
    p = collect({"net": net}, X, y)
    assert p.classes == (0, 1, 2)
    assert evaluate(p, "accuracy").value > 0.85


def test_a_net_that_is_not_fitted_is_one_sentence():
    with pytest.raises(UnsupportedError, match="model 'net' is not fitted: fit it before"):
        collect({"net": skorch.NeuralNetClassifier(Layers)}, X, Y)


def test_a_regressor_of_several_outputs_is_collected_and_cross_validated():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 4)).astype(np.float32)
    truth = (inputs[:, :2] * 3).astype(np.float32)
    net = skorch.NeuralNetRegressor(torch.nn.Linear(4, 2), max_epochs=1, verbose=0)
    table = assay.cross_validate({"net": net}, inputs, truth, cv=2)
    assert (table.task, table.outputs["net"]["value"].shape) == ("multioutput", (40, 2))
    p = assay.collect({"net": net.fit(inputs, truth)}, inputs, truth)
    assert np.allclose(p.outputs["net"]["value"], net.predict(inputs), rtol=1e-6)
