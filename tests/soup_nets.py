"""Small nets of PyTorch, really trained, whose checkpoints the tests of soups fuse."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits

PIXELS, DIGITS = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
PIXELS = PIXELS.float() / 16
ROWS = torch.from_numpy(np.random.default_rng(0).permutation(len(DIGITS)))
TRAIN, HELD_OUT = ROWS[:1200], ROWS[1200:]


def make_net(seed, norm=False):
    torch.manual_seed(seed)
    middle = [torch.nn.BatchNorm1d(32)] if norm else []
    return torch.nn.Sequential(
        torch.nn.Linear(64, 32), *middle, torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )


def train(net, seed, steps, rate, rows=TRAIN):
    """The net after some steps of Adam on batches of 64 rows."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    net.train()
    for _ in range(steps):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = torch.nn.functional.cross_entropy(net(PIXELS[batch]), DIGITS[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def copy(state):
    return {name: tensor.clone() for name, tensor in state.items()}


@cache
def fine_tuned(norm=False):
    """The state dict of one pretrained net, and of three fine-tuned from it."""
    base = copy(train(make_net(0, norm), 0, 60, 3e-3).state_dict())
    tuned = []
    for seed in (1, 2, 3):
        net = make_net(0, norm)
        net.load_state_dict(base)
        tuned.append(copy(train(net, seed, 40, 3e-3).state_dict()))
    return base, tuned


def accuracy(state, norm=False):
    """Accuracy on the rows held out."""
    net = make_net(0, norm)
    net.load_state_dict(state)
    net.eval()
    with torch.no_grad():
        return float((net(PIXELS[HELD_OUT]).argmax(1) == DIGITS[HELD_OUT]).float().mean())
