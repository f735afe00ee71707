"""Live estimators fused: what scikit-learn asks of them, and that the numbers are those of fuse."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

import assay
from assay.errors import UnsupportedError
from assay.selection.fused_estimators import FusedClassifier, FusedRegressor

X, Y = load_iris(return_X_y=True)
CLASSIFIERS = [("lr", LogisticRegression(max_iter=500)), ("nb", GaussianNB())]
REGRESSORS = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]


def skip_weights(estimator):
    """Folds of weighted rows are not those of repeated rows, as in scikit-learn's own stacking."""
    return dict.fromkeys(
        (
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weight_equivalence_on_sparse_data",
        ),
        "folds of repeated rows are other folds",
    )


@parametrize_with_checks([FusedRegressor(REGRESSORS, how="weighted", cv=3)])
def test_regressors_keep_what_scikit_learn_asks_of_them(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [FusedClassifier(CLASSIFIERS, how="weighted", cv=3)], expected_failed_checks=skip_weights
)
def test_classifiers_keep_what_scikit_learn_asks_of_them(estimator, check):
    check(estimator)


def test_the_mean_is_the_soft_vote_of_scikit_learn():
    ours = FusedClassifier(CLASSIFIERS, how="mean").fit(X, Y)
    theirs = VotingClassifier(CLASSIFIERS, voting="soft").fit(X, Y)
    assert np.abs(ours.predict_proba(X) - theirs.predict_proba(X)).max() < 1e-12
    assert np.array_equal(ours.predict(X), theirs.predict(X))


def test_the_mean_of_regressors_is_that_of_scikit_learn():
    inputs, y = load_diabetes(return_X_y=True)
    ours = FusedRegressor(REGRESSORS, how="mean").fit(inputs, y)
    theirs = VotingRegressor(REGRESSORS).fit(inputs, y)
    assert np.abs(ours.predict(inputs) - theirs.predict(inputs)).max() < 1e-9


def test_the_fusion_is_the_one_that_fuse_fits_to_the_out_of_fold_table():
    fused = FusedClassifier(CLASSIFIERS, how="weighted", cv=4, random_state=3).fit(X, Y)
    table = assay.cross_validate(dict(CLASSIFIERS), X, Y, cv=4, seed=3)
    assert fused.weights_ == assay.fuse(table, "weighted", seed=3).weights
    assert fused.fused_.answer in ("pays", "probably better", "worse")
    assert fused.oof_.models == ["lr", "nb", "fused"]


def test_estimators_that_are_fitted_already_are_fused_on_rows_they_have_not_seen():
    seen, new, y_seen, y_new = train_test_split(X, Y, test_size=0.5, random_state=0, stratify=Y)
    fitted = [(name, clone(model).fit(seen, y_seen)) for name, model in CLASSIFIERS]
    fused = FusedClassifier(fitted, how="weighted", cv="prefit").fit(new, y_new)
    assert fused.estimators_ == [model for _, model in fitted]
    assert fused.weights_ == assay.fuse(assay.collect(dict(fitted), new, y_new), "weighted").weights


def test_a_grid_search_goes_through_the_parameters_of_the_members():
    model = make_pipeline(StandardScaler(), FusedClassifier(CLASSIFIERS, how="mean"))
    grid = {"fusedclassifier__lr__C": [0.01, 1.0], "fusedclassifier__how": ["mean", "geometric"]}
    search = GridSearchCV(model, grid, cv=3).fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(X, Y) > 0.9


def test_groups_are_held_out_as_a_whole_and_rows_in_time_by_later_ones():
    groups = np.arange(150) % 15
    by_group = FusedClassifier(CLASSIFIERS, how="weighted", cv=GroupKFold(5))
    assert by_group.fit(X, Y, groups=groups).oof_.n == 150
    order = np.random.default_rng(0).permutation(150)
    in_time = FusedClassifier(CLASSIFIERS, how="weighted", cv=TimeSeriesSplit(4))
    assert in_time.fit(X[order], Y[order]).oof_.n == 120


def test_labels_as_text_come_back_as_text_and_several_labels_as_columns():
    names = np.array(["setosa", "versicolor", "virginica"])
    fused = FusedClassifier(CLASSIFIERS, how="mean").fit(X, names[Y])
    assert set(fused.predict(X)) == set(names)
    inputs, labels = make_multilabel_classification(200, n_classes=3, random_state=0)
    models = [("k3", KNeighborsClassifier(3)), ("k9", KNeighborsClassifier(9))]
    several = FusedClassifier(models, how="weighted").fit(inputs, labels)
    assert several.predict(inputs).shape == several.predict_proba(inputs).shape == (200, 3)
    assert (several.predict(inputs) == labels).mean() > 0.8


def test_models_without_probabilities_vote():
    models = [("svm", LinearSVC()), ("svm2", LinearSVC(C=0.1)), ("nb", GaussianNB())]
    fused = FusedClassifier(models, how="hard").fit(X, Y)
    assert (fused.predict(X) == Y).mean() > 0.9
    assert not hasattr(fused, "predict_proba")


def test_weights_of_rows_count_in_members_and_in_the_fusion():
    weight = np.where(Y == 0, 1e-3, 1.0)
    plain = FusedClassifier(CLASSIFIERS, how="weighted").fit(X, Y)
    weighted = FusedClassifier(CLASSIFIERS, how="weighted").fit(X, Y, sample_weight=weight)
    assert weighted.weights_ != plain.weights_
    assert weighted.oof_.weight is not None


def test_one_estimator_alone_is_not_fused():
    with pytest.raises(UnsupportedError, match="fusing needs at least 2 models"):
        FusedClassifier(CLASSIFIERS[:1]).fit(X, Y)


def test_an_error_of_a_member_is_that_of_the_member_with_its_name_beside_it():
    broken = [("lr", LogisticRegression(C=-1)), ("nb", GaussianNB())]
    with pytest.raises(ValueError, match="The 'C' parameter") as caught:
        FusedClassifier(broken).fit(X, Y)
    assert "model 'lr' failed to fit" in caught.value.__notes__[0]


def test_stacking_and_ours_predict_alike():
    stacked = StackingClassifier(CLASSIFIERS, cv=5).fit(X, Y)
    ours = FusedClassifier(CLASSIFIERS, how="stacking").fit(X, Y)
    assert (stacked.predict(X) == ours.predict(X)).mean() > 0.95


def test_columns_that_fit_saw_are_told_as_scikit_learn_tells_them():
    pytest.importorskip("pandas")
    frame, y = load_iris(return_X_y=True, as_frame=True)
    members = [("nearest", KNeighborsClassifier()), ("bayes", GaussianNB())]
    fused = FusedClassifier(members, how="mean", cv=3)
    assert not hasattr(fused, "feature_names_in_")
    fused.fit(frame, y)
    assert fused.feature_names_in_.tolist() == list(frame.columns)
    assert fused.n_features_in_ == 4
    named = fused.predict(frame)
    assert np.array_equal(fused.fit(X, y).predict(X), named)
    assert not hasattr(fused, "feature_names_in_")
