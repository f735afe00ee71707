"""Charts: one function a question; notebook, report and web page share what it returns.

A family: `assay list charts` names all, and `result.chart()` finds that of its kind. Its rooms:

- base: what a chart is, and how a function becomes one
- leaderboard: who is best, paired differences, whether fusing pays
- fusing: what each model adds to a fusion, what few or cheap models give
- performance: confusion, ROC, precision and recall, reliability, residuals
- operating: DET and gain curves
- critical_difference: ranks over several data sets
- selection: races, halving, learning curves, costs, timings
- training: curves of training runs
- audit: weak slices, groups, membership inference
- curves: which curves are drawn, and how, shared by all charts of scores
- points: the few vertices or bins that stand for all rows
- style: colours, type, frame, and drawing as SVG

>>> from assay.core.result import CHARTS
>>> CHARTS["roc"].draws
'assay.predictions'
"""

from assay.charts.audit import fairness as fairness
from assay.charts.audit import membership as membership
from assay.charts.audit import weak_slices as weak_slices
from assay.charts.critical_difference import ranks as ranks
from assay.charts.fusing import fusion_frontier as fusion_frontier
from assay.charts.fusing import fusion_shares as fusion_shares
from assay.charts.leaderboard import differences as differences
from assay.charts.leaderboard import f_test as f_test
from assay.charts.leaderboard import fold_test as fold_test
from assay.charts.leaderboard import fusion as fusion
from assay.charts.leaderboard import leaderboard as leaderboard
from assay.charts.leaderboard import selection_bias as selection_bias
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
    "confusion",
    "confusions",
    "det",
    "differences",
    "f_test",
    "fairness",
    "fold_test",
    "frugal",
    "fusion",
    "fusion_frontier",
    "fusion_shares",
    "gain",
    "halving",
    "leaderboard",
    "learning_curve",
    "loss_curve",
    "membership",
    "metric_curve",
    "precision_recall",
    "race",
    "ranks",
    "reliability",
    "residuals",
    "roc",
    "selection_bias",
    "timings",
    "trade_off",
    "training_curves",
    "weak_slices",
]
