"""Charts: one function a question, each returning the chart that notebook, report and web page share."""

from assay.charts.audit import fairness as fairness
from assay.charts.audit import membership as membership
from assay.charts.audit import weak_slices as weak_slices
from assay.charts.critical_difference import ranks as ranks
from assay.charts.leaderboard import choose_metric as choose_metric
from assay.charts.leaderboard import choose_pairs as choose_pairs
from assay.charts.leaderboard import differences as differences
from assay.charts.leaderboard import fusion as fusion
from assay.charts.leaderboard import leaderboard as leaderboard
from assay.charts.leaderboard import order_by_value as order_by_value
from assay.charts.leaderboard import orient_pair as orient_pair
from assay.charts.leaderboard import rank_models as rank_models
from assay.charts.operating import det as det
from assay.charts.operating import gain as gain
from assay.charts.performance import confusion as confusion
from assay.charts.performance import confusions as confusions
from assay.charts.performance import precision_recall as precision_recall
from assay.charts.performance import reliability as reliability
from assay.charts.performance import residuals as residuals
from assay.charts.performance import roc as roc
from assay.charts.performance import trade_off as trade_off
from assay.charts.selection import frugal as frugal
from assay.charts.selection import halving as halving
from assay.charts.selection import learning_curve as learning_curve
from assay.charts.selection import race as race
from assay.charts.selection import timings as timings
from assay.charts.training import loss_curve as loss_curve
from assay.charts.training import metric_curve as metric_curve
from assay.charts.training import training_curves as training_curves

__all__ = [
    "by_value",
    "confusion",
    "confusions",
    "det",
    "differences",
    "fairness",
    "frugal",
    "fusion",
    "gain",
    "halving",
    "headline",
    "leaderboard",
    "learning_curve",
    "loss_curve",
    "membership",
    "metric_curve",
    "oriented",
    "precision_recall",
    "race",
    "ranked",
    "ranks",
    "reliability",
    "residuals",
    "roc",
    "shown_pairs",
    "timings",
    "trade_off",
    "training_curves",
    "weak_slices",
]
