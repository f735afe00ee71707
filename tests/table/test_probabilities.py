"""Probabilities that do not sum to 1: rounded ones are taken, others refused with the way out."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import assay
from assay.errors import SchemaError
from assay.table.predictions import Predictions

table = Predictions.from_arrays


def draw(n=200, k=3, seed=4):
    """Probabilities (n, k) and labels drawn from them."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(k), n)
    return proba, np.array([rng.choice(k, p=row) for row in proba])


def compute_log_loss(p):
    """Log loss of the only model."""
    return assay.evaluate(p, "log_loss", intervals=False).value


@pytest.mark.parametrize("decimals", [2, 3])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rounded_probabilities_are_divided_by_their_sum_and_a_note_says_so(decimals, kind):
    proba, y = draw()
    rounded = np.maximum(proba, 0.02).round(decimals).astype(kind)
    rounded[0] = [0.33, 0.33, 0.33]
    off = np.abs(rounded.sum(axis=1, dtype=float) - 1) > 1e-3
    rounded[off] = rounded[off] * 0 + kind(0.33)
    p = table(y, {"a.proba": rounded})
    assert p.rows("a").proba.sum(axis=1) == pytest.approx(1, abs=1.1e-3)
    assert p.rows("a").proba[0] == pytest.approx([1 / 3] * 3, rel=1e-6)
    assert "is rounded to 2 decimals" in p.notes[0]
    assert f"{off.sum()} of 200 rows sum to 0.99, and are divided by their sum" in p.notes[0]


def test_log_loss_of_rounded_probabilities_is_that_of_the_exact_ones():
    proba, y = draw(2000)
    proba = (proba + 0.1) / 1.3
    exact = compute_log_loss(table(y, {"a.proba": proba}))
    for decimals in (2, 3, 4):
        rounded = table(y, {"a.proba": proba.round(decimals)})
        assert compute_log_loss(rounded) == pytest.approx(exact, abs=2 * 10.0**-decimals)


def test_rows_within_a_thousandth_stay_as_they_are():
    p = table([0, 1], {"a.proba": [[0.5005, 0.5], [0.2, 0.8]]})
    assert p.rows("a").proba.tolist() == [[0.5005, 0.5], [0.2, 0.8]]
    assert p.notes == ()


def test_whether_a_row_is_rounded_depends_on_that_row_alone():
    proba, y = draw(60)
    rounded = proba.round(2)
    whole = table(y, {"a.proba": rounded}).rows("a").proba
    parts = [
        table(y[i : i + 20], {"a.proba": rounded[i : i + 20]}, classes=[0, 1, 2])
        for i in (0, 20, 40)
    ]
    assert np.array_equal(whole, np.concatenate([part.rows("a").proba for part in parts]))


@pytest.mark.parametrize(
    "row", [[0.5, 0.3, 0.18], [0.612, 0.212, 0.173], [0.3333333, 0.3333333, 0.3300001]]
)
def test_sums_that_rounding_does_not_explain_are_refused(row):
    with pytest.raises(SchemaError, match=r"sums to .* at row 1, expected 1 \(1 such rows\)"):
        table([0, 1, 2], {"a.proba": [[0.2, 0.3, 0.5], row, [0.1, 0.1, 0.8]]})


def test_very_many_classes_of_two_decimals_are_not_taken_for_rounding():
    proba = np.zeros((200, 200))
    proba[np.arange(200), np.arange(200)] = 0.6
    with pytest.raises(SchemaError, match=r"sums to 0.6 at row 0"):
        table(np.arange(200), {"a.proba": proba})


def test_normalise_follows_the_advice_of_the_refusal():
    proba, y = draw()
    ovr = proba * np.random.default_rng(0).uniform(0.6, 1.4, (200, 1))
    ovr = ovr / max(1, ovr.max())
    with pytest.raises(SchemaError, match=r"normalise=True \(--normalise\)"):
        table(y, {"a.proba": ovr})
    p = table(y, {"a.proba": ovr}, normalise=True)
    assert compute_log_loss(p) == pytest.approx(compute_log_loss(table(y, {"a.proba": proba})))
    assert "was normalised as asked: rows sum to" in p.notes[0]


def test_counts_of_votes_are_normalised_where_asked():
    votes = np.array([[7, 2, 1], [1, 0, 4], [3, 3, 3]])
    with pytest.raises(SchemaError, match=r"counts of votes, say normalise=True \(--normalise\)"):
        table([0, 2, 1], {"a.proba": votes})
    p = table([0, 2, 1], {"a.proba": votes}, normalise=True)
    assert p.rows("a").proba[1].tolist() == [0.2, 0, 0.8]


@pytest.mark.parametrize("values", [[[-1.0, 2.0, 0.5]], [[4.0, 2.0, 0.5]]])
def test_numbers_beyond_0_and_1_may_be_logits(values):
    with pytest.raises(SchemaError, match=r"If these are logits, name the column <model>.logit"):
        table([0], {"a.proba": values}, classes=[0, 1, 2])


def test_negative_numbers_and_empty_rows_are_not_normalised():
    with pytest.raises(SchemaError, match="is -1 at row 0: negative numbers are no shares"):
        table([0, 1], {"a.proba": [[-1, 2], [1, 1]]}, normalise=True)
    with pytest.raises(SchemaError, match="sums to 0 at row 1, so it cannot be normalised"):
        table([0, 1], {"a.proba": [[1, 2], [0, 0]]}, normalise=True)


@pytest.mark.parametrize("decimals", [1, 6])
def test_percentages_are_refused_as_such_and_taken_where_asked(decimals):
    proba, y = draw()
    percent = (100 * proba).round(decimals)
    with pytest.raises(
        SchemaError, match=r"Each row sums to about 100.*percent=True \(--percent\)"
    ):
        table(y, {"a.proba": percent})
    p = table(y, {"a.proba": percent}, percent=True)
    assert compute_log_loss(p) == pytest.approx(
        compute_log_loss(table(y, {"a.proba": proba})), rel=0.02
    )


def test_a_column_of_percentages_is_taken_where_asked():
    with pytest.raises(SchemaError, match=r"If these are percentages, say percent=True"):
        table([0, 1, 1], {"a.proba": [12.5, 80.0, 55.0]})
    p = table([0, 1, 1], {"a.proba": [12.5, 80.0, 55.0]}, percent=True)
    assert p.rows("a").score.tolist() == [0.125, 0.8, 0.55]


@pytest.mark.parametrize("as_text", [list, pd.Series, lambda v: pa.array(v).dictionary_encode()])
def test_text_with_percent_signs_is_refused_as_such_and_taken_where_asked(as_text):
    text = as_text(["12.5%", "80 %", "55%"])
    with pytest.raises(SchemaError, match=r"holds percentages, as '12.5%' at row 0.*--percent"):
        table([0, 1, 1], {"a.proba": text})
    assert table([0, 1, 1], {"a.proba": text}, percent=True).rows("a").score.tolist() == [
        0.125,
        0.8,
        0.55,
    ]


def test_percent_leaves_rows_that_sum_to_1_and_refuses_a_column_of_shares():
    shares = [[0.2, 0.8], [0.5, 0.5]]
    assert table([0, 1], {"a.proba": shares}, percent=True).rows("a").proba.tolist() == shares
    with pytest.raises(SchemaError, match=r"largest number is 0.8: it seems to hold probabilities"):
        table([0, 1], {"a.proba": [0.2, 0.8]}, percent=True)


def test_a_softmax_in_few_bits_is_taken_and_divided_by_its_sum():
    proba, y = draw()
    few = (proba.astype(np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    assert np.abs(few.sum(axis=1) - 1).max() > 1e-3
    p = table(y, {"a.proba": few})
    assert "has the precision of bfloat16" in p.notes[0]
    assert p.rows("a").proba.sum(axis=1) == pytest.approx(1, abs=1.1e-3)


def test_a_softmax_of_half_precision_is_taken_as_it_is():
    proba, y = draw()
    p = table(y, {"a.proba": proba.astype(np.float16)})
    assert np.array_equal(p.rows("a").proba, proba.astype(np.float16))


def test_a_model_that_is_appended_brings_its_notes():
    p = table([0, 1, 2], {"a": [0, 1, 2]}).append("b", proba=np.full((3, 3), 0.33))
    assert "proba of model 'b' is rounded to 2 decimals" in p.notes[0]


@pytest.mark.parametrize(
    ("option", "value"), [("normalise", "yes"), ("percent", 1), ("percent", None)]
)
def test_switches_are_true_or_false(option, value):
    with pytest.raises(SchemaError, match=f"{option} must be True or False"):
        table([0, 1], {"a": [0, 1]}, **{option: value})
