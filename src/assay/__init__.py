"""assay: which model is best, how sure are we, is it over- or under-fitting, and would fusing them be better?

>>> import assay
>>> p = assay.Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> assay.evaluate(p, "accuracy").value
0.75
"""

from assay.adapter import collect as collect
from assay.compare import Comparison as Comparison
from assay.compare import compare as compare
from assay.errors import AssayError as AssayError
from assay.evaluate import Evaluation as Evaluation
from assay.evaluate import evaluate as evaluate
from assay.fusion import Fused as Fused
from assay.fusion import Fusion as Fusion
from assay.fusion import fuse as fuse
from assay.history import Diagnosis as Diagnosis
from assay.history import History as History
from assay.history import diagnose as diagnose
from assay.io import read as read
from assay.io import write as write
from assay.metric import Metric as Metric
from assay.predictions import Predictions as Predictions
from assay.report import Report as Report
from assay.report import report as report
from assay.validate import cross_validate as cross_validate
from assay.version import __version__ as __version__
