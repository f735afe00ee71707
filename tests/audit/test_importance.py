"""Permutation importance: known values, its intervals, every kind of input, what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance as sklearn_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import assay
from assay.audit.inputs import list_parts
from assay.errors import UnsupportedError

EXACT = LinearRegression(fit_intercept=False).fit(np.eye(3), [1.0, 0.5, 0.0])


def draw(seed, n=300):
    """Rows whose truth is what EXACT predicts, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, 0.5, 0.0] + rng.normal(size=n)


def find(models, X, y, metric, **options):
    return assay.permutation_importance(models, X, y, metric, progress=False, **options)


def measure_cover(runs):
    """How often the interval of the mean squared error holds 2 a^2 of the coefficients 1 and .5."""
    held = []
    for seed in range(runs):
        rows = find({"m": EXACT}, *draw(seed), "mse", repeats=3, seed=seed).rows[:2]
        held += [row.low <= true <= row.high for row, true in zip(rows, (2.0, 0.5), strict=True)]
    return np.mean(held)


@pytest.mark.slow
def test_intervals_hold_the_importance_that_is_known_in_95_of_100_samples():
    assert 0.93 <= measure_cover(400) <= 0.98


def test_values_are_those_of_scikit_learn_up_to_the_draws():
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:200, [0, 7, 21]]
    y = y[:200]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    ours = find({"m": model}, X, y, "log_loss", repeats=20).rows
    theirs = sklearn_importance(model, X, y, scoring="neg_log_loss", n_repeats=20, random_state=0)
    error = theirs.importances_std / np.sqrt(20)
    for row, mean, own in zip(ours, theirs.importances_mean, error, strict=True):
        assert row.importance == pytest.approx(mean, abs=6 * own + 1e-9)


def test_a_part_that_the_model_does_not_use_loses_nothing():
    found = find({"m": EXACT}, *draw(0), "mse")
    assert found.rows[2].importance == 0
    assert found.matters["m"] == ("0", "1")


def test_parts_that_one_model_alone_rests_on_are_told():
    X, y = draw(1)
    other = LinearRegression(fit_intercept=False).fit(np.eye(3), [0.0, 0.5, 0.0])
    found = find({"full": EXACT, "half": other}, X, y, "mse")
    differences = {d.part: d for d in found.differences}
    assert differences["0"].p_adjusted < 1e-6
    assert differences["1"].low < 0 < differences["1"].high
    assert "rested on unequally" in repr(found)


def test_a_group_of_columns_is_broken_together():
    X, y = draw(2)
    found = find({"m": EXACT}, X, y, "mse", features={"both": [0, 1], "rest": [2]})
    assert found.rows[0].importance == pytest.approx(2.5, rel=0.2)


def test_the_same_seed_gives_the_same_and_another_one_another():
    X, y = draw(3)
    first, again, other = (find({"m": EXACT}, X, y, "mse", seed=seed) for seed in (0, 0, 1))
    assert first.to_json() == again.to_json() != other.to_json()


def test_ranking_metrics_have_intervals_too():
    X, y = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(10, random_state=0).fit(X[::2], y[::2])
    rows = find({"m": model}, X[1::2], y[1::2], "roc_auc", features=[7, 22]).rows
    assert all(row.low < row.importance < row.high for row in rows)


def test_pixels_at_the_rim_of_digits_matter_less_than_those_in_the_middle():
    X, y = load_digits(return_X_y=True)
    flat = LogisticRegression().fit(X[::2] / 16, y[::2])

    def predict(images):
        return flat.predict_proba(images.reshape(len(images), -1) / 16)

    images = X[1::4].reshape(-1, 8, 8)
    found = find({"m": predict}, images, y[1::4], "accuracy", patch=(4, 2), repeats=1)
    value = {row.part: row.importance for row in found.rows}
    assert len(value) == 8
    assert value["rows 0-3, columns 2-3"] > value["rows 0-3, columns 0-1"]


@pytest.mark.parametrize("shape", [(5, 6, 8), (5, 6, 8, 3), (5, 3, 6, 8)])
def test_patches_cover_each_image_once_whichever_axis_is_of_channels(shape):
    images = np.arange(np.prod(shape)).reshape(shape)
    other = np.roll(np.arange(5), 1)
    changed = images.copy()
    for swap in list_parts(images, patch=(4, 3)).values():
        broken = swap(images, other)
        moved = broken != images
        changed[moved] = broken[moved]
    assert np.array_equal(changed, images[other])


@pytest.mark.parametrize("kind", ["pandas", "polars", "sparse", "torch", "numpy"])
def test_a_broken_column_holds_the_values_of_other_rows_and_the_inputs_are_left_alone(kind):
    values = np.arange(12.0).reshape(4, 3)
    rows = np.array([2, 3, 0, 1])
    if kind == "pandas":
        inputs = pytest.importorskip("pandas").DataFrame(
            values, columns=list("abc"), index=[9, 9, 7, 5]
        )
    elif kind == "polars":
        inputs = pytest.importorskip("polars").DataFrame(dict(zip("abc", values.T, strict=True)))
    elif kind == "sparse":
        inputs = pytest.importorskip("scipy.sparse").csr_matrix(values)
    elif kind == "torch":
        inputs = pytest.importorskip("torch").tensor(values)
    else:
        inputs = values.copy()
    parts = list_parts(inputs)
    broken = list(parts.values())[1](inputs, rows)
    assert type(broken) is type(inputs)

    def read(given):
        return np.asarray(given.todense() if kind == "sparse" else given)

    expected = values.copy()
    expected[:, 1] = values[rows, 1]
    assert np.array_equal(read(broken), expected)
    assert np.array_equal(read(inputs), values)


def test_words_are_left_out_whole_and_in_any_case():
    texts = ["A good film", "goodness, good!", "no word of it"]
    parts = list_parts(texts, words=["good"])
    assert parts["good"](texts, np.arange(3)) == ["A film", "goodness, !", "no word of it"]


def test_the_word_that_decides_is_found():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["good film", "bad film", "a good plot", "a bad plot"] * 20
    y = [1, 0, 1, 0] * 20
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=50)).fit(texts, y)
    found = find({"m": model}, texts, y, "accuracy")
    assert found.matters["m"][0] in ("good", "bad")
    assert "film" not in found.matters["m"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": [7]}, "have no column 7"),
        ({"features": {"none": []}}, "feature 'none'"),
        ({"words": ["a"]}, "words are of texts"),
        ({"patch": (2, 2)}, "patch is of images"),
        ({"repeats": 0}, "repeats"),
        ({"metric": "bias"}, "rank models by mae or rmse"),
        ({"metric": "f1"}, "needs label, which no model gives"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(options, message):
    metric = options.pop("metric", "mse")
    with pytest.raises(UnsupportedError, match=message):
        find({"m": EXACT}, *draw(0, n=20), metric, **options)
