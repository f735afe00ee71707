"""The report: everything about the models of one table, in words, as JSON and as one HTML page.

Its verb is `report`. Its rooms:

- report: gathers evaluation, comparison, baseline, advice, diagnosis and fusion into a `Report`
- content: what is known, before it is put in words or on a page
- prose: conclusions and next steps, in plain words
- tables: for every chart a table that says the same
- html: the page, from the templates

>>> from assay import Predictions, report
>>> y = ["a", "b", "b", "a"] * 25
>>> report(Predictions.from_arrays(y, {"m": y})).conclusions[0]
'm is the only model: f1 1.0000.'
"""
