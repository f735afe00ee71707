"""Deep fusion: networks or frozen encoders joined into one network by their features.

>>> import torch
>>> x = torch.randn(80, 6, generator=torch.Generator().manual_seed(0))
>>> y = (x.sum(1) > 0).long()
>>> net = fuse_networks({"left": torch.nn.Identity(), "right": torch.nn.Identity()}, n_classes=2)
>>> halves = (x[:, :3], x[:, 3:])
>>> fused = net.fit((halves, y), (halves, y), epochs=3)
>>> net.module(*halves).shape
torch.Size([80, 2])
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from assay.deep.fused_network import FusedNetwork
from assay.deep.options import Design, Features, Join, make_target
from assay.errors import MissingDependencyError, UnsupportedError

__all__ = ["find_framework", "fuse_networks"]


def fuse_networks(  # noqa: PLR0913 - the options of a verb
    branches: Mapping[str, Any],
    n_classes: int | None = None,
    *,
    join: Join = "concat",
    task: str | None = None,
    features: Features | Mapping[str, Features] | None = None,
    freeze: bool | Collection[str] = True,
    width: int = 64,
    dropout: float = 0.0,
    aux_loss: float = 0.3,
    modality_dropout: float = 0.1,
) -> FusedNetwork:
    """Join networks of PyTorch or of Keras into one, by their features.

    The features of each branch are standardised, projected to `width` numbers and joined; a linear
    head is on top. Every branch also has a small head of its own, whose loss (`aux_loss`) and the
    rows that are trained on without a branch (`modality_dropout`) keep branches from being ignored:
    trained naively together, the one that learns fastest takes over. The branches are copied: yours
    are not changed. Frozen ones stay in evaluation mode, their batch norm included.

    Parameters:
        branches: Two or more networks by name: torch.nn.Module, or keras.Model that is built and
            functional or sequential.
        n_classes: Number of classes, 2 or more, or of labels with task="multilabel"; none in
            regression.
        join: "concat" (default), the projected features side by side; "gated", a gate for each
            branch and number, by all branches; "attention", branches attend to one another.
        task: binary, multiclass, multilabel or regression; default: by `n_classes`.
        features: Where a branch's features are: the name of a layer, or a function of its network
            and input that gives them; one for all, or by the name of the branch. Default: the
            output. Maps are averaged over places, sequences over positions.
        freeze: Whether weights of the branches stay: True (default), False, or the names of those
            that stay.
        width: Numbers to which each branch is projected, 1 or more; default 64.
        dropout: Share of the joined numbers that is dropped in training; default 0.
        aux_loss: Weight of each branch's own loss, 0 or more; default 0.3. 0 and modality_dropout=0
            are naive joint training.
        modality_dropout: Probability that a row is trained on without a branch; default 0.1.

    Returns:
        The network to be trained by `fit(train, val)`; then it is `module`.

    Raises:
        UnsupportedError: Options do not fit, or branches are of no framework or of two.
        MissingDependencyError: Their framework is not installed.

    Source: Wang, Tran & Feiszli (2020), CVPR, What makes training multi-modal classification
    networks hard? (own losses); Neverova et al. (2016), IEEE TPAMI 38:1692-1706 (ModDrop); Arevalo
    et al. (2017), arXiv 1702.01992 (gated units); Vaswani et al. (2017), NeurIPS (attention).

    >>> import torch
    >>> net = fuse_networks({"a": torch.nn.Identity(), "b": torch.nn.Identity()}, n_classes=10)
    >>> net.design.join
    'concat'
    """
    networks = _check_branches(branches)
    frozen = _list_frozen(tuple(networks), freeze)
    design = Design(
        make_target(n_classes, task),
        join,
        _name_features(tuple(networks), features),
        frozen,
        width,
        dropout,
        aux_loss,
        modality_dropout,
    )
    if find_framework(networks) == "torch":
        from assay.deep.torch_network import TorchNetwork

        return TorchNetwork(networks, design)
    from assay.deep.keras_network import KerasNetwork

    return KerasNetwork(networks, design)


def find_framework(networks: Mapping[str, Any]) -> str:
    """The framework of all `networks`: torch or keras.

    Raises:
        UnsupportedError: One is of neither, or they are of both.
        MissingDependencyError: None is installed.

    >>> find_framework({"a": 3, "b": 4})
    Traceback (most recent call last):
    assay.errors.UnsupportedError: 'a' is of type int; expected a torch.nn.Module or a keras.Model
    """
    known = {"keras": "Model", "torch": "nn.Module"}  # a keras.Model on PyTorch is a Module, too
    if not sys.modules.keys() & known.keys():
        _refuse_missing()
    frameworks = {}
    for name, network in networks.items():
        bases = {f"{cls.__module__}.{cls.__name__}" for cls in type(network).__mro__}
        if "keras.src.models.model.Model" in bases:
            frameworks[name] = "keras"
        elif "torch.nn.modules.module.Module" in bases:
            frameworks[name] = "torch"
        else:
            raise UnsupportedError(
                f"{name!r} is of type {type(network).__name__}; expected a torch.nn.Module or a "
                "keras.Model"
            )
    if len(set(frameworks.values())) > 1:
        listed = ", ".join(f"{name!r} of {framework}" for name, framework in frameworks.items())
        raise UnsupportedError(
            f"networks of two frameworks are not joined into one ({listed}); collect the "
            "predictions of each and fuse these: assay.collect, assay.fuse"
        )
    return next(iter(frameworks.values()))


def _refuse_missing() -> None:
    """Raise MissingDependencyError where neither framework can be imported."""
    from importlib.util import find_spec

    if not find_spec("torch") and not find_spec("keras"):
        raise MissingDependencyError(
            "networks are fused with PyTorch or Keras; run pip install 'assay[torch]' or "
            "pip install 'assay[keras]'"
        )


def _check_branches(branches: Any) -> dict[str, Any]:
    """The `branches`, two or more by names that can be keywords."""
    if not isinstance(branches, Mapping) or len(branches) < 2:
        raise UnsupportedError(
            'branches must be two or more networks by name, as in {"image": net_a, "text": net_b}; '
            f"got {type(branches).__name__}"
            + (f" of {len(branches)}" if isinstance(branches, Mapping) else "")
        )
    for name in branches:
        if not isinstance(name, str) or not name.isidentifier():
            raise UnsupportedError(
                f"the name {name!r} of a branch must be of letters, digits and _, as in 'image_a'"
            )
    return dict(branches)


def _list_frozen(names: tuple[str, ...], freeze: Any) -> frozenset[str]:
    """Those of the branches' `names` that `freeze` means."""
    if isinstance(freeze, bool):
        return frozenset(names if freeze else ())
    chosen = [freeze] if isinstance(freeze, str) else list(freeze)
    _refuse_unknown("freeze", chosen, names)
    return frozenset(chosen)


def _name_features(names: tuple[str, ...], features: Any) -> dict[str, Features]:
    """The layer or function of each branch of `names` that `features` speaks of."""
    if features is None:
        return {}
    by_name = features if isinstance(features, Mapping) else dict.fromkeys(names, features)
    _refuse_unknown("features", list(by_name), names)
    for name, layer in by_name.items():
        if not isinstance(layer, str) and not callable(layer):
            raise UnsupportedError(
                f"features of branch {name!r} must be the name of a layer or a function of network "
                f"and input; got {layer!r}"
            )
    return dict(by_name)


def _refuse_unknown(option: str, chosen: list[Any], names: tuple[str, ...]) -> None:
    """Refuse names that an `option` gives and that no branch has."""
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise UnsupportedError(
            f"{option} names {unknown[0]!r}, and the branches are {', '.join(map(repr, names))}"
        )
