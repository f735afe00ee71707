"""Networks of Keras fused into one, and a student of Keras, on whatever backend there is."""

import numpy as np
import pytest

import assay
from assay.errors import NameLookupError, SchemaError, UnsupportedError

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("default")  # of Keras and its backends

RNG = np.random.default_rng(2)
X = RNG.normal(size=(160, 6)).astype("float32")
Y = (X[:, 0] + X[:, 5] > 0).astype(int)
TRAIN, VAL = slice(0, 100), slice(100, None)
SHORT = {"epochs": 2, "batch_size": 32}


def make_net(inputs=6, out=4, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(out, name="last"),
        ]
    )


def make_nets(**options):
    return {"a": make_net(seed=0, **options), "b": make_net(seed=1, **options)}


def fit(net, inputs=X, truth=Y, **options):
    def take(part):
        if isinstance(inputs, dict):
            return {name: values[part] for name, values in inputs.items()}, truth[part]
        return inputs[part], truth[part]

    return net.fit(take(TRAIN), take(VAL), **{**SHORT, **options})


@pytest.mark.parametrize("join", ["concat", "gated", "attention"])
def test_the_fused_network_is_a_model_that_is_saved_and_loaded(join, tmp_path):
    net = assay.fuse_networks(make_nets(), n_classes=2, join=join)
    fused = fit(net)
    assert isinstance(net.module, keras.Model)
    net.module.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    given = net.module.predict(X[VAL], verbose=0)
    np.testing.assert_allclose(loaded.predict(X[VAL], verbose=0), given, atol=1e-6)
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)
    table = assay.collect({"fused": net.module}, X[VAL], Y[VAL])
    loss = assay.evaluate(table, "log_loss", intervals=False).value
    assert loss == pytest.approx(fused.loss, rel=1e-3)
    assert assay.diagnose(fused.history).runs[0].best_epoch == fused.best_epoch


def test_the_networks_given_stay_as_they_are_and_frozen_ones_keep_their_weights():
    nets = make_nets()
    before = {name: net.get_weights() for name, net in nets.items()}
    net = assay.fuse_networks(nets, n_classes=2, freeze=["a"], features={"b": "hidden"})
    fused = fit(net)
    for name, weights in before.items():
        assert all((u == v).all() for u, v in zip(weights, nets[name].get_weights(), strict=True))
        assert nets[name].trainable
    a, b = (net.module.get_layer(f"branch_{name}") for name in "ab")
    assert all((u == v).all() for u, v in zip(before["a"], a.get_weights(), strict=True))
    assert not (before["b"][0] == b.get_weights()[0]).all()
    assert [(one.width, one.frozen) for one in fused.branches] == [(4, True), (8, False)]


def test_each_branch_is_given_its_own_input_by_name():
    halves = {"a": X[:, :3], "b": X[:, 3:]}
    net = assay.fuse_networks(make_nets(inputs=3), n_classes=2)
    fused = fit(net, halves)
    table = assay.collect({"f": net.module}, {n: h[VAL] for n, h in halves.items()}, Y[VAL])
    loss = assay.evaluate(table, "log_loss", intervals=False).value
    assert loss == pytest.approx(fused.loss, rel=1e-3)


def test_maps_are_averaged_over_places():
    image = keras.Sequential([keras.Input((6,)), keras.layers.Reshape((1, 3, 2))])
    net = assay.fuse_networks({"map": image, "flat": make_net()}, n_classes=2)
    assert [branch.width for branch in fit(net, epochs=1).branches] == [2, 4]
    given = net.module.get_layer("branch_map").predict(X, verbose=0)
    np.testing.assert_allclose(given, X.reshape(-1, 3, 2).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "truth", "metric"),
    [
        ({"n_classes": 2, "task": "multilabel"}, (X[:, :2] > 0).astype(int), "log_loss"),
        ({"task": "regression"}, 500 + 20 * X[:, 0], "mse"),
    ],
)
def test_several_labels_and_values_have_their_loss(options, truth, metric):
    net = assay.fuse_networks(make_nets(), **options)
    fused = fit(net, truth=truth)
    table = assay.collect({"fused": net.module}, X[VAL], truth[VAL])
    value = assay.evaluate(table, metric, intervals=False).value
    assert value == pytest.approx(fused.loss, rel=1e-3)


def test_features_of_frozen_branches_are_kept_in_files(tmp_path):
    for _ in range(2):
        fit(assay.fuse_networks(make_nets(), n_classes=2), epochs=1, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_what_cannot_be_a_branch_is_refused_in_one_sentence():
    with pytest.raises(NameLookupError, match=r"no layer 'hiden'. Did you mean hidden?"):
        assay.fuse_networks(make_nets(), n_classes=2, features="hiden")
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(UnsupportedError, match="branch 'b' has no graph of layers: build it"):
        assay.fuse_networks({"a": make_net(), "b": unbuilt}, n_classes=2)
    with pytest.raises(SchemaError, match="holds class 2"):
        fit(assay.fuse_networks(make_nets(), n_classes=2), truth=Y + 1)
    with pytest.raises(UnsupportedError, match="device is of PyTorch"):
        fit(assay.fuse_networks(make_nets(), n_classes=2), device="cpu")
    with pytest.raises(UnsupportedError, match=r"give train=\(X, y\)"):
        assay.fuse_networks(make_nets(), n_classes=2).fit((X, Y))


@pytest.mark.parametrize("activation", ["softmax", None])
def test_a_student_of_keras_learns_what_a_pool_says(activation):
    soft = np.stack([1 / (1 + np.exp(4 * X[:, 0])), 1 / (1 + np.exp(-4 * X[:, 0]))], axis=1)
    keras.utils.set_random_seed(0)
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation=activation)])
    before = student.get_weights()
    made = assay.distill(
        soft[TRAIN],
        student,
        (X[TRAIN], Y[TRAIN]),
        (X[VAL], (X[VAL, 0] > 0).astype(int)),
        teacher_val=soft[VAL],
        hard=0.0,
        epochs=25,
        learning_rate=0.1,
    )
    assert made.rivals[0].answer == "better"
    assert all((u == v).all() for u, v in zip(before, student.get_weights(), strict=True))
    assert isinstance(made.module, keras.Model)
