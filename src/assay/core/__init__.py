"""Core: what every wing rests on, and what knows nothing of models or metrics.

The verb of this wing is to register: an open family finds its members by name.

- arguments: checks of arguments that several verbs take
- atomic: files written whole or not at all
- extras: packages that are imported when first needed
- lazy: properties computed when first read
- members: which module defines each member of a family
- progress: one bar for long work
- registry: the members of an open family, by name
- result: one way to read every answer
- terminal: a result within the width of a terminal, in colour
- text: numbers and tables as people read them
- types: types that several wings share

>>> from assay.metrics.base import METRICS
>>> str(METRICS.parse("f_beta(average=micro, beta=2)"))
'f_beta(beta=2, average=micro)'
"""
