"""Studies: one TOML file says data, models, splits and metrics, and is run as a whole.

The verb is `run_study`: it cross-validates, fuses, compares and reports.

- study: the verb and its result
- recipe: the file, checked key by key, and the objects that it names
- data: the rows, from a file or a function

>>> from assay.studies.recipe import Location
>>> Location("study.toml", "models").child("svm").key
'models.svm'
"""
