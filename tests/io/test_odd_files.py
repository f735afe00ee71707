"""Odd files, at random: each is read, or refused by an AssayError; nothing else happens."""

import contextlib
import gzip
import json
import random

import pytest

from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read

NAMES = [
    "y", "y_true", "label", "m.label", "m.proba", "m.proba.no", "m.proba.yes", "m.value", "pred",
    "score", "model", "id", "fold", "weight", "Sex ", " y", "", "#id", "no", "yes", ".pred_class",
    ".pred_yes", ".pred_no", "obs", "doc_id", "filtered_resps", "cats.no", "m.label", "y.a", "y.b",
    "split", "cluster", ".row", ".config", "Resample", "rowIndex", "m.interval.low", "proba.yes",
]  # fmt: skip
CELLS = [
    "no", "yes", "0", "1", "0.5", "0,5", "1,234", "1.234,5", "1_000", "", "NA", "nan", "inf",
    "-100", "[0.5, 0.5]", "2020-01-01", "007", "TRUE", "92.5%", " yes", "1e400", "é", '"', "\\",
    "\0", "#", "0.25", "0.75", "2", "x" * 300,
]  # fmt: skip
TEXTS = [
    "",
    "\n",
    "{",
    "[",
    "null",
    "[]",
    "{}",
    "[[]]",
    "3",
    '"a"',
    "sep=;",
    "#",
    "# y",
    "\ufeff",
    "PK",
]


PLAIN = [["no", "yes"], ["no", "yes"], ["0", "1"], ["0.25", "0.75"], ["0,25", "0,5"], ["1.5", "2"]]


def choose_names(rng, width):
    names = rng.sample(NAMES, width)
    if rng.random() < 0.7:
        names = ["y", rng.choice(["m.label", "m.proba", "pred", "label"]), *names]
    return names if rng.random() < 0.1 else list(dict.fromkeys(names))


def make_file(rng, folder):
    """A file of odd content, and options to read it with."""
    suffix = rng.choice([".csv"] * 4 + [".tsv", ".csv.gz", ".json", ".jsonl", ".xlsx", ".parquet"])
    data = make_json(rng) if "json" in suffix else make_text(rng)
    if rng.random() < 0.1:
        data = rng.choice(TEXTS)
    encoded = data.encode(rng.choice(["utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"]))
    if rng.random() < 0.05:
        encoded = encoded[: len(encoded) // 2] + rng.randbytes(4)
    path = folder / f"{rng.choice(['p', 'oof_fold1', 'samples'])}{suffix}"
    path.write_bytes(gzip.compress(encoded) if suffix.endswith(".gz") else encoded)
    options = {}
    if rng.random() < 0.2:
        options["truth"] = rng.choice(NAMES)
    if rng.random() < 0.2:
        kinds = ["label", "proba", "score", "value", "logit", "proba.yes", "class", ""]
        options["models"] = [f"m={rng.choice(kinds)}:{rng.choice(NAMES)}", rng.choice(NAMES)][
            : rng.randint(1, 2)
        ]
    if rng.random() < 0.1:
        options["header"] = False
    if rng.random() < 0.1:
        options["decimal"] = rng.choice([".", ",", ";"])
    if rng.random() < 0.1:
        options["task"] = rng.choice(["binary", "multiclass", "regression", "multilabel"])
    return path, options


def make_text(rng):
    sep = rng.choice([",", ",", ";", "\t", "|", " "])
    width = rng.randint(1, 6)
    names = choose_names(rng, width)
    plain = rng.random() < 0.7
    columns = [
        rng.choice(PLAIN) if plain and rng.random() < 0.9 else rng.sample(CELLS, rng.randint(1, 3))
        for _ in names
    ]
    lines = [rng.choice(["sep=" + sep, "# run 1", ""])] if rng.random() < 0.2 else []
    lines.append(sep.join(names))
    for _ in range(rng.randint(0, 6)):
        cells = [rng.choice(column) for column in columns]
        if rng.random() < 0.05:
            cells.append("extra")
        if rng.random() < 0.5:
            cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        lines.append(sep.join(cells))
    return rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n", "\n# end\n"])


def make_json(rng):
    values = [
        "no", "yes", 0, 1, 0.5, None, True, float("nan"), [], {}, [0.5, 0.5], [[1]], 10**30,
        [{"label": "no", "score": 0.5}, {"label": "yes", "score": 0.5}], {"label": "no"},
        {"classes": ["no", "yes"], "scores": [0.5, 0.5]}, [{"label": 1}], {"no": 0.5},
    ]  # fmt: skip
    names = choose_names(rng, rng.randint(1, 5))
    columns = {name: rng.sample(values, rng.randint(1, 2)) for name in names}
    rows = [
        {name: rng.choice(column) for name, column in columns.items() if rng.random() < 0.95}
        for _ in range(rng.randint(0, 5))
    ]
    forms = [
        lambda: json.dumps(rows),
        lambda: "\n".join(map(json.dumps, rows)),
        lambda: json.dumps({name: column * 2 for name, column in columns.items()}),
        lambda: json.dumps({"predictions": rows}),
        lambda: json.dumps({"columns": names, "data": [list(row.values()) for row in rows]}),
        lambda: json.dumps(rng.choice(values)),
    ]
    return rng.choice(forms)()


def try_files(folder, seed):
    """Fifty odd files, and how many of them were evaluated."""
    rng = random.Random(seed)
    taken = 0
    for _ in range(50):
        path, options = make_file(rng, folder)
        with contextlib.suppress(AssayError):
            evaluate(read(path, **options), intervals=False)
            taken += 1
        path.unlink()
    return taken


@pytest.mark.parametrize("seed", range(6))
def test_odd_files_are_read_or_refused(tmp_path, seed):
    assert try_files(tmp_path, seed) <= 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 200, 10))
def test_5000_odd_files_are_read_or_refused(tmp_path, first):
    assert sum(try_files(tmp_path, seed) for seed in range(first, first + 10)) > 0


def test_a_harness_log_whose_task_is_declared_multiclass_is_judged_by_accuracy(tmp_path):
    path = tmp_path / "samples.jsonl"
    rows = [{"doc_id": i, "acc": float(i), "filtered_resps": [[1]]} for i in range(2)]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert evaluate(read(path, task="multiclass"), intervals=False).value == 0.5
