"""Networks of Keras fused into one: features, head, training, and what each branch adds.

>>> KerasNetwork.__name__
'KerasNetwork'
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.deep.deep_fusion import DeepFusion
from assay.deep.feature_cache import FeatureCache, describe_function, update_digest
from assay.deep.fused_network import FusedNetwork
from assay.deep.judging import judge_branches
from assay.deep.keras_layers import Head, build_branch
from assay.deep.keras_training import (
    LOSSES,
    list_arrays,
    measure_loss,
    open_arrays,
    seed_keras,
    train_epochs,
)
from assay.deep.options import (
    Design,
    Training,
    compute_moments,
    divide_inputs,
    refuse_features,
)
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.readers.history import History

__all__ = ["KerasNetwork"]

LARGE = 1024  # rows asked for at a time


class KerasNetwork(FusedNetwork):
    """Models of Keras that are joined into one, which `fit` trains."""

    def __init__(self, branches: Mapping[str, Any], design: Design) -> None:
        super().__init__(branches, design)
        self._memory = FeatureCache(True)
        self._build_branches()  # names of layers are looked up before anything is trained

    def _build_branches(self) -> dict[str, Any]:
        """A model that gives the features of each branch."""
        design = self.design
        return {
            name: build_branch(name, network, design.features.get(name), name in design.frozen)
            for name, network in self.branches.items()
        }

    def _train(
        self,
        train: Any,
        val: Any,
        options: Training,
        cache: bool | str | Path,
        device: str | None,
    ) -> tuple[Any, DeepFusion]:
        if device is not None:
            raise UnsupportedError(
                "device is of PyTorch; with Keras use `with keras.device(...)` around the call"
            )
        target = self.design.target
        kept = self._memory if cache is True else FeatureCache(cache)
        rows, truth = open_arrays(train, "train", target)
        checks, check_truth = open_arrays(val, "val", target)
        with seed_keras(options.seed):
            graph = _Graph(self.design, self._build_branches(), kept)
            features = graph.extract(rows)
            check_features = graph.extract(checks)
            graph.build(features, truth, rows)
            curves = graph.train(
                (rows, features, truth), (checks, check_features, check_truth), options
            )
        outputs = graph.ask(graph.extract(checks))
        widths = {name: values.shape[1] for name, values in features.items()}
        loss, judged, table = judge_branches(
            target, check_truth, outputs, widths, self.design.frozen
        )
        n_classes = target.size if target.task in ("binary", "multiclass") else None
        fused = DeepFusion(
            join=self.design.join,
            metric=target.metric,
            loss=loss,
            branches=tuple(judged),
            best_epoch=curves[2],
            history=History.from_lists(
                train_loss=curves[0],
                val_loss=curves[1],
                name="fused",
                n_val=table.n,
                n_classes=n_classes,
            ),
            predictions=table,
            notes=(
                "The epoch was chosen on these rows, so the losses flatter a little: collect "
                "predictions on other rows and compare them.",
            ),
        )
        return graph.module, fused


class _Graph:
    """The models that share one head: of features, of inputs, and the one to be handed out."""

    def __init__(self, design: Design, branches: Mapping[str, Any], cache: FeatureCache) -> None:
        self.design = design
        self.branches = branches
        self.cache = cache
        self.module: Any = None

    @property
    def is_frozen(self) -> bool:
        """Whether no branch is trained."""
        return len(self.design.frozen) == len(self.branches)

    def extract(self, inputs: Any) -> dict[str, Array]:
        """The features (n, d) of each branch; of frozen ones those that are kept."""
        divided = divide_inputs(tuple(self.branches), inputs)
        features = {}
        for (name, branch), values in zip(self.branches.items(), divided, strict=True):
            keeps = self.cache.is_on and name in self.design.frozen
            key = self._fingerprint(name, values) if keeps else ""
            found = self.cache.recall(name, key) if keeps else None
            if found is None:
                found = np.asarray(branch.predict(values, batch_size=LARGE, verbose=0), np.float32)
                if keeps:
                    self.cache.keep(name, key, found)
            refuse_features(name, found)
            features[name] = found
        return features

    def build(self, features: Mapping[str, Array], truth: Array, inputs: Any) -> None:
        """Make the head for such `features` and `truth`, and the models for such `inputs`."""
        import keras

        moments = {
            name: compute_moments(values, name in self.design.frozen)
            for name, values in features.items()
        }
        is_regression = self.design.target.task == "regression"
        scale = float(truth.std()) if is_regression else 1.0
        origin = (float(truth.mean()), scale or 1.0) if is_regression else (0.0, 1.0)
        head = Head(self.design, moments, origin)
        self.means = {name: mean for name, (mean, _) in moments.items()}
        entries = [keras.Input((values.shape[1],)) for values in features.values()]
        self.of_features = keras.Model(entries, head.call(entries))
        whole = self._make_inputs(inputs)
        found = []
        for (name, branch), values in zip(
            self.branches.items(), divide_inputs(tuple(self.branches), whole), strict=True
        ):
            # Dropout of a frozen branch is off, too.
            frozen = {"training": False} if name in self.design.frozen else {}
            found.append(branch(values, **frozen))
        outputs = self.of_features(found)
        self.of_inputs = keras.Model(whole, outputs)
        self.module = keras.Model(whole, outputs[0], name="fused")

    def train(
        self,
        rows: tuple[Any, dict[str, Array], Array],
        checks: tuple[Any, dict[str, Array], Array],
        options: Training,
    ) -> tuple[list[float], list[float], int]:
        """Train on the features if all branches are frozen, else on the inputs.

        Parameters:
            rows: Inputs, features and truth of the training rows.
            checks: Those of the validation rows.
            options: How long, and how.
        """
        import keras

        target = self.design.target
        model = self.of_features if self.is_frozen else self.of_inputs
        inputs, given = (
            (list(rows[1].values()), list(checks[1].values()))
            if self.is_frozen
            else (rows[0], checks[0])
        )
        count = 1 + len(self.branches)
        model.compile(
            keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay),
            loss=[LOSSES[target.task]] * count,
        )

        def measure() -> float:
            fused = model.predict(given, batch_size=LARGE, verbose=0)[0]
            return measure_loss(target, np.asarray(fused), checks[2])

        logged = f"{model.output_names[0]}_loss"
        return train_epochs(model, inputs, [rows[2]] * count, options, measure, logged)

    def ask(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """What the fused network, each branch alone, and the fused without each give."""
        whole = self._ask_head(features)
        outputs = {"fused": whole[0]}
        for number, name in enumerate(self.branches):
            outputs[f"{name} alone"] = whole[number + 1]
            mean = np.broadcast_to(self.means[name], features[name].shape)
            outputs[f"without {name}"] = self._ask_head({**features, name: mean})[0]
        return outputs

    def _ask_head(self, features: Mapping[str, Array]) -> list[Array]:
        """All outputs for `features`: logarithms of probabilities, which are logits, or values."""
        outputs = self.of_features.predict(list(features.values()), batch_size=LARGE, verbose=0)
        task = self.design.target.task
        arrays = [np.asarray(values, np.float64) for values in outputs]
        if task == "regression":
            return arrays
        proba = [np.clip(values, 1e-7, 1 - 1e-7) for values in arrays]
        if task == "multilabel":
            return [np.log(values) - np.log1p(-values) for values in proba]
        return [np.log(values) for values in proba]

    def _make_inputs(self, inputs: Any) -> Any:
        """Inputs of a model in the shape of the data: one, a list, or by name."""
        import keras

        names = tuple(self.branches)
        divided = divide_inputs(names, inputs)
        by_name = isinstance(inputs, Mapping)
        made = [
            keras.Input(
                values.shape[1:],
                dtype=branch.inputs[0].dtype,
                name=name if by_name else f"input_{name}",
            )
            for (name, branch), values in zip(self.branches.items(), divided, strict=True)
        ]
        if by_name:
            return dict(zip(names, made, strict=True))
        return made if len(list_arrays(inputs)) > 1 else made[0]

    def _fingerprint(self, name: str, values: Any) -> str:
        """What tells the features of a branch for some input from others."""
        branch = self.branches[name]
        described = describe_function(self.design.features.get(name))
        layers = [_describe_layer(layer) for layer in branch.layers]
        digest = hashlib.sha256(f"{layers}{described}".encode())
        update_digest(digest, branch.get_weights())
        update_digest(digest, list_arrays(values))
        return digest.hexdigest()


def _describe_layer(layer: Any) -> tuple[str, dict[str, Any]]:
    """What a `layer` computes, without its name, which Keras counts up within a process."""
    config = {key: value for key, value in layer.get_config().items() if key != "name"}
    return type(layer).__name__, config
