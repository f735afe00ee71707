"""kept_state: parts of an estimator that keep what they have learned when it is cloned.

Such a part may have seen the rows that cross-validation holds out from it.

>>> from sklearn.frozen import FrozenEstimator
>>> from sklearn.naive_bayes import GaussianNB
>>> fitted = GaussianNB().fit([[0.0], [1.0]], [0, 1])
>>> find_kept(fitted) is None, type(find_kept(FrozenEstimator(fitted))).__name__
(True, 'FrozenEstimator')
"""

from collections.abc import Iterator, Mapping
from types import MethodType
from typing import Any

from assay.errors import UnsupportedError

__all__ = ["find_kept", "refuse_kept"]

# Lists with more items are data, not estimators.
MOST_PARTS = 1000
# What a search tries out: it clones these before it fits them.
GRIDS = ("param_grid", "param_distributions")


def refuse_kept(name: str, model: Any) -> None:
    """UnsupportedError where a part of `model`, called `name`, keeps what it has learned."""
    kept = find_kept(model)
    if kept is None:
        return
    kind = type(kept).__name__
    raise UnsupportedError(
        f"model {name!r} holds a fitted {kind} that no fold fits anew: it may have seen the rows "
        f"that are held out, and its predictions would not be out of fold. Give the estimator "
        f"unfitted; one that was fitted on other rows is judged on these with "
        f"assay.collect({{{name!r}: model}}, X, y)"
    )


def find_kept(model: Any) -> Any:
    """The first part of the clone of a `model` that has learned something; None where none has."""
    from sklearn.base import clone

    try:
        fresh = clone(model, safe=False)
    except TypeError:  # it holds what cannot be copied, as a lock: none of it is known
        return None
    return next(_list_kept(fresh, clone, set()), None)


def _list_kept(part: Any, clone: Any, seen: set[int]) -> Iterator[Any]:
    """Every kept estimator in `part`, an estimator or a container of some."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Mapping):
        for value in part.values():
            yield from _list_kept(value, clone, seen)
    elif isinstance(part, list | tuple) and len(part) <= MOST_PARTS:
        for value in part:
            yield from _list_kept(value, clone, seen)
    elif isinstance(part, MethodType):
        yield from _list_kept(part.__self__, clone, seen)
    elif hasattr(part, "get_params") and not isinstance(part, type):
        again = clone(part, safe=False)
        if again is part or _list_learned(part) - _list_learned(again):
            yield part
        for name, value in _read_state(part).items():
            inner = clone(value, safe=False) if name in GRIDS else value
            yield from _list_kept(inner, clone, seen)


def _list_learned(estimator: Any) -> set[str]:
    """Attributes that scikit-learn's convention reserves for what was learned."""
    names = _read_state(estimator)
    return {name for name in names if name.endswith("_") and not name.startswith("_")}


def _read_state(estimator: Any) -> Mapping[str, Any]:
    state: Mapping[str, Any] = getattr(estimator, "__dict__", {})
    return state
