"""Transformers: models with their tokenizer, pipelines, Trainers and what a Trainer predicted.

Logits stay logits. Of models that label tokens, each token that has a label is a row; of language
models, each token, with its log-probability and, where the tokenizer tells, its bytes.

>>> Transformers().name, Transformers().rank
('transformers', 30)
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from assay.adapters.base import Answers, count_rows
from assay.adapters.extents import Extent
from assay.adapters.torch_modules import (
    TRUTH_KEYS,
    TorchModules,
    find_place,
    read_output,
)
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind, Task

__all__ = ["Transformers"]

IGNORED = -100  # the label of tokens that do not count


class Parts(NamedTuple):
    """The module of a model, and what makes its inputs of rows."""

    module: Any
    tokenizer: Any = None
    collator: Any = None
    processor: Any = None


@dataclass(frozen=True)
class Transformers(TorchModules):
    """Models of Transformers: (model, tokenizer), a pipeline, a Trainer, or a PredictionOutput.

    Rows are texts, pairs of texts, or encoded examples: a Dataset, a DataLoader, or a dictionary of
    arrays. The classes bear the names of `id2label`, unless these are LABEL_0, LABEL_1, ...
    """

    name = "transformers"
    extra = "transformers"
    modules = ("transformers",)
    rank = 30
    batch_size = 32

    def accepts(self, model: Any) -> bool:
        """Whether `model` is one of Transformers, in any of these forms."""
        import transformers

        if _is_output(model):
            return True
        first = model[0] if isinstance(model, tuple) and model else model
        if isinstance(first, transformers.PreTrainedModel):
            return True
        return isinstance(model, (*_find_class("pipelines.base", "Pipeline"),
                                  *_find_class("trainer", "Trainer")))  # fmt: skip

    def find_module(self, model: Any) -> Any:
        """The PreTrainedModel in a `model`."""
        return _take_apart(model).module

    def task(self, model: Any, y: Any) -> Task | None:
        """What the configuration of `model` says, or else the truth `y`."""
        problem = None if _is_output(model) else self.find_module(model).config.problem_type
        if problem == "regression":
            return "regression"
        if problem == "multi_label_classification":
            return "multilabel"
        return super().task(model, y)

    def classes(self, model: Any) -> tuple[Label, ...] | None:
        """The names of `id2label`; None where `model` has none of its own."""
        return self.class_names(model)

    def class_names(self, model: Any) -> tuple[str, ...] | None:
        """The names of `id2label`; None where `model` has none of its own."""
        if _is_output(model) or _name_head(self.find_module(model)) == "language":
            return None
        names = self.find_module(model).config.id2label
        ordered = [str(names[i]) for i in range(len(names)) if i in names]
        own = [name for i, name in enumerate(ordered) if name != f"LABEL_{i}"]
        return tuple(ordered) if own and len(ordered) > 1 else None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Texts, examples or encodings of each batch, and their truth.

        Parameters:
            data: Texts, pairs of texts, a Dataset, a DataLoader, a dictionary of arrays; None for
                a PredictionOutput, which holds its rows.
            size: Rows a batch, but for a DataLoader, which has its own.
        """
        loading = self.import_torch().utils.data
        if data is None:
            yield None, None
        elif isinstance(data, loading.DataLoader):
            yield from super().batches(data, size)
        elif isinstance(data, Mapping):
            yield from self._cut_encodings(data, size)
        else:
            rows = data.tolist() if hasattr(data, "tolist") else data
            n = self.count_data(data) or 0
            for start in range(0, n, size or max(n, 1)):
                yield _take_examples(rows, range(start, min(start + (size or n), n)))

    def count_data(self, data: Any) -> int | None:
        """Number of inputs of `data`; None where the model holds them."""
        if data is None:
            return None
        return super().count_data(data) if _is_loader(data) else self.count_rows(data)

    def count_rows(self, inputs: Any) -> int:
        """Number of `inputs` of a batch."""
        if inputs is None:
            return 1
        if isinstance(inputs, Mapping):
            return count_rows(next(iter(inputs.values())))
        return count_rows(inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """Inputs from `start` to before `stop` of the `inputs` of a batch."""
        if isinstance(inputs, Mapping):
            return super().slice_rows(inputs, start, stop)
        return inputs[start:stop]

    def prepare(self, model: Any, device: str | None) -> AbstractContextManager[Any]:
        """Evaluation mode of `model` on `device`; on leaving, modes and device are restored."""
        return nullcontext() if _is_output(model) else super().prepare(model, device)

    def answer(
        self, model: Any, inputs: Any, truth: Any | None, *, device: str | None = None
    ) -> Answers:
        """What `model` gives for a batch on `device`, one row an input or one a token.

        `inputs` and `truth` are those of `batches`.
        """
        if _is_output(model):
            return _read_prediction(model)
        if inputs is None:
            raise UnsupportedError(
                "no data is given; expected texts, a Dataset, a DataLoader or a dictionary of "
                "encoded inputs"
            )
        parts = _take_apart(model)
        encoded, notes = _encode(parts, inputs)
        labels = encoded.pop("labels", None)
        truth = labels if truth is None else truth
        place, _ = find_place(parts.module, device)
        torch = self.import_torch()
        tensors = {name: torch.as_tensor(v, device=place) for name, v in encoded.items()}
        head = _name_head(parts.module)
        further = {"labels": torch.as_tensor(truth, device=place)} if head == "seq2seq" else {}
        with torch.no_grad():
            output = parts.module(**tensors, **further)
        if head in ("language", "seq2seq"):
            mask = tensors.get("attention_mask", torch.ones_like(tensors["input_ids"]))
            answers = _score_tokens(output.logits, tensors["input_ids"], mask, truth, head)
            if head == "language" and truth is None and _have_offsets(parts, inputs):
                lengths = _count_bytes(parts, inputs, tensors["input_ids"].shape[1])
                counts = (mask[:, 1:] > 0).cpu().numpy()
                answers = answers._replace(columns={"bytes": lengths[:, 1:][counts]})
        else:
            answers = _mask_tokens(read_output(output), truth)
        return answers._replace(notes=notes)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """Logits, or values where the `task` is regression: nothing of a `model` is squashed.

        The `extents` tell whether it names another kind itself; a declared `kind` counts.
        """
        if "logit" not in extents:
            return {given: given for given in extents}
        return {"logit": kind or ("value" if task == "regression" else "logit")}

    def _cut_encodings(
        self, data: Mapping[str, Any], size: int | None
    ) -> Iterator[tuple[Any, Any | None]]:
        arrays = {name: np.asarray(values) for name, values in data.items()}
        key = next((key for key in TRUTH_KEYS if key in arrays), None)
        truth = None if key is None else arrays.pop(key)
        n = self.count_rows(arrays)
        for start in range(0, n, size or max(n, 1)):
            stop = start + (size or n)
            part = None if truth is None else truth[start:stop]
            yield self.slice_rows(arrays, start, stop), part


def _is_output(model: Any) -> bool:
    """Whether a model is what a Trainer predicted."""
    return type(model).__name__ == "PredictionOutput" and hasattr(model, "label_ids")


def _is_loader(data: Any) -> bool:
    return "DataLoader" in {cls.__name__ for cls in type(data).__mro__}


def _find_class(module: str, name: str) -> tuple[type, ...]:
    """A class of Transformers where its module is loaded: without it no instance can be there."""
    found = getattr(sys.modules.get(f"transformers.{module}"), name, None)
    return () if found is None else (found,)


def _take_apart(model: Any) -> Parts:
    """Module, tokenizer, collator and processor of a model in any form."""
    if isinstance(model, tuple):
        second = model[1] if len(model) > 1 else None
        if hasattr(second, "pad") or second is None:
            return Parts(model[0], second)
        return Parts(model[0], getattr(second, "tokenizer", None), processor=second)
    if hasattr(model, "data_collator"):
        tokenizer = model.processing_class
        return Parts(model.model, tokenizer if hasattr(tokenizer, "pad") else None,
                     model.data_collator)  # fmt: skip
    if hasattr(model, "preprocess"):
        processor = getattr(model, "image_processor", None) or model.feature_extractor
        return Parts(model.model, model.tokenizer, processor=processor)
    return Parts(model)


def _name_head(module: Any) -> str:
    """What the head of a module predicts: tokens that follow, those of a target, or classes."""
    name = type(module).__name__
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return "language"
    if name.endswith("ForConditionalGeneration") and module.config.is_encoder_decoder:
        return "seq2seq"
    return "classes"


def _take_examples(rows: Any, places: Sequence[int]) -> tuple[list[Any], Any | None]:
    """Some rows of texts or examples; examples keep their truth, which a collator may pad."""
    if hasattr(rows, "column_names"):
        columns = rows[places.start : places.stop] if isinstance(places, range) else rows[places]
        names = list(columns)
        examples: list[Any] = [
            dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
        ]
    else:
        examples = [rows[i] for i in places]
    if examples and isinstance(examples[0], Mapping) and "input_ids" not in examples[0]:
        return _read_texts(examples)
    return examples, None


def _read_texts(examples: list[Any]) -> tuple[list[Any], Any | None]:
    """The texts of examples that are not encoded yet, and their truth."""
    if "text" not in examples[0]:
        raise UnsupportedError(
            f"the rows have the columns {', '.join(map(repr, examples[0]))}; expected 'input_ids', "
            f"which the tokenizer gives, or 'text'"
        )
    key = next((key for key in TRUTH_KEYS if key in examples[0]), None)
    truth = None if key is None else np.asarray([row[key] for row in examples])
    return [row["text"] for row in examples], truth


def _encode(parts: Parts, inputs: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The encoded inputs of a batch, labels among them where the examples have some; and notes."""
    if isinstance(inputs, Mapping):
        return dict(inputs), ()
    if inputs and isinstance(inputs[0], Mapping):
        return _collate(parts, inputs), ()
    if inputs and not isinstance(inputs[0], str) and parts.processor is not None:
        return dict(parts.processor(list(inputs), return_tensors="pt")), ()
    if parts.tokenizer is None:
        raise UnsupportedError(
            "texts need a tokenizer; give the model as (model, tokenizer), or as a pipeline"
        )
    return _tokenize(parts, inputs)


def _tokenize(parts: Parts, texts: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    tokenizer = parts.tokenizer
    rows = [tuple(text) if isinstance(text, list) else text for text in texts]
    pairs = rows and isinstance(rows[0], tuple)
    columns: list[list[Any]] = [rows]
    if pairs:
        columns = [list(column) for column in zip(*rows, strict=True)]
    limit = _find_limit(parts)
    added = {}
    if tokenizer.pad_token is None:
        # Padding is masked, so that any token will do; models of one sequence have no such token.
        added = {"pad_token": tokenizer.pad_token}
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    try:
        encoded = tokenizer(*columns, truncation=limit is not None, max_length=limit)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        padded = dict(tokenizer.pad(encoded, return_tensors="pt", padding_side="right"))
    finally:
        for name, value in added.items():
            setattr(tokenizer, name, value)
    known = set(inspect.signature(parts.module.forward).parameters)
    kept = {name: values for name, values in padded.items() if name in known}
    cut = limit is not None and max(lengths, default=0) >= limit
    note = f"Texts of more than {limit} tokens were cut to as many, which the model takes at most."
    return kept, (note,) if cut and _exceed(tokenizer, columns, limit) else ()


def _exceed(tokenizer: Any, columns: list[list[Any]], limit: int | None) -> bool:
    """Whether any of the texts has more tokens than the limit."""
    encoded = tokenizer(*columns, truncation=False, verbose=False)
    return limit is not None and max(map(len, encoded["input_ids"])) > limit


def _find_limit(parts: Parts) -> int | None:
    """The most tokens that the model and its tokenizer take; None: no limit is known."""
    of_model = getattr(parts.module.config, "max_position_embeddings", None)
    limits = [limit for limit in (of_model, parts.tokenizer.model_max_length) if limit]
    return min(limits) if limits and min(limits) < 1_000_000 else None


def _collate(parts: Parts, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Encoded examples as one batch; columns that the model does not take are left out."""
    known = {*inspect.signature(parts.module.forward).parameters, *TRUTH_KEYS}
    rows = [{k: v for k, v in row.items() if k in known} for row in examples]
    key = next((key for key in TRUTH_KEYS if key in rows[0]), None)
    labels = None if key is None else [row.pop(key) for row in rows]
    if parts.tokenizer is not None:
        batch = dict(parts.tokenizer.pad(rows, return_tensors="pt", padding_side="right"))
    else:
        lengths = {len(row["input_ids"]) for row in rows if "input_ids" in row}
        if len(lengths) > 1:
            raise UnsupportedError(
                "the rows have different numbers of tokens, and are padded by a tokenizer; give "
                "the model as (model, tokenizer)"
            )
        batch = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    if labels is not None:
        batch["labels"] = _pad_labels(labels, batch)
    return batch


def _pad_labels(labels: Sequence[Any], batch: Mapping[str, Any]) -> Array:
    """Labels of rows as an array; those of tokens are padded as the tokens are."""
    if np.ndim(labels[0]) == 0:
        return np.asarray(labels)
    lengths = {len(row) for row in labels}
    width = max(lengths)
    if len(lengths) > 1 and "input_ids" in batch:
        width = max(width, batch["input_ids"].shape[1])
    padded = np.full((len(labels), width), IGNORED, np.asarray(labels[0]).dtype)
    for place, row in zip(padded, labels, strict=True):
        place[: len(row)] = row
    return padded


def _mask_tokens(output: Array, truth: Any | None) -> Answers:
    """The outputs of rows; of tokens (n, tokens, k), those whose label is not -100."""
    labels = None if truth is None else np.asarray(truth)
    if output.ndim < 3:
        return Answers({"logit": output}, labels)
    if labels is None or labels.ndim != 2:
        raise UnsupportedError(
            f"the outputs have shape {output.shape}, one row a token: the data must hold a label "
            f"for each token, {IGNORED} for those that do not count, as 'labels'"
        )
    width = min(output.shape[1], labels.shape[1])
    counts = labels[:, :width] != IGNORED
    logits = output[:, :width][counts]
    return Answers({"logit": logits}, labels[:, :width][counts], np.nonzero(counts)[0])


def _score_tokens(logits: Any, ids: Any, mask: Any, truth: Any | None, head: str) -> Answers:
    """The log-probability of each token, given those before it."""
    import torch

    targets = ids if truth is None else torch.as_tensor(truth, device=logits.device)
    counts = targets != IGNORED
    if head == "language":
        logits = logits[:, :-1]
        targets = targets[:, 1:]
        counts = counts[:, 1:] & (mask[:, 1:] > 0)
    # Half precision would round the log-probabilities of a large vocabulary.
    scores = torch.log_softmax(logits.float(), dim=-1)
    places = targets.clamp(min=0)[..., None]
    values = scores.gather(-1, places)[..., 0].cpu().numpy()
    keep = counts.cpu().numpy()
    return Answers(
        {"value": values[keep].astype(np.float64)},
        origins=np.nonzero(keep)[0],
        without_truth=True,
    )


def _have_offsets(parts: Parts, inputs: Any) -> bool:
    """Whether the tokenizer tells which characters of the texts each token is of."""
    texts = not isinstance(inputs, Mapping) and isinstance(inputs[0], str)
    return texts and bool(getattr(parts.tokenizer, "is_fast", False))


def _count_bytes(parts: Parts, texts: Sequence[str], width: int) -> Array:
    """Bytes in UTF-8 of each token (texts, width), with what stands between it and the last one."""
    limit = _find_limit(parts)
    encoded = parts.tokenizer(
        list(texts), truncation=limit is not None, max_length=limit, return_offsets_mapping=True
    )
    lengths = np.zeros((len(texts), width), np.int64)
    for row, text, offsets in zip(lengths, texts, encoded["offset_mapping"], strict=True):
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        sizes = 1 + np.sum([codes > most for most in (0x7F, 0x7FF, 0xFFFF)], axis=0)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        # Tokens that the text does not hold, such as those of its begin and end, are at (0, 0).
        ends = np.maximum.accumulate(np.array(offsets)[:, 1])
        row[: len(ends)] = np.diff(starts[ends], prepend=0)
    return lengths


def _read_prediction(model: Any) -> Answers:
    """What a Trainer predicted, with the truth that it holds."""
    output = model.predictions
    output = output[0] if isinstance(output, tuple | list) else output
    output = np.asarray(output)
    truth = model.label_ids
    truth = truth[0] if isinstance(truth, tuple | list) else truth
    if output.ndim < 3:
        label = output.ndim == 1 and output.dtype.kind in "iu"
        kind: Kind = "label" if label else "logit"
        return Answers({kind: output}, None if truth is None else np.asarray(truth))
    return _mask_tokens(output, truth)
