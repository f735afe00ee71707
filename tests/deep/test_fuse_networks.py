"""Networks of PyTorch fused into one: what is trained, what stays, and what the result says."""

import copy

import numpy as np
import pytest

import assay
from assay.errors import NameLookupError, ReadError, SchemaError, UnsupportedError

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset, TensorDataset  # noqa: E402

GENERATOR = torch.Generator().manual_seed(5)
X = torch.randn(240, 6, generator=GENERATOR)
Y = (X[:, 0] + X[:, 5] > 0).long()
TRAIN, VAL = slice(0, 160), slice(160, None)
SHORT = {"epochs": 2, "patience": 1}


def make_net(out=4, seed=0, inputs=6):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, out))


def make_nets(**options):
    return {"a": make_net(seed=0, **options), "b": make_net(seed=1, **options)}


def rows(part, inputs=X, truth=Y):
    return (inputs[part], truth[part])


def fit(net, **options):
    return net.fit(rows(TRAIN), rows(VAL), **{**SHORT, **options})


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


@pytest.mark.parametrize("join", ["concat", "gated", "attention"])
def test_the_fused_network_is_an_ordinary_module(join, tmp_path):
    net = assay.fuse_networks(make_nets(), n_classes=2, join=join)
    fused = fit(net)
    module = net.module
    assert isinstance(module, nn.Module)
    assert module(X).shape == (240, 2)
    assert not module.training
    module.train()
    torch.save(module, tmp_path / "net.pt")
    loaded = torch.load(tmp_path / "net.pt", weights_only=False).eval()
    assert torch.equal(loaded(X), module.eval()(X))
    again = copy.deepcopy(module)
    again.load_state_dict(module.state_dict())
    table = assay.collect({"fused": module}, X[VAL], Y[VAL])
    assert table.schema.models["fused"] == ("logit",)
    loss = assay.evaluate(table, "log_loss", intervals=False).value
    assert loss == pytest.approx(fused.loss, rel=1e-5)


def test_the_networks_given_stay_as_they_are():
    nets = make_nets()
    nets["a"].train()
    before = copy.deepcopy(nets)
    for freeze in (True, False):
        fit(assay.fuse_networks(nets, n_classes=2, freeze=freeze))
        for name, net in nets.items():
            assert equal(net.state_dict(), before[name].state_dict())
            assert net.training
            assert all(weight.requires_grad for weight in net.parameters())


def test_frozen_branches_keep_weights_and_statistics_and_others_do_not():
    nets = make_nets()
    net = assay.fuse_networks(nets, n_classes=2, freeze=["a"])
    fit(net)
    a, b = net.module.branches
    assert equal(a.network.state_dict(), nets["a"].state_dict())
    assert not equal(b.network.state_dict(), nets["b"].state_dict())
    net.module.train()
    assert (a.network.training, b.network.training) == (False, True)
    assert not any(weight.requires_grad for weight in a.parameters())


def test_one_seed_gives_one_network_and_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    losses = []
    for seed in (3, 3, 4):
        torch.manual_seed(7)
        losses.append(fit(assay.fuse_networks(make_nets_kept(), n_classes=2), seed=seed).loss)
        assert torch.equal(torch.rand(1), expected)
    assert losses[0] == losses[1] != losses[2]


def make_nets_kept():
    with torch.random.fork_rng():
        return make_nets()


@pytest.mark.parametrize("feature", ["1", lambda net, x: net[:2](x)])
def test_features_are_those_of_a_layer_or_of_a_function(feature):
    nets = make_nets()
    net = assay.fuse_networks(nets, n_classes=2, features={"a": feature})
    assert [branch.width for branch in fit(net).branches] == [8, 4]
    expected = nets["a"].eval()[:2](X)
    assert torch.equal(net.module.branches[0](X), expected)


def test_maps_are_averaged_over_places_and_sequences_over_positions():
    class Sequences(nn.Module):
        def forward(self, x):
            return x.reshape(len(x), 3, 2)

    nets = {"map": nn.Unflatten(1, (3, 1, 2)), "sequence": Sequences()}
    net = assay.fuse_networks(nets, n_classes=2)
    fit(net)
    of_map, of_sequence = net.module.extract(X)
    assert torch.allclose(of_map, X.reshape(-1, 3, 2).mean(2))
    assert torch.allclose(of_sequence, X.reshape(-1, 3, 2).mean(1))


@pytest.mark.parametrize("kind", ["dict", "tuple", "dataset", "loader", "named loader"])
def test_each_branch_is_given_its_own_input_from_arrays_and_loaders(kind):
    halves = {"a": X[:, :3], "b": X[:, 3:]}

    def make(part):
        values = {name: half[part] for name, half in halves.items()}
        if kind == "dict":
            return values, Y[part]
        if kind == "tuple":
            return tuple(values.values()), Y[part]
        data = TensorDataset(*values.values(), Y[part])
        if kind == "dataset":
            return data
        if kind == "loader":
            return DataLoader(data, batch_size=32, shuffle=part is TRAIN)
        return DataLoader(Named(values, Y[part]), batch_size=32)

    net = assay.fuse_networks(make_nets(inputs=3), n_classes=2)
    fused = net.fit(make(TRAIN), make(VAL), **SHORT)
    given = net.module(**{name: half[VAL] for name, half in halves.items()})
    assert torch.equal(given, net.module(halves["a"][VAL], halves["b"][VAL]))
    loss = float(nn.functional.cross_entropy(given, Y[VAL]).detach())
    assert loss == pytest.approx(fused.loss, rel=1e-5)


class Named(Dataset):
    def __init__(self, inputs, truth):
        self.inputs = inputs
        self.truth = truth

    def __len__(self):
        return len(self.truth)

    def __getitem__(self, row):
        return {**{name: x[row] for name, x in self.inputs.items()}, "label": self.truth[row]}


@pytest.mark.parametrize(
    ("options", "truth", "metric"),
    [
        ({"n_classes": 3}, torch.arange(240) % 3, "log_loss"),
        ({"n_classes": 2, "task": "multilabel"}, (X[:, :2] > 0).float(), "log_loss"),
        ({"task": "regression"}, 1000 + 50 * X[:, 0], "mse"),
    ],
)
def test_every_task_has_its_loss(options, truth, metric):
    net = assay.fuse_networks(make_nets(), **options)
    fused = net.fit(rows(TRAIN, truth=truth), rows(VAL, truth=truth), **SHORT)
    assert fused.metric == metric
    models = {"fused": net.module}
    table = assay.collect(models, X[VAL], truth[VAL].numpy())
    assert assay.evaluate(table, metric, intervals=False).value == pytest.approx(fused.loss)


def test_a_regression_starts_at_the_mean_of_the_truth_not_at_0():
    truth = 1000 + X[:, 0]
    net = assay.fuse_networks(make_nets(), task="regression")
    net.fit(rows(TRAIN, truth=truth), rows(VAL, truth=truth), epochs=1)
    assert float((net.module(X).detach() - 1000).abs().max()) < 10


class Counting(nn.Module):
    """A branch that counts the rows it is asked for, over all copies."""

    rows = 0

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        Counting.rows += len(x)
        return x * self.weight


def test_features_of_frozen_branches_are_computed_once():
    Counting.rows = 0
    net = assay.fuse_networks({"a": Counting(), "b": make_net()}, n_classes=2)
    fit(net, epochs=4, patience=4)
    assert Counting.rows == 240
    fit(net, epochs=1)
    assert Counting.rows == 240
    net.branches["a"].weight.data.fill_(2.0)
    fit(net, epochs=1)
    assert Counting.rows == 480  # other weights, other features
    fit(net, epochs=3, patience=3, cache=False)
    assert Counting.rows > 480 + 3 * 160


def test_features_are_kept_in_files_between_runs_and_a_damaged_file_is_named(tmp_path):
    Counting.rows = 0
    for _ in range(2):
        net = assay.fuse_networks({"a": Counting(), "b": make_net()}, n_classes=2)
        fit(net, cache=tmp_path / "features")
    assert Counting.rows == 240
    files = sorted((tmp_path / "features").iterdir())
    assert [file.name[0] for file in files] == ["a", "a", "b", "b"]
    files[0].write_bytes(b"no array")
    with pytest.raises(ReadError, match="remove the file, and they are computed anew"):
        fit(net, cache=tmp_path / "features")
    files[0].unlink()
    fit(net, cache=tmp_path / "features")
    loader = DataLoader(TensorDataset(*rows(TRAIN)), batch_size=16, shuffle=True)
    before = Counting.rows
    for _ in range(2):
        net.fit(loader, rows(VAL), **SHORT, cache=tmp_path / "features")
    assert Counting.rows == before + 160


def test_training_stops_early_and_the_best_epoch_is_back():
    y = torch.randint(0, 2, (240,), generator=torch.Generator().manual_seed(0))  # nothing to learn
    net = assay.fuse_networks(make_nets(), n_classes=2, freeze=False)
    fused = net.fit(
        rows(TRAIN, truth=y), rows(VAL, truth=y), epochs=60, patience=3, learning_rate=0.01
    )
    curve = fused.history.find("val", "loss").values
    assert fused.epochs < 60
    assert fused.epochs - fused.best_epoch == 3
    assert curve[fused.best_epoch - 1] == min(curve)
    loss = float(nn.functional.cross_entropy(net.module(X[VAL]), y[VAL]).detach())
    assert loss == pytest.approx(min(curve), rel=1e-5)
    assert assay.diagnose(fused.history).runs[0].best_epoch == fused.best_epoch


def test_a_branch_of_noise_is_said_to_be_ignored_and_the_others_are_used():
    noise = torch.randn(240, 3, generator=torch.Generator().manual_seed(1))
    inputs = {"signal": X, "noise": noise}

    def make(part):
        return {name: values[part] for name, values in inputs.items()}, Y[part]

    nets = {"signal": nn.Identity(), "noise": nn.Identity()}
    net = assay.fuse_networks(nets, n_classes=2)
    fused = net.fit(make(TRAIN), make(VAL), epochs=12, learning_rate=0.01)
    assert {branch.branch: branch.use for branch in fused.branches}["signal"] == "used"
    assert fused.ignored_branches == ("noise",)
    assert fused.details[1].startswith("'noise': ")
    assert fused.best == "signal"


def test_a_classifier_whose_output_is_fused_gets_a_note_with_the_layer_below():
    nets = {"a": make_net(out=2), "b": make_net(out=2, seed=1)}
    fused = fit(assay.fuse_networks(nets, n_classes=2))
    assert any("features={'a': '2'}" in note for note in fused.notes)
    again = fit(assay.fuse_networks(nets, n_classes=2, features={"a": "2", "b": "2"}))
    assert [branch.width for branch in again.branches] == [8, 8]
    assert not any("features=" in note for note in again.notes)


class Broken(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.give = give

    def forward(self, x):
        return self.give(x)


def call(change=None, branches=None, data=None, **options):
    design = {"n_classes": 2, **options}
    net = assay.fuse_networks(branches or make_nets(), **design)
    return net.fit(*(data or (rows(TRAIN), rows(VAL))), **{**SHORT, **(change or {})})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"branches": {"a": make_net()}}, "two or more networks by name"),
        ({"branches": {"a b": make_net(), "c": make_net()}}, "of letters, digits and _"),
        ({"branches": {"a": make_net(), "b": 3}}, "'b' is of type int; expected a torch"),
        ({"n_classes": None}, "give n_classes"),
        ({"n_classes": 1}, "n_classes must be a whole number of 2 or more"),
        ({"n_classes": 3, "task": "regression"}, "or task='regression' without it"),
        ({"join": "sum"}, "join must be one of concat, gated, attention"),
        ({"freeze": ["c"]}, "freeze names 'c', and the branches are 'a', 'b'"),
        ({"features": {"c": "1"}}, "features names 'c'"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1"),
        ({"aux_loss": -1}, "aux_loss must be a number of 0 or more"),
        ({"data": (rows(TRAIN),)}, r"give train=\(X, y\) and val=\(X_val, y_val\)"),
        ({"change": {"learning_rate": 0}}, "learning_rate must be above 0"),
        ({"change": {"device": "nowhere"}}, "device 'nowhere' cannot be used"),
        ({"data": (X, rows(VAL))}, r"train must be \(X, y\), a Dataset or a DataLoader"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(options, message):
    with pytest.raises(UnsupportedError, match=message):
        call(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 3, "truth": torch.arange(240) % 4}, "holds class 3, .*give n_classes=4"),
        ({"truth": Y - 1}, "holds class -1, .*count classes from 0"),
        ({"truth": Y + 0.5}, r"holds [01]\.5; classes are whole numbers"),
        ({"truth": np.array(["x", "y"] * 120)}, "needs whole numbers 0 to 1"),
        ({"task": "multilabel", "truth": torch.ones(240, 3)}, "3 columns from 1.0 to 1.0"),
        ({"n_classes": None, "task": "regression", "truth": Y * np.nan}, "is not finite"),
        ({"give": lambda x: x[:2]}, "unlike numbers of rows .'a' [246], 'b' 160"),
        ({"give": lambda x: x[:, 0]}, r"features of shape \(64,\)|features of shape \(160,\)"),
        ({"give": lambda x: x * np.nan}, "features of branch 'a' are not finite"),
        ({"give": lambda x: {"none": 1}}, "features of type dict; expected a tensor"),
    ],
)
def test_truths_and_features_that_cannot_be_used_are_named(options, message):
    truth = options.pop("truth", Y)
    give = options.pop("give", None)
    branches = {"a": Broken(give), "b": make_net()} if give else make_nets()
    data = (rows(TRAIN, truth=truth), rows(VAL, truth=truth))
    with pytest.raises(SchemaError, match=message):
        call(branches=branches, data=data, **options)


def test_a_layer_that_is_not_there_is_refused_with_the_nearest_before_anything_is_trained():
    nets = {"a": nn.Sequential(), "b": make_net()}
    nets["a"].add_module("encoder", nn.Linear(6, 3))
    with pytest.raises(NameLookupError, match=r"no layer 'encodr'. Did you mean encoder?"):
        assay.fuse_networks(nets, n_classes=2, features={"a": "encodr"})
    fit(assay.fuse_networks(nets, n_classes=2, features={"a": "encoder"}))


def test_a_loss_that_is_nan_ends_the_training_with_what_to_do():
    inputs = X.clone()
    inputs[3] = float("nan")
    nets = make_nets()
    net = assay.fuse_networks(nets, n_classes=2, freeze=False)
    with pytest.raises((UnsupportedError, SchemaError), match="not finite"):
        net.fit(rows(TRAIN, inputs), rows(VAL), **SHORT)
    with pytest.raises(UnsupportedError, match=r"loss is (nan|inf) at epoch .*lower learning_rate"):
        fit(net, learning_rate=1e30, epochs=5)


def test_the_module_is_not_there_before_fit():
    net = assay.fuse_networks(make_nets(), n_classes=2)
    with pytest.raises(UnsupportedError, match=r"call fit\(train, val\) first"):
        _ = net.module


@pytest.mark.slow
def test_halves_of_images_are_better_together_than_either():
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    images = torch.as_tensor(images / 16, dtype=torch.float32).reshape(-1, 8, 8)
    halves = {"left": images[:, :, :4].flatten(1), "right": images[:, :, 4:].flatten(1)}
    truth = torch.as_tensor(digits)

    def make(start, stop):
        return {n: h[start:stop] for n, h in halves.items()}, truth[start:stop]

    nets = {name: make_net(out=16, seed=i, inputs=32) for i, name in enumerate(halves)}
    net = assay.fuse_networks(nets, n_classes=10, freeze=False)
    fused = net.fit(make(0, 1000), make(1000, 1400), epochs=40)
    assert fused.ignored_branches == ()
    assert all(branch.gain_low > 0 for branch in fused.branches)
