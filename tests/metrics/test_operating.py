"""Points of the ROC curve: where errors are equal, and what few false alarms allow."""

import pytest

from assay.errors import UnsupportedError
from assay.metrics.base import METRICS
from assay.metrics.operating import EqualErrorRate, TprAtFpr

Y = [0, 0, 0, 0, 1, 1, 1, 1]
SCORE = [0.1, 0.2, 0.3, 0.8, 0.15, 0.7, 0.9, 0.95]


def test_the_equal_error_rate_lies_where_misses_and_false_alarms_are_as_frequent():
    """At 0.7 one of four positive rows is missed, and one of four others is let in."""
    assert float(EqualErrorRate()(Y, SCORE)) == pytest.approx(0.25)


def test_the_equal_error_rate_lies_on_the_line_between_two_thresholds():
    assert float(EqualErrorRate()([0, 1, 1], [0.5, 0.5, 0.9])) == pytest.approx(1 / 3)


def test_scores_that_all_tie_have_an_equal_error_rate_of_a_half():
    assert float(EqualErrorRate()([0, 1, 1], [0.5, 0.5, 0.5])) == pytest.approx(0.5)


def test_the_rate_of_false_alarms_is_kept_to():
    assert float(TprAtFpr(fpr=0.2)(Y, SCORE)) == pytest.approx(0.5)
    assert float(TprAtFpr(fpr=0.25)(Y, SCORE)) == pytest.approx(0.75)


def test_no_threshold_is_strict_enough_where_a_false_alarm_scores_highest():
    assert float(TprAtFpr(fpr=0.1)([0, 1, 1], [0.9, 0.5, 0.4])) == 0


def test_a_rate_of_false_alarms_is_above_0_and_at_most_1():
    with pytest.raises(UnsupportedError, match=r"fpr of tpr_at_fpr must be above 0 and at most 1"):
        METRICS.parse("tpr_at_fpr(fpr=0)")
