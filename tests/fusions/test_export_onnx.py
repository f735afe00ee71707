"""A fusion and its models as one ONNX graph, run by ONNX Runtime."""

import numpy as np
import pytest

import assay
from assay.errors import UnsupportedError

pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # noqa: E402

HOWS = ("mean", "weighted", "geometric", "log_pool", "performance", "tempered", "stacking", "auto")
RNG = np.random.default_rng(3)
X = RNG.normal(size=(400, 5)).astype("float32")
FIT, JUDGE, NEW = slice(0, 150), slice(150, 300), slice(300, None)
CODES = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 0.8)
NAMES = np.array(["oak", "ash", "elm"])[CODES]


def run(path, feeds):
    session = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def fuse_models(models, y, how, columns=X):
    fitted = {name: model.fit(columns[FIT], y[FIT]) for name, model in models.items()}
    return fitted, assay.fuse(assay.collect(fitted, columns[JUDGE], y[JUDGE]), how)


@pytest.mark.parametrize("how", HOWS)
def test_a_graph_gives_what_the_fusion_predicts(how, tmp_path):
    models = {"line": LogisticRegression(), "bayes": GaussianNB()}
    models, fused = fuse_models(models, NAMES, how)
    notes = fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})
    table = assay.collect(models, X[NEW], NAMES[NEW])
    wanted = fused.predict(table).outputs["fused"]["proba"]
    np.testing.assert_allclose(given["probabilities"], wanted, atol=1e-5)
    labels = np.array(table.classes)[wanted.argmax(axis=1)]
    assert (given["label"] == labels).all()
    assert notes[0].startswith("On 100 rows the graph differs from the models by at most")


@pytest.mark.parametrize("how", ["mean", "weighted", "stacking"])
def test_a_regression_is_exported_as_values(how, tmp_path):
    y = X[:, 0] * 3 + X[:, 1] ** 2
    models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=4)}
    models, fused = fuse_models(models, y, how)
    fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    table = assay.collect(models, X[NEW], y[NEW])
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})["variable"]
    np.testing.assert_allclose(given, fused.predict(table).outputs["fused"]["value"], atol=1e-5)


@pytest.mark.parametrize("how", ["mean", "log_pool", "stacking"])
def test_several_labels_are_exported(how, tmp_path):
    y = (X[:, :3] > 0.3).astype(int)
    models = {
        "small": MLPClassifier(4, max_iter=300, tol=0.01, random_state=0),
        "large": MLPClassifier(9, max_iter=300, tol=0.01, random_state=1),
    }
    models, fused = fuse_models(models, y, how)
    fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    table = assay.collect(models, X[NEW], y[NEW])
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})["probabilities"]
    np.testing.assert_allclose(given, fused.predict(table).outputs["fused"]["proba"], atol=1e-5)


@pytest.mark.parametrize("size", [1, 2])
def test_a_module_of_pytorch_and_an_estimator_make_one_graph(size, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    y = (X[:, 0] > 0).astype(int)
    models = {"net": torch.nn.Linear(5, size), "line": LogisticRegression().fit(X[FIT], y[FIT])}
    fused = assay.fuse(assay.collect(models, X[JUDGE], y[JUDGE]), "log_pool")
    fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    wanted = fused.predict(assay.collect(models, X[NEW], y[NEW])).outputs["fused"]["proba"]
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})["probabilities"]
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_a_graph_that_a_converter_makes_wrong_is_refused_and_not_written(tmp_path):
    y = (X[:, :2] > 0.3).astype(int)  # skl2onnx 1.20 gives four columns for two labels of an MLP
    models = {f"net{i}": MLPClassifier(3, max_iter=300, tol=0.01, random_state=i) for i in (0, 1)}
    models, fused = fuse_models(models, y, "mean")
    with pytest.raises(
        UnsupportedError, match=r"the graph gives probabilities of shape \(100, 4\)"
    ):
        fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    assert not (tmp_path / "pool.onnx").exists()


def test_models_with_inputs_of_their_own_are_fed_by_their_names(tmp_path):
    halves = {"left": X[:, :2], "right": X[:, 2:]}
    models = {n: LogisticRegression().fit(h[FIT], NAMES[FIT]) for n, h in halves.items()}
    tables = {n: assay.collect({n: m}, halves[n][JUDGE], NAMES[JUDGE]) for n, m in models.items()}
    columns = {f"{n}.proba": table.outputs[n]["proba"] for n, table in tables.items()}
    classes = tables["left"].classes
    p = assay.Predictions.from_arrays(NAMES[JUDGE], columns, classes=classes)
    fused = assay.fuse(p, "mean")
    assay.export_onnx(fused, tmp_path / "pool.onnx", models, {n: h[NEW] for n, h in halves.items()})
    given = run(tmp_path / "pool.onnx", {n: h[NEW] for n, h in halves.items()})["probabilities"]
    wanted = np.mean([m.predict_proba(halves[n][NEW]) for n, m in models.items()], axis=0)
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_columns_of_a_data_frame_are_inputs_by_their_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": X[:, 0].astype(float), "kind": NAMES[::-1]})
    y = (X[:, 0] > 0).astype(int)
    encode = ColumnTransformer(
        [("one", OneHotEncoder(), ["kind"]), ("z", StandardScaler(), ["size"])]
    )
    models = {
        "line": make_pipeline(encode, LogisticRegression()).fit(frame, y),
        "tree": make_pipeline(encode, DecisionTreeClassifier(max_depth=2)).fit(frame, y),
    }
    fused = assay.fuse(assay.collect(models, frame, y), "mean")
    fused.export_onnx(tmp_path / "pool.onnx", models, frame)
    feeds = {"size": frame[["size"]].to_numpy("float32"), "kind": frame[["kind"]].to_numpy(object)}
    wanted = np.mean([model.predict_proba(frame) for model in models.values()], axis=0)
    given = run(tmp_path / "pool.onnx", feeds)["probabilities"]
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_a_model_that_never_saw_a_class_gives_it_nothing(tmp_path):
    seen = CODES[FIT] < 2
    models = {
        "two": LogisticRegression().fit(X[FIT][seen], CODES[FIT][seen]),
        "three": LogisticRegression().fit(X[FIT], CODES[FIT]),
    }
    proba = {name: model.predict_proba(X[JUDGE]) for name, model in models.items()}
    proba["two"] = np.pad(proba["two"], ((0, 0), (0, 1)))
    columns = {f"{name}.proba": values for name, values in proba.items()}
    fused = assay.fuse(assay.Predictions.from_arrays(CODES[JUDGE], columns), "mean")
    fused.export_onnx(tmp_path / "pool.onnx", models, X[NEW])
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})["probabilities"]
    three = models["three"].predict_proba(X[NEW])
    np.testing.assert_allclose(given[:, 2], three[:, 2] / 2, atol=1e-5)


def test_a_saved_fusion_and_a_graph_that_is_there_already_are_exported(tmp_path):
    from skl2onnx import to_onnx

    models, fused = fuse_models(
        {"line": LogisticRegression(), "bayes": GaussianNB()}, CODES, "mean"
    )
    fused.save(tmp_path / "pool.json")
    graphs = {**models, "line": to_onnx(models["line"], X[:1], options={"zipmap": False})}
    notes = assay.export_onnx(tmp_path / "pool.json", tmp_path / "pool.onnx", graphs, X[NEW])
    given = run(tmp_path / "pool.onnx", {"X": X[NEW]})["probabilities"]
    wanted = np.mean([model.predict_proba(X[NEW]) for model in models.values()], axis=0)
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    assert notes == ["The graph was not compared: 'line' was a graph already."]


def test_what_cannot_be_exported_is_named_with_the_reason(tmp_path):
    models, fused = fuse_models(
        {"line": LogisticRegression(), "bayes": GaussianNB()}, CODES, "mean"
    )
    path = tmp_path / "pool.onnx"
    with pytest.raises(UnsupportedError, match="models has no 'bayes'"):
        fused.export_onnx(path, {"line": models["line"]}, X)
    with pytest.raises(UnsupportedError, match=r"model 'bayes' is of type function"):
        fused.export_onnx(path, {**models, "bayes": lambda rows: rows}, X)
    perceptron = Perceptron().fit(X[FIT], CODES[FIT])
    with pytest.raises(UnsupportedError, match=r"model 'bayes' \(Perceptron\)"):
        fused.export_onnx(path, {**models, "bayes": perceptron}, X)
    trimmed = assay.fuse(assay.collect(models, X[JUDGE], CODES[JUDGE]), "median")
    with pytest.raises(UnsupportedError, match="its arithmetic has no graph yet"):
        trimmed.export_onnx(path, models, X)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the tracer of PyTorch
def test_a_deep_fused_module_is_exported_by_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nets = {
        name: torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
        for name in "ab"
    }
    for join in ("concat", "gated", "attention"):
        net = assay.fuse_networks(nets, 3, join=join, features="1")
        net.fit((X[FIT], CODES[FIT]), (X[JUDGE], CODES[JUDGE]), epochs=1)
        inputs = (torch.as_tensor(X[:7]),)
        names = {"input_names": ["x"], "output_names": ["logits"]}
        torch.onnx.export(
            net.module,
            inputs,
            tmp_path / "deep.onnx",
            dynamo=False,
            dynamic_axes={"x": {0: "rows"}},
            **names,
        )
        given = run(tmp_path / "deep.onnx", {"x": X[NEW]})["logits"]
        wanted = net.module(torch.as_tensor(X[NEW])).detach().numpy()
        np.testing.assert_allclose(given, wanted, atol=1e-5)
