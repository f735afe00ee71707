"""Distillation: what a pool of models says, learnt by one network that costs no more than one.

>>> import numpy as np, torch
>>> x = np.random.default_rng(0).normal(size=(80, 3)).astype("float32")
>>> y = (x[:, 0] > 0).astype(int)
>>> soft = np.stack([1 / (1 + np.exp(3 * x[:, 0])), 1 / (1 + np.exp(-3 * x[:, 0]))], axis=1)
>>> torch.manual_seed(0).initial_seed()
0
>>> made = distill(soft, torch.nn.Linear(3, 2), (x, y), (x, y), n_classes=2, epochs=2)
>>> [rival.name for rival in made.rivals], made.module(torch.zeros(1, 3)).shape
(['hard labels alone'], torch.Size([1, 2]))
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.deep.distillation import Distillation, Rival
from assay.deep.fuse_networks import find_framework
from assay.deep.judging import build_table, measure_difference
from assay.deep.options import DeepTask, Target, Training, make_target, require_data
from assay.errors import NameLookupError, SchemaError, UnsupportedError
from assay.fusions.fuse import Fused
from assay.fusions.judging import measure_losses
from assay.kernels import Array
from assay.readers.history import History
from assay.table.predictions import Predictions

__all__ = ["distill"]


def distill(  # noqa: PLR0913 - the options of a verb
    teacher: Any,
    student: Any,
    train: Any,
    val: Any = None,
    *,
    n_classes: int | None = None,
    task: DeepTask | None = None,
    model: str | None = None,
    teacher_val: Any = None,
    temperature: float = 2.0,
    hard: float = 0.5,
    epochs: int = 100,
    patience: int = 10,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
    seed: int = 0,
) -> Distillation:
    """Train one student to say what a pool of models says.

    The loss is hard * (loss on the true labels) + (1 - hard) * T^2 * (divergence from the pool's
    probabilities, both at temperature T); in regression the squared distance from the pool's
    values. The student is copied, trained, and trained once more on the true labels alone, from the
    same initial weights, to see what the pool was worth. What the pool says of rows that it was
    trained on teaches little: give cross-fitted predictions, as `fuse` and `cross_validate` do, or
    networks that were trained on other rows.

    Parameters:
        teacher: A `Fused`, a table of predictions, class probabilities (n, k) (values (n,) in
            regression) of the training rows in their order; or networks by name, whose mean is
            the pool.
        student: A torch.nn.Module that gives logits, or a built keras.Model.
        train: (X, y), arrays of the training rows.
        val: (X, y), arrays of rows to validate on.
        n_classes: Number of classes, or of labels with task="multilabel"; default: those of the
            table, or of the probabilities; none in regression.
        task: binary, multiclass, multilabel or regression; default: by `n_classes`.
        model: The model of the table that teaches; default: the fused one, or the only one.
        teacher_val: What the pool says of the validation rows, as `teacher` of the training rows;
            default: networks are asked; else the student is not compared with the pool.
        temperature: What logits are divided by, above 0; default 2.
        hard: Weight of the true labels, 0 to 1; default 0.5.
        epochs: Most epochs, 1 or more; default 100.
        patience: Epochs without a lower validation loss after which training stops; default 10.
        batch_size: Rows a step; default 64.
        learning_rate: Step size of AdamW, above 0; default 0.001.
        weight_decay: Weight decay of AdamW, 0 or more; default 0.01.
        seed: Seed of the order of rows and of what is dropped; default 0.

    Returns:
        The trained student as `module`, its history, and its loss on validation rows against hard
        labels alone and against the pool.

    Raises:
        UnsupportedError: Options do not fit, or rows to validate on are missing.
        SchemaError: What the pool says is not of the training rows, or not of their classes.

    Source: Hinton, Vinyals & Dean (2015), Distilling the knowledge in a neural network, arXiv
    1503.02531.

    >>> import torch
    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> made = distill((2 * x)[:, 0], torch.nn.Linear(1, 1), (x, 2 * x), (x, 2 * x),
    ...     task="regression", hard=0.0, epochs=2)
    >>> made.metric, made.epochs
    ('mse', 2)
    """
    require_data(train, val)
    if not 0 < temperature < np.inf:
        raise UnsupportedError(f"temperature must be above 0; got {temperature!r}")
    if not 0 <= hard <= 1:
        raise UnsupportedError(f"hard must be from 0 to 1; got {hard!r}")
    options = Training(epochs, patience, batch_size, learning_rate, weight_decay, seed)
    target = _find_target(teacher, n_classes, task)
    if find_framework({"student": student}) == "torch":
        from assay.deep.torch_student import TorchStudent as Student
    else:
        from assay.deep.keras_student import KerasStudent as Student  # type: ignore[assignment]
    pupil = Student(student, target, train, val)
    soft = _read_soft(teacher, model, target, pupil.train_inputs, pupil.train_truth)
    known = teacher_val if teacher_val is not None else teacher if _is_pool(teacher) else None
    pool = None
    if known is not None:
        pool = _read_soft(known, model, target, pupil.val_inputs, pupil.val_truth, "teacher_val")
    module, curves = pupil.learn(options, soft, temperature, hard)
    baseline, _ = pupil.learn(options, soft, temperature, 1.0)
    outputs = {"student": pupil.ask(module), "hard labels alone": pupil.ask(baseline)}
    if pool is not None:
        outputs["pool"] = _compute_logits(pool, target)
    table = build_table(target, pupil.val_truth, outputs)
    losses = measure_losses(table, "value" if target.task == "regression" else "proba").mean
    rivals = [
        Rival(name, losses[name], *measure_difference(table, target.metric, "student", name))
        for name in losses
        if name != "student"
    ]
    missing = (
        "What the pool says of the validation rows is not known: give teacher_val to compare."
        if pool is None
        else ""
    )
    notes = (
        "The epochs were chosen on these rows, so the losses of both students flatter a little.",
        missing,
    )
    return Distillation(
        module=module,
        metric=target.metric,
        loss=losses["student"],
        rivals=tuple(rivals),
        temperature=temperature,
        hard=hard,
        best_epoch=curves[2],
        history=History.from_lists(
            train_loss=curves[0], val_loss=curves[1], name="student", n_val=table.n
        ),
        predictions=table,
        notes=tuple(filter(None, notes)),
    )


def _is_pool(teacher: Any) -> bool:
    """Whether a `teacher` is networks by name."""
    return isinstance(teacher, Mapping)


def _find_target(teacher: Any, n_classes: int | None, task: str | None) -> Target:
    """What the student gives: as the options say, or the table or array of the `teacher`."""
    if n_classes is not None or task == "regression":
        return make_target(n_classes, task)
    if isinstance(teacher, Fused | Predictions):
        schema = (teacher.predictions if isinstance(teacher, Fused) else teacher).schema
        if schema.task == "regression":
            return make_target(None, "regression")
        return make_target(
            schema.k, task or ("multilabel" if schema.task == "multilabel" else None)
        )
    shape: tuple[int, ...] = tuple(getattr(teacher, "shape", ()))
    if len(shape) == 2:
        return make_target(int(shape[1]), task)
    return make_target(n_classes, task)


def _read_soft(
    teacher: Any,
    model: str | None,
    target: Target,
    inputs: Any,
    truth: Array,
    what: str = "teacher",
) -> Array:
    """What a `teacher` says of rows: probabilities (n, k), or values (n,)."""
    if _is_pool(teacher):
        soft = _ask_pool(teacher, target, inputs, truth)
    elif isinstance(teacher, Fused | Predictions):
        soft = _read_table(teacher, model, target, truth, what)
    else:
        values = teacher.detach().cpu() if hasattr(teacher, "detach") else teacher
        soft = np.asarray(values, np.float64)
    if target.task == "regression":
        soft = soft.reshape(len(soft), -1)[:, 0] if soft.ndim == 2 and soft.shape[1] == 1 else soft
    expected = (len(truth),) if target.task == "regression" else (len(truth), target.size)
    if soft.shape != expected:
        raise SchemaError(
            f"{what} says something of shape {soft.shape}; {len(truth)} rows need {expected}, in "
            "the order of the rows"
        )
    if not np.isfinite(soft).all():
        raise SchemaError(f"{what} says something that is not finite in some rows")
    if target.task != "regression":
        sums = soft.sum(axis=1)
        off = target.task != "multilabel" and (np.abs(sums - 1) > 1e-3).any()
        if off or soft.min() < 0 or soft.max() > 1 + 1e-6:
            raise SchemaError(
                f"{what} must give probabilities, from 0 to 1"
                + ("" if target.task == "multilabel" else ", each row summing to 1")
                + f"; they go from {soft.min():.3g} to {soft.max():.3g}"
            )
    return soft


def _read_table(
    teacher: Fused | Predictions, model: str | None, target: Target, truth: Array, what: str
) -> Array:
    """What a model of a table says of rows whose truth is `truth`."""
    table = teacher.predictions if isinstance(teacher, Fused) else teacher
    name = model or (teacher.name if isinstance(teacher, Fused) else None)
    name = name or ("fused" if "fused" in table.models else None)
    if name is None and len(table.models) == 1:
        name = table.models[0]
    if name not in table.models:
        raise NameLookupError(
            f"the table has the models {', '.join(table.models)}; name the one that teaches by "
            f"model=" + (f"; got {name!r}" if name else "")
        )
    # Rows are matched by their order, and a table in another would teach nonsense.
    own = np.asarray(table.truth)
    same = own.shape == truth.shape and np.allclose(own.astype(float), truth.astype(float))
    if not same:
        raise SchemaError(
            f"the table of {what} has another truth than the rows ({len(own)} and {len(truth)} "
            "rows); give the rows in the order of the table, with classes counted from 0 in the "
            "order of its own"
        )
    rows = table.rows(name)
    return np.asarray(rows.value if target.task == "regression" else rows.proba, np.float64)


def _ask_pool(networks: Mapping[str, Any], target: Target, inputs: Any, truth: Array) -> Array:
    """The mean of what `networks` say of `inputs`."""
    from assay.adapters.collect import collect

    labels = truth.astype(np.int64) if target.task != "regression" else truth
    multilabel = target.task == "multilabel"
    classes = None if target.task == "regression" else list(range(target.size))
    table = collect(dict(networks), inputs, labels, task=target.task, classes=classes)
    kind = "value" if target.task == "regression" else "proba"
    found = [np.asarray(getattr(table.rows(name), kind), np.float64) for name in networks]
    mean = np.mean(found, axis=0)
    return np.asarray(mean if not multilabel else np.clip(mean, 0, 1))


def _compute_logits(soft: Array, target: Target) -> Array:
    """Probabilities as logits; values as they are."""
    if target.task == "regression":
        return soft
    proba = np.clip(soft, 1e-12, 1 - 1e-12)
    logs: Array = np.log(proba)
    return logs - np.log1p(-proba) if target.task == "multilabel" else logs
