"""Meter: batches in, the evaluation of all rows out, however they were cut."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation import kept_rows, meter

torch = pytest.importorskip("torch")

METRICS = ["accuracy", "f1", "roc_auc", "ece", "log_loss"]


def draw(n=700, k=4, seed=0):
    """Logits (n, k) as float32 and targets (n,), of a model that is right more often than not."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)).astype(np.float32)
    logits[np.arange(n), target] += 1.5
    return logits, target


def fill(made, size, *columns):
    """The meter `made`, updated with the columns in batches of a size."""
    for start in range(0, len(columns[0]), size):
        made.update(*(values[start : start + size] for values in columns))
    return made


def rows_of(evaluation, without=()):
    return [tuple(row._replace(**dict.fromkeys(without))) for row in evaluation.rows]


def assert_same(a, b, tolerance=0.0):
    for one, other in zip(a.rows, b.rows, strict=True):
        assert (one.metric, one.class_, one.n) == (other.metric, other.class_, other.n)
        assert (one.method, one.note) == (other.method, other.note)
        numbers = [(x.value, x.low, x.high) for x in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=tolerance, abs=tolerance, nan_ok=True)


@pytest.fixture
def small(monkeypatch):
    """A meter that keeps 4 kB of rows, and folds all others into states."""
    monkeypatch.setattr(meter, "MOST_BYTES", 1 << 12)


@pytest.mark.parametrize("size", [1, 7, 1024])
def test_a_meter_gives_what_evaluate_gives_whatever_the_batches(size):
    logits, target = draw()
    found = fill(assay.Meter(METRICS, kind="logit"), size, logits, target).compute()
    whole = assay.evaluate(target, {"model.logit": logits}, METRICS, classes=range(4))
    assert rows_of(found) == rows_of(whole)
    assert (found.notes, found.advice, found.classes) == (whole.notes, whole.advice, whole.classes)


@pytest.mark.parametrize("size", [1, 7, 1024])
def test_states_of_more_rows_than_are_kept_give_the_same_values(small, size):
    logits, target = draw(6000)
    metrics = [*METRICS, "brier", "precision(average=none)"]
    found = fill(assay.Meter(metrics, kind="logit"), size, logits, target)
    assert found._folded is not None
    whole = assay.evaluate(target, {"model.logit": logits}, metrics, classes=range(4))
    assert_same(found.compute(), whole, 1e-12)
    assert found.compute().n == 6000


def test_any_cut_into_batches_gives_the_same_numbers_to_the_last_digit(small):
    logits, target = draw(3000)
    meters = [fill(assay.Meter(METRICS, kind="logit"), m, logits, target) for m in (1, 7, 1024)]
    first, *others = [rows_of(made.compute()) for made in meters]
    assert others == [first, first]


def test_a_curve_of_more_scores_than_are_kept_comes_with_its_bound(small, monkeypatch):
    from assay.states import base

    monkeypatch.setattr(base, "MAX_KEPT_VALUES", 1 << 12)
    logits, target = draw(4000)
    made = fill(assay.Meter(["roc_auc", "accuracy"], kind="logit"), 256, logits, target)
    row = made.compute().get("model", "roc_auc")
    exact = assay.evaluate(target, {"model.logit": logits}, "roc_auc", classes=range(4)).value
    bound = float(row.note.split("within ")[1].split(";")[0])
    assert 0 < abs(row.value - exact) <= bound < 1e-4 or row.value == exact


def test_memory_does_not_grow_with_the_rows(small, monkeypatch):
    from assay.states import base

    monkeypatch.setattr(base, "MAX_KEPT_VALUES", 1 << 12)
    logits, target = draw(4000, k=2)
    made = assay.Meter(["roc_auc", "accuracy", "ece"], kind="logit")
    sizes = []
    for _ in range(3):
        fill(made, 500, logits, target)
        sizes.append(len(made.state))
    assert made.n == 12000
    assert sizes[2] < 1.2 * sizes[1]


@pytest.mark.parametrize("kind", ["logit", "proba"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_tensors_of_any_precision_are_taken_without_their_gradient(kind, dtype):
    logits, target = draw(64)
    tensor = torch.from_numpy(logits).to(getattr(torch, dtype)).requires_grad_()
    outputs = tensor if kind == "logit" else tensor.softmax(1)
    made = fill(assay.Meter(["accuracy", "log_loss"], kind=kind), 16, outputs, torch.tensor(target))
    same = outputs.detach().float().numpy() if dtype == "bfloat16" else outputs.detach().numpy()
    whole = assay.evaluate(target, {f"model.{kind}": same}, ["accuracy", "log_loss"],
                           classes=range(4))  # fmt: skip
    assert rows_of(made.compute()) == rows_of(whole)
    assert tensor.grad_fn is None


def test_a_batch_may_be_changed_after_it_was_given():
    logits, target = draw(8)
    made = assay.Meter("accuracy", kind="logit")
    right = float((logits.argmax(1) == target).mean())
    made.update(logits, target)
    logits[:] = 0
    assert made.compute().value == right


def test_tokens_with_a_target_to_ignore_are_left_out_and_counted():
    logits, target = draw(12)
    target[[1, 5]] = -100
    made = assay.Meter("accuracy", kind="logit", ignore_label=-100)
    fill(made, 1, logits.reshape(4, 3, 4), target.reshape(4, 3))
    whole = assay.evaluate(
        target, {"model.logit": logits}, "accuracy", classes=range(4), ignore_label=-100
    )
    assert made.n == 10
    assert rows_of(made.compute()) == rows_of(whole)
    assert made.compute().notes == whole.notes == (
        "2 of 12 rows are left out: their truth is -100.",
    )  # fmt: skip


def test_a_batch_of_ignored_rows_alone_and_an_empty_one_change_nothing():
    made = assay.Meter("accuracy", kind="logit", ignore_label=-100)
    made.update([[0.0, 1.0]], [-100])
    made.update(np.zeros((0, 2), np.float32), np.zeros(0, int))
    made.update([[0.0, 1.0]], [1])
    assert (made.n, made.compute().value) == (1, 1.0)


@pytest.mark.parametrize("task", ["label", "text", "score", "value", "multilabel", "weight"])
def test_every_task_gives_what_evaluate_gives(task):
    rng = np.random.default_rng(1)
    n = 300
    declared, names = {}, None
    weight = None
    if task in ("label", "weight"):
        target, outputs = rng.integers(0, 3, (2, n))
        declared = {"classes": range(3)}
        weight = rng.random(n) if task == "weight" else None
    elif task == "text":
        target, outputs = np.array(["cat", "dog", "ox"])[rng.integers(0, 3, (2, n))]
        declared = {"classes": ["cat", "dog", "ox", "yak"]}
    elif task == "score":
        target, outputs = rng.integers(0, 2, n), rng.normal(size=n)
        declared = {"kind": "score"}
        names = ["roc_auc", "average_precision"]
    elif task == "value":
        target, outputs = rng.normal(size=(2, n))
        declared = {"task": "regression"}
    else:
        target, outputs = rng.integers(0, 2, (n, 3)), rng.normal(size=(n, 3))
        declared = {"task": "multilabel", "kind": "logit"}
    kind = declared.get("kind", "value" if task == "value" else "label")
    columns = (outputs, target) if weight is None else (outputs, target, weight)
    made = fill(assay.Meter(names, **declared), 64, *columns)
    reading = {key: value for key, value in declared.items() if key != "kind"}
    if task == "score":
        reading["classes"] = (0, 1)
    whole = assay.evaluate(target, {f"model.{kind}": outputs}, names, weight=weight, **reading)
    assert rows_of(made.compute()) == rows_of(whole)
    assert made.compute().advice == whole.advice


def test_arrays_of_jax_and_others_are_taken_by_the_array_protocol():
    class Foreign:
        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.values, dtype)

    made = assay.Meter("accuracy", kind="logit")
    made.update(Foreign([[0.0, 1.0], [1.0, 0.0]]), Foreign([1, 1]))
    assert made.compute().value == 0.5


def test_merged_meters_hold_the_rows_of_all():
    logits, target = draw()
    halves = [
        fill(assay.Meter(METRICS, kind="logit"), 50, logits[part], target[part])
        for part in (slice(0, 401), slice(401, None))
    ]
    halves[0].merge(halves[1])
    whole = fill(assay.Meter(METRICS, kind="logit"), 100, logits, target)
    assert rows_of(halves[0].compute()) == rows_of(whole.compute())
    assert halves[1].n == 299


def test_merged_states_hold_the_rows_of_all(small):
    logits, target = draw(5000)
    halves = [
        fill(assay.Meter(METRICS, kind="logit"), 50, logits[part], target[part])
        for part in (slice(0, 4001), slice(4001, None))
    ]
    halves[0].merge(halves[1])
    whole = assay.evaluate(target, {"model.logit": logits}, METRICS, classes=range(4))
    values = {row.metric: row.value for row in halves[0].compute().rows}
    assert values == pytest.approx({row.metric: row.value for row in whole.rows}, rel=1e-12)


def test_a_meter_is_not_merged_with_itself_or_with_one_of_other_classes():
    made = fill(assay.Meter("accuracy", kind="logit"), 10, *draw(30))
    with pytest.raises(UnsupportedError, match="would count its rows twice"):
        made.merge(made)
    other = fill(assay.Meter("accuracy", kind="logit"), 10, *draw(30, k=3))
    with pytest.raises(UnsupportedError, match="other classes"):
        made.merge(other)


@pytest.mark.parametrize("rows", [60, 5000])
def test_a_meter_goes_on_from_its_state(small, rows):
    logits, target = draw(rows)
    target[3] = -100
    half = rows // 2
    first = assay.Meter(METRICS, kind="logit", ignore_label=-100)
    fill(first, 16, logits[:half], target[:half])
    second = assay.Meter(METRICS, kind="logit", ignore_label=-100)
    second.load(first.state)
    fill(second, 16, logits[half:], target[half:])
    fill(first, 16, logits[half:], target[half:])
    assert_same(second.compute(), first.compute(), 1e-12)
    assert second.compute().notes == first.compute().notes
    assert second.n == rows - 1


def test_states_of_meters_are_merged_by_the_command_line(tmp_path, capsys):
    from assay.cli import main

    logits, target = draw(400)
    for i, part in enumerate((slice(0, 150), slice(150, None))):
        made = fill(assay.Meter("accuracy", kind="logit"), 40, logits[part], target[part])
        (tmp_path / f"{i}.state").write_bytes(made.state)
    main(["merge", str(tmp_path / "0.state"), str(tmp_path / "1.state"), "--json", "-"])
    assert '"n": 400' in capsys.readouterr().out


def test_a_state_that_was_asked_otherwise_is_refused():
    made = fill(assay.Meter("accuracy", kind="logit"), 10, *draw(30))
    other = assay.Meter("f1", kind="logit")
    with pytest.raises(UnsupportedError, match="the state is of a meter of accuracy"):
        other.load(made.state)


def test_reset_forgets_the_rows_and_keeps_what_was_declared():
    made = fill(assay.Meter("accuracy", kind="logit"), 10, *draw(30))
    made.reset()
    with pytest.raises(UnsupportedError, match=r"no rows yet; call update\(outputs, target\)"):
        made.compute()
    made.update([[1.0, 0.0]], [0])
    assert made.compute().value == 1.0


def test_outputs_of_unknown_kind_are_asked_for_never_guessed():
    proba = np.full((3, 2), 0.5)
    with pytest.raises(UnsupportedError, match=r"may be logits, .* Meter\(\.\.\., kind='logit'\)"):
        assay.Meter("accuracy").update(proba, [0, 1, 1])
    made = assay.Meter("accuracy", kind="proba")
    made.update(proba, [0, 1, 1])
    assert made.compute().value == pytest.approx(1 / 3)


def test_columns_of_target_and_of_labels_are_not_taken_for_tokens():
    one_hot = np.eye(3, dtype=int)
    with pytest.raises(UnsupportedError, match="task='multilabel'"):
        assay.Meter("accuracy", classes=range(3)).update(one_hot, one_hot)
    with pytest.raises(SchemaError, match="one-hot"):
        assay.Meter("accuracy", classes=range(3), task="multiclass").update(one_hot, one_hot)
    made = assay.Meter("accuracy", kind="logit", task="multiclass")
    made.update(one_hot * 2.0, one_hot[[0, 1, 1]])
    assert made.compute().value == pytest.approx(2 / 3)


def test_labels_without_named_classes_are_asked_for():
    with pytest.raises(UnsupportedError, match=r"classes=range\(10\)"):
        assay.Meter("accuracy").update([0, 1], [0, 1])


@pytest.mark.parametrize(
    ("outputs", "target", "message"),
    [
        ([[0.0, 1.0]], [2], r"label 2 of truth .*is not among the classes|not among|class"),
        ([[0.0, np.nan]], [1], "nan"),
        ([[0.0, 1.0]], [1, 0], "a batch has outputs"),
        ([[0.0, 1.0, 2.0]], [1], "3 columns|shape"),
        (0.5, 1, "give one row"),
        (np.zeros((2, 2, 3, 3)), np.zeros((2, 3, 3), int), "a batch has outputs"),
    ],
)
def test_a_bad_batch_is_refused_at_once_and_leaves_the_meter_as_it_was(outputs, target, message):
    made = assay.Meter("accuracy", kind="logit", classes=[0, 1])
    made.update([[0.0, 1.0]], [1])
    with pytest.raises(SchemaError, match=message):
        made.update(np.asarray(outputs), np.asarray(target))
    assert made.n == 1
    assert made.compute().value == 1.0


def test_logits_that_are_said_to_be_probabilities_are_refused():
    with pytest.raises(SchemaError, match="logit"):
        assay.Meter("accuracy", kind="proba").update([[2.0, -1.0]], [0])


def test_unknown_metrics_are_refused_when_a_meter_is_made():
    with pytest.raises(assay.NameLookupError, match="accurcy"):
        assay.Meter(["accurcy"])


def test_a_metric_of_ones_own_sees_all_rows():
    class Agreement:
        def reset(self):
            self.hits = []

        def update(self, prediction, truth):
            self.hits.extend(prediction == truth)

        def compute(self):
            return np.mean(self.hits)

    made = Agreement()
    made.reset()
    found = fill(assay.Meter(["accuracy", made], kind="logit"), 9, *draw(40)).compute()
    accuracy, agreement = (row.value for row in found.rows)
    assert accuracy == agreement


def test_one_metric_named_twice_is_refused():
    class Score:
        def reset(self): ...
        def update(self, prediction, truth): ...
        def compute(self):
            return 0.0

    with pytest.raises(UnsupportedError, match="make_metric"):
        assay.Meter([Score(), Score()])


WORKER = """
    import sys, numpy as np, torch.distributed as dist, assay
    rank = int(sys.argv[1])
    dist.init_process_group("gloo", init_method=sys.argv[2], rank=rank, world_size=2)
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 301)
    logits = rng.normal(size=(301, 3)).astype("float32")
    own = slice(0, 180) if rank == 0 else slice(180, None)
    meter = assay.Meter(["accuracy", "f1", "roc_auc", "ece"], kind="logit")
    for start in range(0, len(target[own]), 50):
        meter.update(logits[own][start:start + 50], target[own][start:start + 50])
    both = [meter.compute(), meter.compute()]
    whole = assay.evaluate(target, {"model.logit": logits}, ["accuracy", "f1", "roc_auc", "ece"])
    assert both[0].rows == both[1].rows == whole.rows, (both, whole)
    assert meter.compute(sync=False).n == meter.n == len(target[own])
    empty = assay.Meter("accuracy", kind="logit")
    if rank == 0:
        empty.update(logits, target)
    assert empty.compute().n == 301
    dist.destroy_process_group()
    print("ok")
"""


@pytest.mark.slow
def test_two_processes_with_uneven_batches_both_get_the_evaluation_of_all_rows(tmp_path):
    code = textwrap.dedent(WORKER)
    place = (tmp_path / "rendezvous").as_uri()
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(rank), place], env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]  # fmt: skip
    ends = [worker.communicate(timeout=120) for worker in workers]
    assert [out.strip() for out, _ in ends] == ["ok", "ok"], ends


def test_rows_that_are_kept_are_as_many_as_those_of_a_checkpoint():
    assert meter.MOST_BYTES == kept_rows.MOST_BYTES


def test_the_python_of_the_page_on_meters_that_needs_no_framework_runs():
    page = (Path(__file__).parents[2] / "docs" / "meter.md").read_text()
    names = {}
    ran = 0
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        if code.startswith(("import torch", "other = ", "from sklearn")):
            exec(code, names)
            ran += 1
    assert ran == 3
    assert names["scores"]["test_f1"].mean() > 0.9


@pytest.mark.parametrize("declared", [{"task": "text"}, {"kind": "text"}])
def test_a_meter_takes_texts_where_task_or_kind_says_so(declared):
    found = assay.Meter("wer", **declared)
    found.update(["the cat sit"], ["the cat sat"])
    found.update(["a dog"], ["a dog ran off"])
    assert found.compute().value == 3 / 7


def test_rows_of_several_lengths_are_refused_with_the_shape_that_is_taken():
    with pytest.raises(SchemaError, match=r"a list is no array .*give rows of one length"):
        assay.Meter("accuracy", classes=range(3)).update([[0, 1], [2]], [[0, 1], [1]])
    found = assay.Meter("accuracy", classes=range(3), intervals=False)
    found.update([0, 1, 2], [0, 1, 1])
    assert found.compute().value == 2 / 3


@pytest.mark.parametrize("transform", ["vmap", "grad"])
def test_batches_inside_a_transformed_function_of_pytorch_are_refused_with_what_to_do(transform):
    meter = assay.Meter("accuracy", kind="logit")
    target = torch.zeros(8, dtype=torch.long)

    def measure(logits):
        meter.update(logits, target)
        return logits.sum()

    logits = torch.randn(8, 3) if transform == "grad" else torch.randn(4, 8, 3)
    with pytest.raises(UnsupportedError, match=r"call update outside of functions.*with what they"):
        getattr(torch.func, transform)(measure)(logits)
    assert meter.n == 0
    for batch in logits.reshape(-1, 8, 3):
        meter.update(batch, target)
    assert meter.n == len(logits.reshape(-1, 3))


@pytest.fixture
def away(monkeypatch):
    """Tensors of PyTorch are taken for those of an accelerator: they stay tensors until read.

    What is returned lists how many columns were read at once, each time that some were.
    """
    from assay.adapters import tensors
    from assay.evaluation import batch_reader, row_buffer

    reads = []

    def read_all(columns):
        reads.append(sum(map(torch.is_tensor, columns.values())))
        return tensors.read_all_on_host(columns)

    for module in (tensors, batch_reader, row_buffer):
        monkeypatch.setattr(module, "is_on_accelerator", torch.is_tensor)
    monkeypatch.setattr(row_buffer, "read_all_on_host", read_all)
    return reads


def draw_tensors(n=700, ignored=90, dtype=torch.float32):
    logits, target = draw(n)
    target[np.random.default_rng(1).permutation(n)[:ignored]] = -100
    return torch.from_numpy(logits).to(dtype), torch.from_numpy(target)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [7, 1024])
def test_tensors_of_an_accelerator_give_what_those_of_the_host_give(away, dtype, size):
    logits, target = draw_tensors(dtype=dtype)
    made = fill(assay.Meter(METRICS, kind="logit", ignore_label=-100), size, logits, target)
    assert not away
    found = made.compute()
    kept = target != -100
    outputs = {"model.logit": logits[kept].float().numpy()}
    whole = assay.evaluate(target[kept].numpy(), outputs, METRICS, classes=range(4))
    assert_same(found, whole)
    assert any("90 of 700 rows" in note for note in found.notes)


def test_a_meter_reads_what_lies_on_an_accelerator_once_and_never_before_compute(away):
    logits, target = draw_tensors()
    made = fill(assay.Meter("accuracy", kind="logit", ignore_label=-100), 64, logits, target)
    first = made.compute()
    assert made.compute().value == first.value
    assert made.n == 610
    assert away == [2]
    made.update(logits[:10], target[:10])
    assert made.n == 610 + int((target[:10] != -100).sum())
    assert away == [2, 2]


@pytest.mark.usefixtures("small")
def test_tensors_of_an_accelerator_are_folded_as_those_of_the_host(away):
    logits, target = draw_tensors()
    made = fill(assay.Meter(METRICS, kind="logit", ignore_label=-100), 50, logits, target)
    host = assay.Meter(METRICS, kind="logit", ignore_label=-100)
    fill(host, 50, logits.numpy(), target.numpy())
    assert made.n == host.n
    assert_same(made.compute(), host.compute(), 1e-12)
    joined = assay.Meter(METRICS, kind="logit", ignore_label=-100)
    joined.load(made.state)
    assert joined.n == host.n


def test_rows_of_an_accelerator_that_are_all_ignored_are_none(away):
    made = assay.Meter("accuracy", kind="logit", ignore_label=-100)
    made.update(torch.zeros(5, 3), torch.full((5,), -100))
    assert made.n == 0
    with pytest.raises(UnsupportedError, match="no rows yet"):
        made.compute()


def test_what_is_wrong_in_rows_of_an_accelerator_is_said_when_they_are_read(away):
    made = assay.Meter("accuracy", kind="logit")
    made.update(torch.tensor([[0.0, float("nan")]]), torch.tensor([0]))
    for _ in range(2):
        with pytest.raises(SchemaError, match="nan"):
            made.compute()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_is_waited_for_once_in_compute_and_never_in_update(monkeypatch):
    logits, target = (values.cuda() for values in draw_tensors())
    waits = []
    synchronize = torch.cuda.Stream.synchronize
    monkeypatch.setattr(
        torch.cuda.Stream, "synchronize", lambda stream: (waits.append(1), synchronize(stream))
    )
    made = assay.Meter(METRICS, kind="logit", ignore_label=-100)
    torch.cuda.set_sync_debug_mode("error")
    try:
        fill(made, 64, logits, target)
        assert not waits
        found = made.compute()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(waits) == 1
    host = fill(
        assay.Meter(METRICS, kind="logit", ignore_label=-100), 64, logits.cpu(), target.cpu()
    )
    assert_same(found, host.compute())
