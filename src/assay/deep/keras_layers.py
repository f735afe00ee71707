"""Layers of Keras that join networks: branches, projections, joins and heads, all of Keras itself.

Nothing here is a class of one's own, so that a saved `.keras` file is loaded without `assay`.

>>> ACTIVATIONS["binary"]
'softmax'
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.deep.options import MOST, Design, Features, check_layer, find_pooled_axes
from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["ACTIVATIONS", "Head", "build_branch"]

ACTIVATIONS = {
    "binary": "softmax",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
}


def build_branch(name: str, network: Any, features: Features | None, frozen: bool) -> Any:
    """A model that gives the features (n, d) of a branch, of a copy of its network.

    Parameters:
        name: Name of the branch.
        network: The network, functional or sequential.
        features: Name of the layer whose output they are, a function of the network and its input,
            or None for the network's output.
        frozen: Whether its weights stay.

    Raises:
        UnsupportedError: The network is not built, has several inputs, or is a class of its own.
        NameLookupError: It has no layer of that name.
    """
    import keras

    inputs = getattr(network, "inputs", None)
    if not inputs or not getattr(network, "outputs", None):
        raise UnsupportedError(
            f"branch {name!r} has no graph of layers: build it, with keras.Input, as a Sequential "
            "or functional model"
        )
    if len(inputs) > 1:
        raise UnsupportedError(
            f"branch {name!r} has {len(inputs)} inputs; wrap it in a model of one, or make each "
            "input a branch"
        )
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    if isinstance(features, str):
        check_layer(name, features, [layer.name for layer in copy.layers])
        found = copy.get_layer(features).output
    elif features is not None:
        found = features(copy, copy.inputs[0])
    else:
        found = copy.outputs[0]
    last = keras.config.image_data_format() == "channels_last"
    axes = find_pooled_axes(name, found.shape, channels_last=last)
    pooled = keras.ops.mean(found, axis=axes) if axes else found
    branch = keras.Model(copy.inputs[0], pooled, name=f"branch_{name}")
    if frozen:
        branch.trainable = False
    return branch


class Head:
    """The layers that join features, made once and called on features of either source.

    Parameters:
        design: How the branches are joined.
        moments: Mean and deviation (d,) of the features of each branch, by its name.
        origin: Mean and deviation of the truth in regression.
    """

    def __init__(
        self,
        design: Design,
        moments: Mapping[str, tuple[Array, Array]],
        origin: tuple[float, float],
    ) -> None:
        from keras import layers

        self.design = design
        self.origin = origin
        self.standards = {
            name: layers.Normalization(axis=-1, mean=mean, variance=scale**2)
            for name, (mean, scale) in moments.items()
        }
        rate = design.modality_dropout
        self.drops = {name: layers.Dropout(rate, noise_shape=(None, 1)) for name in moments}
        self.projections = {
            name: layers.Dense(design.width, "relu", name=f"project_{name}") for name in moments
        }

    def call(self, features: Sequence[Any]) -> list[Any]:
        """What the fused network gives for `features`, then what each branch gives alone."""
        from keras import layers, ops

        parts = []
        for values, name in zip(features, self.projections, strict=True):
            standard = ops.clip(self.standards[name](values), -MOST, MOST)
            parts.append(self.projections[name](self.drops[name](standard)))
        joined = layers.Dropout(self.design.dropout)(self._join(parts))
        outputs = [self._finish(joined, "fused")]
        weight = self.design.aux_loss
        for name, part in zip(self.projections, parts, strict=True):
            # The head itself learns in full; what lies below it, by the weight of its loss.
            below = weight * part + (1 - weight) * ops.stop_gradient(part)
            outputs.append(self._finish(below, f"alone_{name}"))
        return outputs

    def _join(self, parts: Sequence[Any]) -> Any:
        """The projections side by side, summed by gates, or after attention."""
        from keras import layers, ops

        beside = layers.Concatenate()(list(parts))
        if self.design.join == "concat":
            return beside
        count = len(parts)
        width = self.design.width
        tokens = ops.stack(list(parts), axis=1)
        if self.design.join == "gated":
            gates = layers.Reshape((count, width))(layers.Dense(count * width)(beside))
            return ops.sum(ops.softmax(gates, axis=1) * tokens, axis=1)
        heads = 4 if width % 4 == 0 else 1
        attended = layers.MultiHeadAttention(heads, width // heads)(tokens, tokens)
        return ops.mean(layers.LayerNormalization()(tokens + attended), axis=1)

    def _finish(self, values: Any, name: str) -> Any:
        """The output of that `name`: probabilities; in regression values on the truth's scale."""
        from keras import layers

        target = self.design.target
        if target.task != "regression":
            return layers.Dense(target.size, ACTIVATIONS[target.task], name=name)(values)
        mean, scale = self.origin
        return layers.Rescaling(scale, mean, name=name)(layers.Dense(1)(values))
