"""What fairseq prints: a small language model, by epochs and by updates, simple and as JSON.

Made with fairseq 0.12.2 and torch 1.12.1 on Python 3.8; made-up sentences.

    python fairseq_run.py OUT
"""

import random
import re
import subprocess
import sys
from pathlib import Path

random.seed(0)
BIN = Path(sys.executable).parent
COUNTS = {"train": 20, "valid": 100, "test": 50}
MODEL = """
    --task language_modeling --arch transformer_lm --decoder-layers 1 --decoder-embed-dim 32
    --decoder-ffn-embed-dim 32 --decoder-attention-heads 2 --dropout 0 --attention-dropout 0
    --tokens-per-sample 16 --batch-size 9 --optimizer adam --lr 0.004 --seed 1 --cpu --no-save
    --num-workers 0 --log-interval 2 --max-epoch 24
"""
RUNS = {
    "fairseq_simple.log": "--log-format simple",
    "fairseq_json.log": "--log-format json",
    "fairseq_updates.log": "--log-format simple --validate-interval-updates 1 --max-update 24",
    "fairseq_two_sets.log": "--log-format simple --valid-subset valid,test --max-epoch 6",
    "fairseq_test_set.log": "--log-format json --valid-subset test --max-epoch 6",
}


def write_text(path: Path, count: int) -> None:
    lines = []
    for _ in range(count):
        word = random.randrange(20)
        words = []
        for _ in range(12):
            word = (word * 7 + random.choice((1, 1, 1, 5))) % 20
            words.append(f"w{word}")
        lines.append(" ".join(words))
    path.write_text("\n".join(lines) + "\n")


def main(out: Path) -> None:
    data = out / "data"
    data.mkdir(parents=True)
    for split, count in COUNTS.items():
        write_text(data / f"{split}.txt", count)
    texts = [x for split in COUNTS for x in (f"--{split}pref", str(data / f"{split}.txt"))]
    made = str(data / "bin")
    prepare = [BIN / "fairseq-preprocess", "--only-source", "--destdir", made]
    subprocess.run([*prepare, *texts], check=True, stdout=subprocess.DEVNULL)
    for name, options in RUNS.items():
        command = [BIN / "fairseq-train", made, *MODEL.split(), *options.split()]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        said = (done.stdout + done.stderr).replace(str(out.parent), "").splitlines()
        kept = [line for line in said if re.search(r"\| INFO \| |^Traceback", line)]
        kept = [line for line in kept if "Namespace" not in line and "{'_name'" not in line]
        (out / name).write_text("\n".join(kept) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
