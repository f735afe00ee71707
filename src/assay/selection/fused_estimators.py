"""Fused estimators: several scikit-learn estimators fused into one, cross-validated inside `fit`.

>>> from sklearn.datasets import load_iris
>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.naive_bayes import GaussianNB
>>> X, y = load_iris(return_X_y=True)
>>> models = [("lr", LogisticRegression(max_iter=500)), ("nb", GaussianNB())]
>>> fused = FusedClassifier(models, how="weighted").fit(X, y)
>>> fused.predict(X[:2]).tolist(), fused.predict_proba(X).shape
([0, 0], (150, 3))
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import assert_all_finite
from sklearn.utils.metaestimators import _BaseComposition, available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
)

from assay.adapters.collect import collect
from assay.core.registry import Member
from assay.errors import AssayError, UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.fuse import Fused, fuse
from assay.kernels import Array
from assay.selection.cross_validate import cross_validate
from assay.table.predictions import Predictions

__all__ = ["FusedClassifier", "FusedRegressor"]


class FusedEstimator(_BaseComposition, BaseEstimator):  # type: ignore[misc]
    """What classifiers and regressors share: fitting, and the fused column of new rows."""

    estimators_: list[Any]
    fused_: Fused
    _options: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        how: str | Fusion[Any] = "auto",
        metric: str | Member | None = None,
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.estimators = estimators
        self.how = how
        self.metric = metric
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the fusion to out-of-fold predictions, then every estimator to all rows.

        Parameters:
            X: Inputs, one a row; anything that the estimators take.
            y: Truth (n,), or 0/1 (n, labels) of several labels.
            sample_weight: Weight of each row (n,), >= 0, in the fusion and in estimators that take
                it; default: 1.
            groups: Group of each row (n,), held out as a whole; default: none.

        Returns:
            Itself.

        Raises:
            UnsupportedError: Fewer than two estimators, or outputs that cannot be fused so.
            FitError: An estimator fails.
        """
        names = [name for name, _ in self.estimators]
        self._validate_names(names)
        weight = None if sample_weight is None else _check_weight(sample_weight, X)
        X, y = _take_inputs(X), self._check_truth(y, weight)
        models = dict(self.estimators)
        with _errors_of_estimators():
            if self.cv == "prefit":
                table = collect(models, X, y, weight=weight, progress=False, **self._options)
                fitted = list(models.values())
            else:
                table = cross_validate(
                    models,
                    X,
                    y,
                    cv=self.cv,
                    groups=groups,
                    weight=weight,
                    n_jobs=self.n_jobs,
                    seed=self.random_state,
                    progress=False,
                    **self._options,
                )
                fitted = [_fit_all(model, X, y, weight) for model in models.values()]
        self.fused_ = fuse(table, self.how, metric=self.metric, seed=self.random_state)
        self.estimators_ = fitted
        return self

    @property
    def oof_(self) -> Predictions:
        """The out-of-fold table that the fusion was fitted to, and the cross-fitted fused model."""
        return self.fused_.predictions

    @property
    def weights_(self) -> Mapping[str, float]:
        """Share of each estimator in the fusion; empty where it has no such shares."""
        return self.fused_.weights

    @property
    def named_estimators_(self) -> dict[str, Any]:
        """The fitted estimators by their names."""
        return dict(zip((name for name, _ in self.estimators), self.estimators_, strict=True))

    @property
    def n_features_in_(self) -> int:
        """Number of columns that `fit` saw, where the first estimator tells."""
        check_is_fitted(self, "estimators_")
        return int(self.estimators_[0].n_features_in_)

    @property
    def feature_names_in_(self) -> Array:
        """Names of the columns that `fit` saw, objects, where the first estimator tells."""
        check_is_fitted(self, "estimators_")
        return np.asarray(self.estimators_[0].feature_names_in_)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with `deep` those of the estimators, too, as `name__parameter`."""
        found: dict[str, Any] = self._get_params("estimators", deep=deep)
        return found

    def set_params(self, **params: Any) -> Self:
        """Set the `params`, an estimator by its name, its parameters as `name__parameter`."""
        self._set_params("estimators", **params)
        return self

    def __sklearn_tags__(self) -> Any:
        """Tags of scikit-learn: inputs may be sparse where every estimator takes them so."""
        from sklearn.utils import get_tags  # which came with the tags, in version 1.6

        tags = super().__sklearn_tags__()
        try:
            tags.input_tags.sparse = all(get_tags(e).input_tags.sparse for _, e in self.estimators)
        except (TypeError, ValueError, AttributeError):
            tags.input_tags.sparse = False  # what was given is no list of estimators
        return tags

    def _check_truth(self, y: Any, weight: Array | None) -> Any:
        raise NotImplementedError

    def _fuse_rows(self, X: Any) -> Array:
        """The fused column of the rows `X`, whose truth plays no part."""
        check_is_fitted(self, "estimators_")
        X = _take_inputs(X)
        schema = self.fused_.fitted.schema
        n = _num_samples(X)
        if schema.task == "regression":
            return next(iter(self._apply(X, np.zeros(n)).values()))
        if schema.task == "multilabel":
            return next(iter(self._apply(X, np.zeros((n, schema.k), int)).values()))
        first = np.full(n, schema.classes[0])
        return next(iter(self._apply(X, first, positive=schema.positive).values()))

    def _apply(self, X: Any, truth: Array, **columns: Any) -> dict[Any, Array]:
        schema = self.fused_.fitted.schema
        if schema.classes:
            columns["classes"] = schema.classes
        with _errors_of_estimators():
            rows = collect(
                self.named_estimators_, X, truth, task=schema.task, progress=False, **columns
            )
        return self.fused_.fitted.apply(rows)


def _may_give_probabilities(classifier: FusedEstimator) -> bool:
    """Whether the fusion gives probabilities, as far as is known before it is fitted."""
    fused = getattr(classifier, "fused_", None)
    return fused is None or fused.fitted.kind == "proba"


class FusedClassifier(ClassifierMixin, FusedEstimator):  # type: ignore[misc]
    """Classifiers fused into one by out-of-fold predictions, with an honest score and a verdict.

    Parameters:
        estimators: Name and estimator of each, two or more; where `cv` is "prefit", fitted ones.
        how: Text or instance of a fusion, as for `fuse`; default "auto".
        metric: What a fusion that searches a metric aims at; default: its own.
        cv: Folds of the out-of-fold predictions, a splitter (rows in time, too), or "prefit": the
            rows given to `fit` are then rows that no estimator was fitted on; default 5.
        n_jobs: (estimator, fold) pairs at a time, -1 for one a core; default: 1.
        random_state: Seed of folds and of what is random in fitting the fusion; default 0.

    Attributes:
        classes_: Classes (k,), in the order of the columns of `predict_proba`.
        estimators_: The estimators, fitted to all rows.
        fused_: Result of `fuse`: losses, weights and whether fusing pays.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> models = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=2))]
    >>> FusedClassifier(models, how="mean").fit(*load_iris(return_X_y=True)).weights_
    {'nb': 0.5, 'tree': 0.5}
    """

    classes_: Array

    def predict(self, X: Any) -> Array:
        """The class of each row of `X` (n,), or 0/1 (n, labels) of several labels."""
        column = self._fuse_rows(X)
        if self.fused_.fitted.kind == "label":
            return column
        if self.fused_.fitted.schema.task == "multilabel":
            return (column > 0.5).astype(int)
        if column.ndim == 1:
            raise UnsupportedError(
                f"{self.fused_.how} gives scores without classes; choose another fusion: how='auto'"
            )
        return np.asarray(self.classes_[column.argmax(axis=1)])

    @available_if(_may_give_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes (n, k) for each row of `X`; of several labels, of each."""
        return self._fuse_rows(X)

    def _check_truth(self, y: Any, weight: Array | None) -> Any:
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if type_of_target(y) == "multilabel-indicator":
            y = np.asarray(y)
            self.classes_ = np.arange(y.shape[1])
            return y
        y = column_or_1d(y, warn=True)
        self.classes_ = np.unique(y)
        weighty = self.classes_ if weight is None else np.unique(y[weight > 0])
        if len(weighty) < 2:
            raise UnsupportedError(
                "classifiers need two classes or more among rows of positive weight; got "
                f"{len(weighty)} class: {list(weighty)}"
            )
        return y


class FusedRegressor(RegressorMixin, FusedEstimator):  # type: ignore[misc]
    """Regressors fused into one by out-of-fold predictions, with an honest score and a verdict.

    Parameters:
        estimators: Name and estimator of each, two or more; where `cv` is "prefit", fitted ones.
        how: Text or instance of a fusion, as for `fuse`; default "auto".
        metric: What a fusion that searches a metric aims at; default: its own.
        cv: Folds of the out-of-fold predictions, a splitter (rows in time, too), or "prefit": the
            rows given to `fit` are then rows that no estimator was fitted on; default 5.
        n_jobs: (estimator, fold) pairs at a time, -1 for one a core; default: 1.
        random_state: Seed of folds and of what is random in fitting the fusion; default 0.

    Attributes:
        estimators_: The estimators, fitted to all rows.
        fused_: Result of `fuse`: losses, weights and whether fusing pays.

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> models = [("ols", LinearRegression()), ("ridge", Ridge())]
    >>> FusedRegressor(models, how="mean").fit(*load_diabetes(return_X_y=True)).weights_
    {'ols': 0.5, 'ridge': 0.5}
    """

    _options: ClassVar[Mapping[str, Any]] = {"task": "regression"}

    def predict(self, X: Any) -> Array:
        """The fused value of each row of `X` (n,)."""
        return self._fuse_rows(X)

    def _check_truth(self, y: Any, weight: Array | None) -> Any:
        assert_all_finite(y, input_name="y")
        return column_or_1d(y, warn=True)


def _fit_all(model: Any, X: Any, y: Any, weight: Any) -> Any:
    """A copy of the estimator `model`, fitted to all rows."""
    takes_weight = weight is not None and has_fit_parameter(model, "sample_weight")
    extra = {"sample_weight": weight} if takes_weight else {}
    return clone(model).fit(X, y, **extra)


def _take_inputs(X: Any) -> Any:
    """Inputs `X` as they are where estimators may know their kind, and else as NumPy has them."""
    if not _num_samples(X):
        raise UnsupportedError("found 0 sample(s) in the inputs; at least one row is needed")
    if hasattr(X, "tocsr"):
        return X.tocsr()  # whose rows can be taken, which not every sparse format allows
    known = hasattr(X, "iloc") or isinstance(X, list | tuple | np.ndarray)
    return X if known or not hasattr(X, "__array__") else np.asarray(X)


def _check_weight(weight: Any, X: Any) -> Array:
    """The weights of the rows `X` as one column (n,), of which one at least counts."""
    checked: Array = _check_sample_weight(weight, X)
    if not checked.any():
        raise UnsupportedError("sample weights must contain at least one non-zero number")
    return checked


@contextmanager
def _errors_of_estimators() -> Iterator[None]:
    """Let errors of estimators through as they are, as scikit-learn does, with who met them."""
    try:
        yield
    except AssayError as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, AssayError):
            raise
        cause.add_note(str(error))
        raise cause from None
