# %% [markdown]
# # A training loop in PyTorch: accuracy at every epoch, two networks and a forest on the same folds
#
# A plain loop with `assay.Meter` for its accuracy and `assay.TrainingLog` for its history; then the
# same loop as a function that `cross_validate` trains in every fold, beside an estimator of
# scikit-learn, with two seeds.
#
#     pip install 'assay[sklearn,torch]'
#     python examples/torch_loop.py

# %%
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import assay

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)


def train(train, val, seed=0, width=32, epochs=12, log=None):
    """A network of one hidden layer and the history of its training."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
    )
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    loss_of = torch.nn.functional.cross_entropy
    inputs, codes = torch.tensor(train.X), torch.tensor(train.codes)
    watched, truth = torch.tensor(val.X), torch.tensor(val.codes)
    meter = assay.Meter(["accuracy"], classes=range(10), kind="logit")
    rows = []
    for epoch in range(1, epochs + 1):
        meter.reset()
        losses = []
        for batch in torch.randperm(len(inputs)).split(64):
            optimiser.zero_grad()
            logits = net(inputs[batch])
            loss = loss_of(logits, codes[batch])
            loss.backward()
            optimiser.step()
            meter.update(logits, codes[batch])  # on the device, without gradients
            losses.append(loss.item())
        with torch.no_grad():
            answers = net(watched)
        row = {
            "train_loss": float(np.mean(losses)),
            "train_accuracy": meter.compute().rows[0].value,
            "val_loss": loss_of(answers, truth).item(),
            "val_accuracy": float((answers.argmax(1) == truth).float().mean()),
        }
        rows.append({"epoch": epoch, **row})
        if log is not None:
            log.add(epoch, **row)
    return net, rows


# %% [markdown]
# Once by hand: the log is written line by line, and the diagnosis says what the curves show.

# %%
folder = Path(tempfile.mkdtemp())
kept, watched = np.arange(len(y)) % 5 != 0, np.arange(len(y)) % 5 == 0
net, rows = train(
    assay.TrainingRows(X[kept], y[kept], classes=range(10)),
    assay.TrainingRows(X[watched], y[watched], classes=range(10)),
    log=assay.TrainingLog(folder / "history.jsonl", n_classes=10, progress=False),
)
print(f"accuracy at epoch {rows[-1]['epoch']}: {rows[-1]['val_accuracy']:.3f}")
print(assay.diagnose(folder / "history.jsonl"))

# %% [markdown]
# Every model on the same folds, twice, with another seed: is a difference of the models, or of the
# seeds?

# %%
models = {
    "narrow": partial(train, width=8),
    "wide": partial(train, width=64),
    "forest": RandomForestClassifier(50),
}
table = assay.cross_validate(models, X, y, cv=3, seeds=2, store=folder / "parts", progress=False)
print(assay.compare(table, "accuracy"))

# %% [markdown]
# The histories of all folds, and whether fusing the three would be better.

# %%
print(assay.diagnose(list(assay.histories(folder / "parts").values())).ranking.verdict)

# %%
print(assay.fuse(table, "mean"))
