"""What collect makes of sessions of ONNX Runtime, of scikit-learn's models and PyTorch's."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import assay
from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.testing.adapters import check_adapter

runtime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
pytestmark = pytest.mark.filterwarnings("default")

X = np.random.default_rng(8).normal(size=(60, 3)).astype("float32")
Y = np.digitize(X[:, 0], [-0.5, 0.5])
NAMES = np.array(["low", "mid", "top"])[Y]


def open_session(model, rows=None, options=None):
    types = [("X", skl2onnx.common.data_types.FloatTensorType([rows, 3]))]
    made = skl2onnx.convert_sklearn(model, initial_types=types, options=options)
    return runtime.InferenceSession(made.SerializeToString())


def convert(model, zipmap=True):
    return open_session(model, options=None if zipmap else {id(model): {"zipmap": False}})


def test_probabilities_of_a_dictionary_for_each_row_name_their_classes():
    model = LogisticRegression().fit(X, NAMES)
    session = convert(model)
    assert find_adapter(session).name == "onnx"
    p = collect({"m": session}, X, NAMES)
    assert p.schema.models == {"m": ("label", "proba")}
    assert p.classes == ("low", "mid", "top")
    assert p.outputs["m"]["proba"] == pytest.approx(model.predict_proba(X), abs=1e-5)


def test_an_array_of_probabilities_does_not_name_its_classes():
    session = convert(LogisticRegression().fit(X, NAMES), zipmap=False)
    with pytest.raises(UnsupportedError, match=r"3 output columns.*classes=\[\.\.\.\]"):
        collect({"m": session}, X, NAMES)
    p = collect({"m": session}, X, NAMES, classes=["low", "mid", "top"])
    named = collect({"m": convert(LogisticRegression().fit(X, NAMES))}, X, NAMES)
    proba = named.outputs["m"]["proba"]
    assert p.outputs["m"]["proba"] == pytest.approx(proba, abs=1e-6)


def test_the_laws_of_adapters_hold():
    check_adapter(convert(LogisticRegression().fit(X, Y), zipmap=False), X[:7], Y[:7])
    y = X[:, 0] * 2
    check_adapter(convert(LinearRegression().fit(X, y)), X[:7], y[:7])


def test_margins_under_the_name_of_probabilities_are_logits():
    """LinearSVC of three classes names its margins "probabilities" (skl2onnx 1.20)."""
    model = LinearSVC().fit(X, Y)
    session = convert(model)
    assert "probabilities" in [output.name for output in session.get_outputs()]
    p = collect({"m": session}, X, Y)
    assert p.schema.models == {"m": ("label", "logit")}


def test_a_session_of_a_fixed_number_of_rows_is_run_so_many_at_a_time():
    model = LogisticRegression().fit(X, Y)
    fixed = open_session(model, 16)
    free = convert(model)
    p = collect({"m": fixed}, X, Y)
    assert p == collect({"m": free}, X, Y)


def test_logits_of_pytorch_stay_logits_and_several_inputs_go_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Pair(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(3, 3)

        def forward(self, a, b):
            return self.net(a) - b

    net = Pair().eval()
    path = tmp_path / "pair.onnx"
    x = torch.as_tensor(X)
    dim = torch.export.Dim("rows")
    torch.onnx.export(
        net, (x, x), path, input_names=["a", "b"], dynamic_shapes=({0: dim}, {0: dim}), dynamo=True,
        verbose=False,
    )  # fmt: skip
    session = runtime.InferenceSession(path)
    p = collect({"m": session}, {"a": X, "b": X}, Y, batch_size=7)
    assert p.schema.models == {"m": ("logit",)}
    assert p.outputs["m"]["logit"] == pytest.approx(net(x, x).detach().numpy(), abs=1e-5)
    with pytest.raises(UnsupportedError, match=r"several inputs.*dictionary of arrays"):
        collect({"m": session}, X, Y)
    with pytest.raises(UnsupportedError, match="wants the input 'b'; the data have a"):
        collect({"m": session}, {"a": X}, Y)


def test_several_numbers_a_row_are_several_outputs():
    from sklearn.linear_model import LinearRegression

    inputs = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    truth = inputs[:, :2] * 3
    model = LinearRegression().fit(inputs, truth)
    graph = skl2onnx.to_onnx(model, inputs[:1]).SerializeToString()
    p = assay.collect({"m": runtime.InferenceSession(graph)}, inputs, truth)
    assert p.task == "multioutput"
    assert np.allclose(p.outputs["m"]["value"], model.predict(inputs), atol=1e-4)
