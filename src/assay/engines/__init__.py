"""Engines: the only loop over rows. The verb is `fold`: states over the parts of a table.

A new engine is one class with one method, `map`: what a task gives for each part, in their order.

- base: `Engine`, the family; jobs, and the task that observes a part
- local: one process, on threads; the default
- processes: worker processes of this machine

>>> import assay
>>> p = assay.Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
>>> assay.evaluate(p, "accuracy", engine="local(threads=2)").value
0.75
"""
