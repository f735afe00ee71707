"""What collect makes of models of Keras 3, on the backend of the environment, and of their data."""

import os

import numpy as np
import pytest

import assay
from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("default")

X = np.random.default_rng(1).normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] - X[:, 1] > 0).astype("int64")
Y3 = np.digitize(X[:, 0], [-0.5, 0.5])


def make(units=2, activation=None, loss="mse", y=Y, epochs=1):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(16, activation="relu"), keras.layers.BatchNormalization()]
    last = keras.layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dropout(0.5), last])
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(X, y, epochs=epochs, batch_size=30, verbose=0)
    return model


def make_logits(y=Y, units=2, epochs=1):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return make(units, None, loss, y, epochs)


@pytest.fixture(scope="module")
def softmax():
    return make(2, "softmax", "sparse_categorical_crossentropy", epochs=15)


@pytest.fixture(scope="module")
def logits():
    return make_logits()


def test_a_trained_model_is_told_from_other_modules_and_scores_what_keras_says(softmax):
    assert find_adapter(softmax).name == "keras"
    p = collect({"net": softmax}, X, Y)
    assert p.schema.models == {"net": ("proba",)}
    softmax.compile(metrics=["accuracy"])
    expected = softmax.evaluate(X, Y, verbose=0, return_dict=True)["accuracy"]
    assert evaluate(p, "accuracy").value == pytest.approx(expected)
    assert expected > 0.8


def test_logits_stay_logits(logits):
    p = collect({"net": logits}, X, Y)
    assert p.schema.models == {"net": ("logit",)}
    assert p.outputs["net"]["logit"] == pytest.approx(logits.predict(X, verbose=0), abs=1e-6)


def test_logits_that_all_lie_between_0_and_1_are_told_by_the_last_layer():
    model = make(1, None, "mse")
    model.layers[-1].set_weights([np.zeros((16, 1)), np.array([0.5])])
    p = collect({"net": model}, X, Y)
    assert p.schema.models == {"net": ("logit",)}
    model = make(1, "sigmoid", "binary_crossentropy")
    assert collect({"net": model}, X, Y).schema.models == {"net": ("proba",)}


@pytest.mark.parametrize("units, activation", [(2, "softmax"), (3, None), (1, "sigmoid")])
def test_models_of_keras_keep_the_laws_of_adapters(units, activation):
    y = Y3 if units == 3 else Y
    loss = "sparse_categorical_crossentropy" if units > 1 else "binary_crossentropy"
    model = make_logits(y, 3) if activation is None else make(units, activation, loss, y)
    check_adapter(model, X[:7], y[:7])


def test_a_regression_keeps_the_laws_too():
    y = X[:, 0] * 2 + 1
    check_adapter(make(1, None, "mse", y), X[:7], y[:7])


def test_modes_of_modules_of_pytorch_are_restored(logits):
    if keras.backend.backend() != "torch":
        pytest.skip("the backend has no modes")
    logits.train()
    logits.layers[0].eval()
    before = [module.training for module in logits.modules()]
    collect({"net": logits}, X, Y)
    assert [module.training for module in logits.modules()] == before


def test_a_one_hot_truth_is_of_classes_where_the_model_ends_in_softmax():
    one_hot = np.eye(3)[Y3]
    model = make(3, "softmax", "categorical_crossentropy", one_hot)
    p = collect({"net": model}, X, one_hot)
    assert (p.task, p.classes) == ("multiclass", (0, 1, 2))
    labels = make(3, "sigmoid", "binary_crossentropy", one_hot)
    assert collect({"net": labels}, X, one_hot).task == "multilabel"


def test_several_inputs_and_named_ones_are_cut_together():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    out = keras.layers.Dense(2)(keras.layers.Concatenate()([a, b]))
    model = keras.Model([a, b], out)
    listed = collect({"net": model}, [X[:, :2], X[:, 2:]], Y, batch_size=50)
    named = keras.Model({"a": a, "b": b}, out)
    p = collect({"net": named}, {"a": X[:, :2], "b": X[:, 2:]}, Y, batch_size=7)
    assert p.outputs["net"]["logit"] == pytest.approx(listed.outputs["net"]["logit"], abs=1e-6)


def test_several_outputs_are_refused():
    a = keras.Input((4,))
    model = keras.Model(a, [keras.layers.Dense(1)(a), keras.layers.Dense(2)(a)])
    with pytest.raises(UnsupportedError, match="has 2 outputs; collect one at a time"):
        collect({"net": model}, X, Y)


def test_a_data_set_of_keras_brings_its_truth_and_a_device_may_be_named(softmax):
    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return X[i * 30 : i * 30 + 30], Y[i * 30 : i * 30 + 30], np.ones(30)

    whole = collect({"net": softmax}, X, Y)
    p = collect({"net": softmax}, Rows(), device="cpu")
    assert p.truth.tolist() == Y.tolist()
    assert p.outputs["net"]["proba"] == pytest.approx(whole.outputs["net"]["proba"], abs=1e-6)


def test_data_frames_and_lists_are_taken(softmax):
    pandas = pytest.importorskip("pandas")
    whole = collect({"net": softmax}, X, Y)
    assert collect({"net": softmax}, pandas.DataFrame(X), Y) == whole
    listed = collect({"net": softmax}, X.tolist(), Y)
    assert listed.outputs["net"]["proba"] == pytest.approx(whole.outputs["net"]["proba"], abs=1e-6)


class TestTfData:
    """A tf.data.Dataset, on the backend of TensorFlow or another."""

    @pytest.fixture(autouse=True)
    def tf(self):
        self.tf = pytest.importorskip("tensorflow")
        self.rows = self.tf.data.Dataset.from_tensor_slices((X, Y))

    def test_it_brings_its_truth_in_batches_or_row_by_row(self, softmax):
        whole = collect({"net": softmax}, X, Y)
        for data in (self.rows.batch(32), self.rows):
            p = collect({"net": softmax}, data)
            assert p.truth.tolist() == Y.tolist()
            assert np.allclose(p.outputs["net"]["proba"], whole.outputs["net"]["proba"], atol=1e-6)

    def test_one_that_shuffles_is_told_by_comparing_truth(self, softmax):
        data = self.rows.shuffle(120).batch(32)
        with pytest.raises(UnsupportedError, match="their orders differ"):
            collect({"net": softmax}, data, Y)
        with pytest.raises(UnsupportedError, match="another order each time"):
            collect({"net": softmax}, data, id=np.arange(120))
        p = collect({"net": softmax}, data)
        expected = collect({"net": softmax}, X, Y)
        assert evaluate(p, "accuracy").value == evaluate(expected, "accuracy").value

    def test_one_that_repeats_for_ever_is_refused(self, softmax):
        with pytest.raises(UnsupportedError, match="repeats its rows without end"):
            collect({"net": softmax}, self.rows.batch(32).repeat())

    def test_truth_of_text_is_read(self, softmax):
        names = np.array(["no", "yes"])[Y]
        data = self.tf.data.Dataset.from_tensor_slices((X, names)).batch(32)
        p = collect({"net": softmax}, data, classes=["no", "yes"])
        assert p.classes == ("no", "yes")


def test_several_numbers_a_row_are_several_outputs():
    inputs = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    p = assay.collect({"net": model}, inputs, inputs[:, :2] * 3)
    assert (p.task, p.outputs["net"]["value"].shape) == ("multioutput", (20, 2))
