"""What collect makes of modules of Lightning and of what trainer.predict returned."""

import logging

import numpy as np
import pytest

from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

L = pytest.importorskip("lightning")
torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(1)

X = np.random.default_rng(5).normal(size=(120, 4)).astype("float32")
Y = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])
ROWS = TensorDataset(torch.as_tensor(X), torch.as_tensor(Y))


class Net(L.LightningModule):
    """A net that is trained by Lightning, and predicts by its forward."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(16, 3)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.03)


class Stepping(Net):
    """One whose predict_step takes the batch as its loader gives it."""

    def predict_step(self, batch, index):
        x, _ = batch
        return self(x).softmax(dim=1)


class Labelling(Net):
    """One whose predict_step gives labels."""

    def predict_step(self, batch):
        return self(batch[0]).argmax(dim=1)


def make_trainer(**options):
    return L.Trainer(
        max_epochs=15,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        **options,
    )


def fit(net):
    make_trainer().fit(net, DataLoader(ROWS, batch_size=30, shuffle=True))
    return net


@pytest.fixture(scope="module")
def net():
    return fit(Net())


@pytest.fixture(scope="module")
def stepping():
    return fit(Stepping())


def test_a_trained_module_is_told_from_other_modules_and_gives_logits(net):
    assert find_adapter(net).name == "lightning"
    net.train()
    p = collect({"net": net}, DataLoader(ROWS, batch_size=32))
    assert p.schema.models == {"net": ("logit",)}
    assert evaluate(p, "accuracy").value > 0.85
    assert net.training
    assert collect({"net": net}, X, Y).outputs["net"]["logit"] == pytest.approx(
        p.outputs["net"]["logit"], abs=1e-6
    )


def test_the_laws_of_adapters_hold(net):
    check_adapter(net, X[:7], Y[:7])


def test_a_predict_step_is_given_the_whole_batch(stepping):
    loader = DataLoader(ROWS, batch_size=32)
    p = collect({"net": stepping}, loader)
    assert p.schema.models == {"net": ("proba",)}
    predicted = torch.cat(make_trainer().predict(stepping, loader)).numpy()
    assert p.outputs["net"]["proba"] == pytest.approx(predicted, abs=1e-6)
    assert p.truth.tolist() == Y.tolist()


def test_a_predict_step_may_give_labels():
    p = collect({"net": Labelling()}, DataLoader(ROWS, batch_size=32))
    assert p.schema.models == {"net": ("label",)}


def test_what_a_trainer_returned_needs_the_truth_of_as_many_rows(stepping):
    batches = make_trainer().predict(stepping, DataLoader(ROWS, 32))
    with pytest.raises(UnsupportedError, match="give y"):
        collect({"net": batches})
    with pytest.raises(SchemaError, match=r"120 rows.*119"):
        collect({"net": batches}, None, Y[1:])


def test_predicted_batches_are_put_under_one_another(stepping):
    batches = make_trainer().predict(stepping, DataLoader(ROWS, 32))
    p = collect({"net": batches}, None, Y, id=np.arange(120))
    whole = collect({"net": stepping}, DataLoader(ROWS, 32), id=np.arange(120))
    assert p.truth.tolist() == whole.truth.tolist()
    assert p.outputs["net"]["proba"] == pytest.approx(whole.outputs["net"]["proba"], abs=1e-6)


def test_a_loader_that_shuffles_is_refused(stepping):
    with pytest.raises(UnsupportedError, match="RandomSampler"):
        collect({"net": stepping}, DataLoader(ROWS, 32, shuffle=True))


def test_a_data_module_brings_its_loader(net):
    class Rows(L.LightningDataModule):
        def predict_dataloader(self):
            return DataLoader(ROWS, batch_size=50)

    p = collect({"net": net}, Rows())
    assert p.truth.tolist() == Y.tolist()
