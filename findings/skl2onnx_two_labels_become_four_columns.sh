#!/usr/bin/env bash
# Guess: an MLPClassifier of several labels, exported, gives the probabilities of predict_proba: a
# column a label, whatever their number.
# Seen with skl2onnx 1.20.0 and scikit-learn 1.9.1: of three labels it does; of exactly two labels the
# graph gives four columns, 1 - p of both and then p of both, without an error or a warning; the labels
# that it gives are right. Check the shape of exported probabilities against predict_proba.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check \
  skl2onnx==1.20.0 onnxruntime==1.32.0 scikit-learn==1.9.1
cd "$place"
venv/bin/python - 2> /dev/null <<'PY'
import importlib.metadata

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 4)).astype(np.float32)
shapes = {}
for labels in (2, 3):
    y = (x[:, :labels] + 0.3 * rng.normal(size=(200, labels)) > 0).astype(int)
    model = MLPClassifier((8,), max_iter=50, random_state=0).fit(x, y)
    graph = to_onnx(model, x[:1], options={id(model): {"zipmap": False}})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    said = session.run(None, {session.get_inputs()[0].name: x})
    given = np.asarray(said[1])
    shapes[labels] = (model.predict_proba(x).shape, given.shape)
    print(labels, "labels: predict_proba", *shapes[labels], "labels right:", bool((said[0] == model.predict(x)).all()))
    if labels == 2:
        print(np.round(model.predict_proba(x)[:2], 3).tolist(), np.round(given[:2], 3).tolist())
for name in ("skl2onnx", "onnxruntime", "scikit-learn"):
    print(name, importlib.metadata.version(name))
assert shapes[3] == ((200, 3), (200, 3)), "the behaviour changed"
assert shapes[2] == ((200, 2), (200, 4)), "the behaviour changed"
PY
