"""What collect makes of PyTorch's modules and data, and that it leaves both as they were."""

import subprocess
import sys

import numpy as np
import pytest

from assay.adapters.collect import collect
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    TensorDataset,
)

torch.set_num_threads(1)  # the nets are so small that threads only wait for one another

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = np.arange(50) % 3


def make_net(out=3, last=None, seed=0):
    torch.manual_seed(seed)
    layers = [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, out)]
    return nn.Sequential(*layers, *([] if last is None else [last]))


def logits_of(net, x=X):
    """The plain loop that everyone writes."""
    net.eval()
    with torch.no_grad():
        return net(torch.as_tensor(x)).numpy()


def test_a_small_net_learns_digits_and_its_table_says_how_well():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = torch.as_tensor(x / 16, dtype=torch.float32)
    y = torch.as_tensor(y)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for rows in torch.randperm(1200).repeat(12).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    p = collect({"net": net}, TensorDataset(x[1200:], y[1200:]), batch_size=100)
    assert (p.n, p.task, p.classes) == (597, "multiclass", tuple(range(10)))
    assert evaluate(p, "accuracy").value > 0.85


def test_logits_stay_logits():
    net = make_net()
    p = collect({"net": net}, X, Y)
    assert p.schema.models == {"net": ("logit",)}
    np.testing.assert_array_equal(p.outputs["net"]["logit"], logits_of(net))


def test_arrays_tensors_datasets_and_loaders_give_one_table():
    net = make_net()
    x, y = torch.as_tensor(X), torch.as_tensor(Y)
    dataset = TensorDataset(x, y)
    tables = [
        collect({"net": net}, X, Y),
        collect({"net": net}, X.astype(np.float64).tolist(), Y, batch_size=7),
        collect({"net": net}, x, y),
        collect({"net": net}, dataset),
        collect({"net": net}, DataLoader(dataset, batch_size=16)),
        collect({"net": net}, DataLoader(dataset, batch_size=16), Y),
        collect({"net": net}, DataLoader(TensorDataset(x), batch_size=16), Y),
    ]
    for p in tables:
        assert p.truth.tolist() == Y.tolist()
        assert p.outputs["net"]["logit"] == pytest.approx(logits_of(net), abs=1e-6)


def test_batches_do_not_disturb_each_other():
    """Batch normalisation in training mode would make each batch depend on itself."""
    net = make_net()
    one = collect({"net": net}, X, Y, batch_size=1).outputs["net"]["logit"]
    assert one == pytest.approx(logits_of(net), abs=1e-5)


def test_modes_and_buffers_are_as_they_were_even_after_a_failure():
    net = make_net().train()
    net[1].eval()
    modes = [module.training for module in net.modules()]
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    collect({"net": net}, X, Y)
    with pytest.raises(UnsupportedError):
        collect({"net": net}, X[:, :2], Y)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())


def test_no_gradient_is_kept():
    net = make_net()
    collect({"net": net}, X, Y)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_device_is_moved_to_and_back():
    moves = []

    class Moving(nn.Linear):
        def to(self, place):
            moves.append(str(place))
            return super().to("cpu")

    net = Moving(4, 3)
    with pytest.raises(UnsupportedError):
        collect({"net": net}, X, Y, device="meta")
    assert moves == ["meta", "cpu"]
    assert collect({"net": net}, X, Y, device="cpu").n == 50
    assert moves == ["meta", "cpu"]


def test_a_loader_that_shuffles_or_drops_rows_is_refused():
    dataset = TensorDataset(torch.as_tensor(X), torch.as_tensor(Y))
    net = make_net()
    for loader in (
        DataLoader(dataset, batch_size=10, shuffle=True),
        DataLoader(dataset, batch_sampler=BatchSampler(RandomSampler(dataset), 10, False)),
    ):
        with pytest.raises(UnsupportedError, match=r"by a RandomSampler.*shuffle=False"):
            collect({"net": net}, loader)
    with pytest.raises(UnsupportedError, match="drop_last=False"):
        collect({"net": net}, DataLoader(dataset, batch_size=16, drop_last=True))
    assert collect({"net": net}, DataLoader(dataset, batch_size=10, drop_last=True)).n == 50


def test_a_truth_in_another_order_than_the_data_is_refused():
    dataset = TensorDataset(torch.as_tensor(X), torch.as_tensor(Y))
    with pytest.raises(UnsupportedError, match="y is 1 at row 0, where the data holds the truth 0"):
        collect({"net": make_net()}, dataset, Y[::-1] + 0)
    with pytest.raises(SchemaError):
        collect({"net": make_net()}, dataset, Y[:-1])


def test_a_dictionary_of_inputs_is_passed_by_name():
    class Named(nn.Module):
        def forward(self, left, right):
            return {"logits": left + right}

    x = torch.as_tensor(X)

    class Rows(Dataset):
        def __len__(self):
            return 50

        def __getitem__(self, i):
            return {"left": x[i, :3], "right": x[i, 1:], "labels": int(Y[i])}

    for data, y in ((Rows(), None), ({"left": X[:, :3], "right": X[:, 1:]}, Y)):
        p = collect({"net": Named()}, data, y, batch_size=8)
        assert p.outputs["net"]["logit"] == pytest.approx(X[:, :3] + X[:, 1:])
        assert p.truth.tolist() == Y.tolist()


def test_several_inputs_are_passed_in_order():
    class Pair(nn.Module):
        def forward(self, a, b):
            return (a - b, "something else")

    p = collect({"net": Pair()}, (X[:, :3], X[:, 1:]), Y, batch_size=8)
    assert p.outputs["net"]["logit"] == pytest.approx(X[:, :3] - X[:, 1:])


def test_a_single_logit_speaks_for_class_1():
    net = make_net(1)
    y = np.arange(50) % 2
    for positive in (None, 0):
        p = collect({"net": net}, X, y.astype(np.float32), positive=positive)
        z = logits_of(net)[:, 0]
        assert p.rows("net").proba[:, 1] == pytest.approx(1 / (1 + np.exp(-z)), abs=1e-6)


def test_probabilities_are_not_taken_for_logits():
    net = make_net(3, nn.Softmax(dim=1))
    assert collect({"net": net}, X, Y).schema.models == {"net": ("proba",)}
    sigmoid = make_net(1, nn.Sigmoid())
    assert collect({"net": sigmoid}, X, Y % 2).schema.models == {"net": ("proba",)}


def test_single_outputs_in_0_to_1_that_nothing_tells_apart_are_refused():
    class Squashed(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x[:, 0])

    with pytest.raises(UnsupportedError, match=r"logits or probabilities.*kinds="):
        collect({"net": Squashed()}, X, Y % 2)
    p = collect({"net": Squashed()}, X, Y % 2, kinds={"net": "proba"})
    assert p.rows("net").proba[:, 1] == pytest.approx(1 / (1 + np.exp(-X[:, 0])), abs=1e-6)


def test_a_regression_is_told_by_its_truth():
    net = make_net(1)
    y = np.linspace(0, 3, 50, dtype=np.float32)[:, None]
    p = collect({"net": net}, TensorDataset(torch.as_tensor(X), torch.as_tensor(y)))
    assert p.task == "regression"
    assert p.outputs["net"]["value"] == pytest.approx(logits_of(net)[:, 0])


def test_labels_of_several_columns_are_multilabel():
    y = np.stack([Y == 0, Y > 0, Y == 2], axis=1).astype(np.float32)
    p = collect({"net": make_net()}, X, torch.as_tensor(y))
    assert (p.task, p.schema.k) == ("multilabel", 3)


def test_a_class_that_the_rows_lack_is_counted_from_the_columns():
    net = make_net(4)
    assert collect({"net": net}, X, Y).classes == (0, 1, 2, 3)


def test_columns_without_names_need_the_classes_in_order():
    names = np.array(["ape", "bee", "cat"])[Y]
    net = make_net()
    with pytest.raises(UnsupportedError, match=r"3 output columns.*'ape'.*classes=\[\.\.\.\]"):
        collect({"net": net}, X, names)
    with pytest.raises(UnsupportedError, match="numbers 0 to 2"):
        collect({"net": net}, X, Y + 1)
    p = collect({"net": net}, X, names, classes=["ape", "bee", "cat"])
    assert p.outputs["net"]["logit"] == pytest.approx(logits_of(net), abs=1e-6)
    with pytest.raises(UnsupportedError, match="3 output columns, there are 2 classes"):
        collect({"net": net}, X[:2], names[:2], classes=["ape", "bee"])


def test_outputs_of_words_in_a_row_are_refused():
    class Tagger(nn.Module):
        def forward(self, x):
            return x[:, :, None].expand(-1, -1, 3)

    with pytest.raises(UnsupportedError, match=r"shape \(50, 4, 3\)"):
        collect({"net": Tagger()}, X, Y)


def test_half_precision_comes_as_numbers_that_numpy_knows():
    net = make_net().to(torch.bfloat16)
    assert collect({"net": net}, X, Y).outputs["net"]["logit"].dtype == np.float32


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel", "regression"])
def test_the_adapter_keeps_the_laws_of_its_family(task):
    y = {
        "multiclass": Y,
        "binary": Y % 2,
        "multilabel": np.stack([Y == 0, Y > 0], axis=1).astype(int),
        "regression": np.linspace(0.5, 3, 50),
    }[task]
    out = {"multiclass": 3, "multilabel": 2}.get(task, 1)
    check_adapter(make_net(out), X, y, task=task)


def test_a_net_and_an_estimator_stand_in_one_table():
    linear_model = pytest.importorskip("sklearn.linear_model")
    models = {"net": make_net(), "lr": linear_model.LogisticRegression().fit(X, Y)}
    p = collect(models, X, Y)
    assert p.models == ["net", "lr"]


def test_the_library_and_its_adapters_import_no_framework():
    code = (
        "import sys, assay; from assay.adapters.base import ADAPTERS; ADAPTERS.names(); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_device_that_is_not_there_is_one_sentence_and_the_net_stays():
    net = make_net()
    for device in ("cuda:7", "no such device"):
        if device.startswith("cuda") and torch.cuda.is_available():
            continue
        with pytest.raises(UnsupportedError, match="device '"):
            collect({"net": net}, X, Y, device=device)
    assert all(parameter.device.type == "cpu" for parameter in net.parameters())


def test_a_batch_that_does_not_fit_the_device_is_halved_and_the_net_put_back():
    class Narrow(nn.Linear):
        def forward(self, x):
            if len(x) > 20:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(x)

    net = Narrow(4, 3).train()
    p = collect({"net": net}, X, Y)
    assert p.outputs["net"]["logit"] == pytest.approx(
        net.bias.detach().numpy() + X @ net.weight.detach().numpy().T, abs=1e-5
    )
    assert "13 rows at a time" in p.notes[0]
    assert net.training
    loader = DataLoader(TensorDataset(torch.as_tensor(X), torch.as_tensor(Y)), batch_size=50)
    assert collect({"net": net}, loader) == p


def test_whole_numbers_of_a_net_are_labels():
    class Label(nn.Module):
        def forward(self, x):
            return x.argmax(dim=1)

    p = collect({"net": Label()}, X[:, :3], Y)
    assert p.schema.models == {"net": ("label",)}


def test_a_data_set_larger_than_memory_goes_to_a_file_batch_by_batch(tmp_path):
    class Rows(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(torch.as_tensor(X), torch.as_tensor(Y), strict=True))

    net = make_net()
    stream = collect({"net": net}, Rows(), batch_size=8, out=tmp_path / "rows.parquet")
    whole = collect({"net": net}, X, Y)
    assert stream.n == 50
    assert evaluate(stream, "accuracy").value == evaluate(whole, "accuracy").value
