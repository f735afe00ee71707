#!/usr/bin/env bash
# Guess: trainer.evaluate() before trainer.train(), as one does for a baseline, stays in
# trainer.state.log_history and in the trainer_state.json of every checkpoint.
# Seen with transformers 5.24.0: train() begins with a new state. The evaluation was in log_history
# (1 record), and is in neither afterwards, without a warning. Whoever plots log_history, or judges
# fine-tuning against the model as it came, has no baseline; print it or keep it yourself.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check \
  transformers==5.24.0 torch==2.13.0 accelerate==1.15.0 numpy
cd "$place"
OMP_NUM_THREADS=1 venv/bin/python - 2> /dev/null <<'PY'
import json
import pathlib

import torch
import transformers


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)

    def forward(self, x, labels):
        logits = self.linear(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


transformers.set_seed(0)
rows = [{"x": torch.randn(2), "labels": i % 2} for i in range(8)]
arguments = transformers.TrainingArguments(
    "out",
    num_train_epochs=1,
    eval_strategy="epoch",
    save_strategy="epoch",
    report_to=[],
    disable_tqdm=True,
    use_cpu=True,
)
trainer = transformers.Trainer(Net(), arguments, train_dataset=rows, eval_dataset=rows)
before = trainer.evaluate()["eval_loss"]
known = sum(record.get("eval_loss") == before for record in trainer.state.log_history)
trainer.train()
(saved,) = pathlib.Path("out").glob("checkpoint-*/trainer_state.json")
logs = {
    "log_history": trainer.state.log_history,
    "trainer_state.json": json.loads(saved.read_text())["log_history"],
}
kept = {name: sum(r.get("eval_loss") == before for r in log) for name, log in logs.items()}
print(f"transformers {transformers.__version__}")
print(f"loss before training {before:.4f}: in log_history {known} time before train(), after: {kept}")
assert (known, kept) == (1, {"log_history": 0, "trainer_state.json": 0}), "the behaviour changed"
PY
