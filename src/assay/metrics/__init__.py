"""Metrics: what a value means, each one formula over a state, in one class.

`make_metric` makes a metric of any callable; a class in a file of this folder is found by its name.

- base: what every metric is; the bases of ratios of counts and of means over rows
- resolve: from metrics as they are named to metrics bound to a table; the defaults of a task
- custom: any Python callable as a metric
- introspection: what is known of a callable before it is called
- curve: bases of ranking metrics
- classification: of predicted labels: accuracy, precision, recall, f1
- agreement: agreement beyond chance, and the negative side of the confusion table
- ordinal: of ordered classes: how far off the predicted class is
- counts: the confusion table, and its four numbers for each class
- rates: how often a class is predicted
- cost: what decisions cost
- probability: log loss, Brier score, and the shares of them that are spared
- proper: further proper scores
- calibration: whether what is given 80 % happens 80 % of the time, in bins
- classwise: the same of every class
- recalibration: the same by a logistic fit
- ranking: how well scores put positive rows above negative ones
- operating: the best threshold that scores allow
- multilabel: how the labels of a row are ranked
- outputs: base of metrics of several numbers a row
- regression: of predicted numbers: mse, mae, r2
- relative: errors as a share of what was predicted
- amounts: of numbers that cannot be negative
- quantile: of predicted quantiles and intervals
- all_rows: base of what is read off the values of all rows
- ordered: typical and extreme errors
- ranks: how truth and prediction order the rows
- correlation: how truth and prediction move together
- texts: bases of metrics of texts that models wrote
- transcripts: words or characters that are wrong: wer, cer
- answers: exact match, and the words that two texts share
- translation: BLEU and chrF
- summaries: ROUGE
- entities: tagged entities that are right
- detection: average precision and recall of detected boxes
- language: perplexity and bits per byte of language models

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("f1(average=micro)")(["a", "b", "b"], ["a", "a", "b"])
0.6667
"""
