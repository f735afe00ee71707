"""Input and output: predictions tables in files, read into memory or as streams.

The verbs are `read`, `scan` and `write`.

- source: whatever holds predictions, opened by one function for all verbs
- new_rows: rows whose truth nobody knows yet
- arrays: the truth and what models predict, which verbs take in place of a table
- frames: data frames of any package, read as files are
- boxes: boxes of images, as frameworks return them and as COCO files hold them
- read_write: tables read into memory, and written
- writer: a Parquet file that grows part by part
- stream: Parquet files larger than memory, read in parts
- row_groups: the rows of one row group of a stream
- stream_groups: the groups of a table that is read in parts
- text_columns: columns of texts in files that keep no types
- leading_zeros: codes such as 007 in text files, which are text
- layout: what each column of a file is; several tables as one
- column_names: names of columns without the blanks and quotes around them
- roles: which columns weigh rows, name them, and tell folds and clusters
- undeclared: columns that declare no kind, and whether they are models
- declarations: what the caller says that columns hold
- conventions: columns named as other tools name them
- truth_names: which column is proposed as the truth
- fold_files: one file a fold
- runs: predictions among the files of runs that trackers keep
- pipes: rows that can be read only once, copied to a file
- formats: files of any format as Arrow tables, and back
- delimited: CSV files, as Europe, spreadsheets, R and NumPy write them
- records: JSON and JSON Lines, one object a row
- spreadsheet: Excel files
- parquet: what the footers of Parquet files say

>>> import tempfile, pathlib, assay
>>> p = assay.Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> assay.read(assay.write(p, pathlib.Path(tempfile.mkdtemp()) / "p.parquet")) == p
True
"""
