"""Reading and writing the predictions table: layouts, joins, formats, round trips, and files that
are no good.
"""

import contextlib
import gzip
import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import AssayError, ReadError, SchemaError
from assay.io.read_write import read, write
from assay.table.predictions import Predictions

SUFFIXES = (".parquet", ".arrow", ".csv", ".csv.gz", ".tsv")


@pytest.fixture
def put(tmp_path):
    """A function that writes a text file and gives its path."""

    def put(name, *lines):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return put


WIDE = (
    "id,y,a.label,b.proba.cat,b.proba.dog",
    "1,cat,cat,0.75,0.25",
    "2,dog,cat,0.25,0.75",
    "3,dog,dog,0.5,0.5",
)


def wide():
    proba = np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    models = {"a.label": ["cat", "cat", "dog"], "b.proba": proba}
    return Predictions.from_arrays(["cat", "dog", "dog"], models, id=[1, 2, 3])


def labels(p, model):
    return [p.classes[code] for code in p.rows(model).label]


# Layouts


def test_a_wide_table_is_read(put):
    assert read(put("p.csv", *WIDE)) == wide()


def test_a_long_table_is_matched_by_id(put):
    long = put(
        "p.csv", "model,id,y,label", "a,1,cat,cat", "a,2,dog,cat", "b,2,dog,dog", "b,1,cat,cat"
    )
    p = read(long)
    assert (labels(p, "a"), labels(p, "b")) == (["cat", "cat"], ["cat", "dog"])


def test_a_long_table_without_ids_is_matched_by_position(put):
    p = read(put("p.csv", "model,y,label", "a,cat,cat", "b,cat,dog", "a,dog,cat", "b,dog,dog"))
    assert labels(p, "b") == ["dog", "dog"]


def test_a_long_table_whose_truths_differ_by_position_is_refused(put):
    with pytest.raises(
        SchemaError,
        match=r"the truth is 'cat' in .*model 'a' but 'dog' in .*model 'b' at row 0.*id column",
    ):
        read(put("p.csv", "model,y,label", "a,cat,cat", "a,dog,cat", "b,dog,dog", "b,cat,dog"))


def test_kinds_that_a_model_of_a_long_table_leaves_empty_are_not_its_kinds(put):
    p = read(
        put("p.csv", "model,id,y,label,score", "a,1,0,1,", "a,2,1,1,", "b,1,0,,0.25", "b,2,1,,0.75")
    )
    assert p.schema.models == {"a": ("label",), "b": ("score",)}


def test_one_file_a_model_is_named_by_its_file_and_joined_by_id(put):
    svm = put("svm.csv", "id,y,label", "1,cat,cat", "2,dog,cat")
    tree = put("tree.csv", "id,y,label", "2,dog,dog", "1,cat,cat")
    p = read(svm, tree)
    assert (p.models, labels(p, "tree")) == (["svm", "tree"], ["cat", "dog"])


def test_ids_missing_in_a_file_are_left_out_with_the_counts_per_model(put):
    svm = put("svm.csv", "id,y,label", "1,cat,cat", "2,dog,cat", "3,dog,dog")
    tree = put("tree.csv", "id,y,label", "3,dog,dog", "1,cat,cat")
    p = read(svm, tree)
    assert p.columns["id"].to_pylist() == [1, 3]
    assert p.notes == (
        "Rows were joined by id: 2 are in every file and were kept (rows given: svm: 3; tree: 2).",
    )


def test_truths_that_differ_between_files_are_refused_with_the_id(put):
    svm = put("svm.csv", "id,y,label", "a,cat,cat", "b,dog,cat")
    tree = put("tree.csv", "id,y,label", "b,cat,dog", "a,cat,cat")
    with pytest.raises(
        SchemaError,
        match=r"truth is 'dog' in .*svm.csv but 'cat' in .*tree.csv at row 1 \(id 'b'\)",
    ):
        read(svm, tree)


def test_a_file_of_truth_joins_files_of_models(put):
    truth = put("truth.csv", "id,y,site", "1,cat,N", "2,dog,S")
    svm = put("svm.csv", "id,label", "2,dog", "1,dog")
    p = read(truth, svm)
    assert (p.models, labels(p, "svm"), list(p.columns)) == (
        ["svm"],
        ["dog", "dog"],
        ["id", "site"],
    )


def test_files_without_ids_are_matched_row_by_row_when_the_truths_agree(put):
    p = read(
        put("svm.csv", "y,label", "cat,cat", "dog,cat"),
        put("tree.csv", "y,label", "cat,dog", "dog,dog"),
    )
    assert labels(p, "tree") == ["dog", "dog"]


def test_files_without_ids_whose_truths_differ_ask_for_ids(put):
    with pytest.raises(SchemaError, match=r"at row 0; without ids .* id column"):
        read(
            put("svm.csv", "y,label", "cat,cat", "dog,cat"),
            put("tree.csv", "y,label", "dog,dog", "cat,dog"),
        )


def test_files_without_ids_of_different_lengths_ask_for_ids(put):
    with pytest.raises(SchemaError, match=r"svm.csv has 2 rows, .*tree.csv has 1; without ids"):
        read(put("svm.csv", "y,label", "cat,cat", "dog,cat"), put("tree.csv", "y,label", "cat,dog"))


def test_ids_in_only_some_files_are_refused(put):
    with pytest.raises(SchemaError, match=r"tree.csv has no id column while .*svm.csv has one"):
        read(
            put("svm.csv", "id,y,label", "1,cat,cat", "2,dog,cat"),
            put("tree.csv", "y,label", "cat,dog", "dog,dog"),
        )


def test_ids_of_different_types_are_refused(put):
    with pytest.raises(SchemaError, match=r"ids are int64 in .* but string in"):
        read(put("svm.csv", "id,y,label", "1,cat,cat"), put("tree.csv", "id,y,label", "x1,cat,dog"))


def test_files_without_a_common_id_are_refused(put):
    with pytest.raises(SchemaError, match=r"no id of .* pieces of one table"):
        read(put("svm.csv", "id,y,label", "1,cat,cat"), put("tree.csv", "id,y,label", "2,cat,dog"))


def test_a_duplicate_id_is_refused_with_its_file(put):
    with pytest.raises(SchemaError, match=r"in .*svm.csv: id 1 occurs 2 times"):
        read(
            put("svm.csv", "id,y,label", "1,cat,cat", "1,cat,cat"),
            put("tree.csv", "id,y,label", "1,cat,dog"),
        )


def test_pieces_of_one_table_are_put_under_one_another(put):
    first = put("part-0.csv", *WIDE[:2])
    second = put("part-1.csv", WIDE[0], *WIDE[2:])
    assert read(first, second) == wide()


def test_pieces_with_the_same_id_are_refused(put):
    with pytest.raises(
        SchemaError,
        match=r"read as pieces of one table, but id 1 occurs 2 times.* model of its own",
    ):
        read(put("part-0.csv", *WIDE[:2]), put("part-1.csv", *WIDE[:2]))


def test_pieces_may_spell_whole_numbers_and_fractions(put):
    p = read(put("1.csv", "y,a.value", "1,2", "2,3"), put("2.csv", "y,a.value", "1.5,2.5"))
    assert (p.task, p.truth.tolist()) == ("regression", [1.0, 2.0, 1.5])


def test_pieces_whose_types_cannot_meet_are_refused(tmp_path):
    for name, ids in (("1.parquet", [1]), ("2.parquet", ["x"])):
        pq.write_table(pa.table({"id": ids, "y": ["cat"], "a.label": ["cat"]}), tmp_path / name)
    with pytest.raises(
        SchemaError, match=r"column 'id' has different types: int64 in .*; string in"
    ):
        read(tmp_path)


def test_wide_files_of_different_models_are_joined(put):
    first = put("first.csv", "id,y,a.label", "1,cat,cat", "2,dog,cat")
    second = put("second.csv", "id,y,b.label,c.label", "2,dog,dog,cat", "1,cat,cat,cat")
    assert read(first, second).models == ["a", "b", "c"]


def test_a_model_in_two_files_of_different_columns_is_refused(put):
    with pytest.raises(SchemaError, match="model 'a' is in both"):
        read(
            put("1.csv", "id,y,a.label", "1,cat,cat"),
            put("2.csv", "id,y,a.label,b.label", "1,cat,cat,cat"),
        )


def test_groups_that_differ_between_files_are_left_out_with_a_note(put):
    svm = put("svm.csv", "id,y,label,site,ms", "1,cat,cat,N,10", "2,dog,dog,S,10")
    tree = put("tree.csv", "id,y,label,site,ms", "1,cat,cat,N,99", "2,dog,dog,S,99")
    p = read(svm, tree)
    assert list(p.columns) == ["id", "site"]
    assert p.notes == ("Column 'ms' is left out: it differs between the models' tables.",)


def test_folds_that_differ_between_files_are_refused(put):
    with pytest.raises(SchemaError, match=r"column 'fold' is 0 in .* but 1 in"):
        read(
            put("svm.csv", "id,y,label,fold", "1,cat,cat,0"),
            put("tree.csv", "id,y,label,fold", "1,cat,cat,1"),
        )


def test_files_of_one_name_are_named_with_their_folders(put):
    first, second = (
        put("run1/p.csv", "id,y,label", "1,cat,cat"),
        put("run2/p.csv", "id,y,label", "1,cat,dog"),
    )
    assert read(first, second).models == ["run1/p", "run2/p"]


def test_a_folder_and_a_pattern_name_their_files_in_sorted_order(put, tmp_path):
    put("tree.csv", "id,y,label", "1,cat,cat")
    put("svm.csv", "id,y,label", "1,cat,cat")
    put("notes.txt", "nothing")
    assert read(tmp_path).models == read(str(tmp_path / "*.csv")).models == ["svm", "tree"]


def test_the_other_columns_are_kept_by_their_names(put):
    p = read(
        put(
            "p.csv",
            "id,y,a.label,weight,fold,split,cluster,site",
            "1,0,1,2,0,test,7,N",
            "2,1,1,0.5,1,test,8,S",
        )
    )
    assert p.weight.tolist() == [2.0, 0.5]
    assert list(p.columns) == ["id", "fold", "split", "cluster", "site"]


def test_a_single_probability_column_is_that_of_the_positive_class(put):
    p = read(put("p.csv", "y,a.proba", "0,0.25", "1,0.75"))
    assert p.rows("a").proba.tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_class_columns_are_aligned_by_name(put):
    p = read(put("p.csv", "y,a.proba.dog,a.proba.cat", "cat,0.25,0.75", "dog,1,0"))
    assert p.rows("a").proba.tolist() == [[0.75, 0.25], [0, 1]]


def test_multi_label_truth_is_one_column_a_label(put):
    p = read(
        put(
            "p.csv",
            "y.a,y.b,m.proba.b,m.proba.a,n.label.a,n.label.b",
            "1,0,.25,.75,1,1",
            "0,0,.5,.25,0,1",
        )
    )
    assert (p.task, p.classes, p.truth.tolist()) == ("multilabel", ("a", "b"), [[1, 0], [0, 0]])
    assert p.rows("m").proba.tolist() == [[0.75, 0.25], [0.25, 0.5]]
    assert p.rows("n").label.tolist() == [[1, 1], [0, 1]]


def test_the_truth_may_have_another_name(put):
    assert read(put("p.csv", "target,a.label", "cat,cat", "dog,cat"), truth="target").n == 2


def test_a_missing_truth_column_is_named_with_the_likely_one(put):
    with pytest.raises(
        SchemaError,
        match=r"p.csv: no truth column 'y'; columns are 'y_true', 'a.label'. .*truth='y_true'",
    ):
        read(put("p.csv", "y_true,a.label", "cat,cat"))


@pytest.mark.parametrize("name", ["label_true", "Target (2024)", "is_class"])
def test_a_truth_column_is_known_by_a_word_of_its_name(put, name):
    with pytest.raises(SchemaError, match=re.escape(f"Is it {name!r}?")):
        read(put("p.csv", f"{name},a.label", "cat,cat"))


def test_models_chooses_and_orders_the_models(put):
    path = put("p.csv", *WIDE)
    assert read(path, models=["b", "a"]).models == ["b", "a"]
    assert read(path, models=["b"]).models == ["b"]


def test_a_model_that_is_not_there_is_refused_with_the_close_name(put):
    with pytest.raises(SchemaError, match="no model or column is named 'svn'; did you mean 'svm'"):
        read(put("p.csv", "y,svm.label", "cat,cat"), models=["svn"])


# Bare columns


def test_bare_columns_within_the_labels_are_models_and_others_groups(put):
    p = read(put("p.csv", "y,svm,site", "cat,dog,N", "dog,dog,S"))
    assert (p.schema.models, list(p.columns)) == ({"svm": ("label",)}, ["site"])
    assert p.notes == (
        "Read as models for their values: svm. Name them <model>.<kind> to be sure.",
    )


def test_bare_numbers_are_models_of_a_regression(put):
    p = read(put("p.csv", "y,svm,site", "1.5,1,N", "2.5,3,S"))
    assert (p.task, p.schema.models, list(p.columns)) == (
        "regression",
        {"svm": ("value",)},
        ["site"],
    )


def test_bare_columns_are_groups_where_any_column_declares_a_kind(put):
    assert read(put("p.csv", "y,svm,a.label", "0,1,0", "1,1,1")).models == ["a"]


def test_bare_columns_are_models_when_they_are_named(put):
    assert read(put("p.csv", "y,svm,a.label", "0,1,0", "1,1,1"), models=["svm", "a"]).models == [
        "svm",
        "a",
    ]


def test_a_bare_column_with_a_stray_label_stays_a_group_with_a_note(put):
    p = read(put("p.csv", "y,svm,tree", "cat,dog,dog", "dog,dog,fox"))
    assert p.models == ["svm"]
    assert "Column 'tree' is read as a group, for 'fox' is no label" in p.notes[1]


def test_a_bare_column_of_numbers_with_a_stray_text_is_refused(put):
    with pytest.raises(SchemaError, match="column 'svm' holds numbers, but 'abc' at row 2"):
        read(put("p.csv", "y,svm,tree", "1.5,1,1", "2.5,3,3", "3.5,abc,3"))


def test_a_table_without_models_lists_its_columns_and_the_names_to_use(put):
    with pytest.raises(
        SchemaError, match=r"columns are 'y', 'site'. Name them <model>.label.*models="
    ):
        read(put("p.csv", "y,site", "cat,N", "dog,S"))


# Text files keep no types


def test_labels_that_look_like_numbers_are_text_where_any_label_is_text(put):
    p = read(put("p.csv", "y,a.label", "1,1", "x,1"))
    assert p.classes == ("1", "x")


def test_labels_are_text_across_files_where_any_is_text(put):
    p = read(
        put("svm.csv", "id,y,label", "1,1,1", "2,2,1"),
        put("tree.csv", "id,y,label", "1,1,x", "2,2,1"),
    )
    assert p.classes == ("1", "2", "x")


def test_declared_text_classes_keep_numbers_in_a_text_file_as_text(put):
    assert read(put("p.csv", "y,a.label", "01,01", "02,01"), classes=["01", "02"]).classes == (
        "01",
        "02",
    )


def test_text_labels_in_a_typed_file_do_not_meet_numbers(tmp_path):
    pq.write_table(pa.table({"y": [1, 2], "a.label": ["1", "2"]}), tmp_path / "p.parquet")
    with pytest.raises(
        SchemaError, match=r"p.parquet: .*'1', 1 and True are different labels; cast"
    ):
        read(tmp_path / "p.parquet")


def test_dates_are_labels_and_groups_as_they_are_spelled(put):
    p = read(
        put(
            "p.csv",
            "y,a.label,day",
            "2020-01-01,2020-01-02,2021-03-04",
            "2020-01-02,2020-01-02,2021-03-05",
        )
    )
    assert (p.classes, p.group("day")[1]) == (
        ("2020-01-01", "2020-01-02"),
        ["2021-03-04", "2021-03-05"],
    )


@pytest.mark.parametrize("spelled", ["NA", "nan", "null", '""'])
def test_a_missing_label_among_text_is_refused(put, spelled):
    with pytest.raises(SchemaError, match=r"column 'y' has no label at row 1 \(id 8\).*declare it"):
        read(put("p.csv", "id,y,a.label", "7,cat,cat", f"8,{spelled},cat"))


def test_an_empty_label_is_refused(put):
    with pytest.raises(
        SchemaError, match=r"labels of model 'a' has no label at row 1 .*fill it or drop the row"
    ):
        read(put("p.csv", "y,a.label", "1,1", "2,"))


def test_a_class_may_be_called_na_where_it_is_declared(put):
    assert read(put("p.csv", "y,a.label", "NA,US", "US,US"), classes=["NA", "US"]).classes == (
        "NA",
        "US",
    )


def test_a_text_in_a_column_of_numbers_is_refused_with_column_row_and_id(put):
    with pytest.raises(
        SchemaError,
        match=r"p.csv: value of model 'a' must hold numbers; got 'abc' at row 1 \(id 'r'\)",
    ):
        read(put("p.csv", "id,y,a.value", "q,1.5,1", "r,2.5,abc"))


def test_nan_in_a_text_file_is_refused_with_row_and_id(put):
    with pytest.raises(SchemaError, match=r"value of model 'a' is nan at row 1 \(id 'r'\)"):
        read(put("p.csv", "id,y,a.value", "q,1.5,1", "r,2.5,nan"))


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_delimiter_is_found(put, sign):
    lines = [line.replace(",", sign) for line in WIDE]
    assert read(put("p.csv", *lines)) == read(put("p.tsv", *lines)) == wide()


def test_a_semicolon_in_a_quoted_name_is_no_delimiter(put):
    assert read(put("p.csv", '"a;b;c.label",y', "cat,cat", "dog,cat")).models == ["a;b;c"]


def test_a_packed_text_file_is_read(tmp_path):
    (tmp_path / "svm.csv.gz").write_bytes(gzip.compress(b"y,label\ncat,cat\ndog,cat\n"))
    assert read(tmp_path / "svm.csv.gz").models == ["svm"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(put):
    assert read(put("p.csv", "\ufeffy,a.label", "cat,cat", "dog,cat")).n == 2


def test_columns_that_are_no_groups_are_left_out_with_a_note(tmp_path):
    table = pa.table(
        {"y": ["cat", "dog"], "a.label": ["cat", "cat"], "embedding": [[1.0, 2.0], [3.0, 4.0]]}
    )
    pq.write_table(table, tmp_path / "p.parquet")
    p = read(tmp_path / "p.parquet")
    assert (list(p.columns), "column 'embedding'" in p.notes[0]) == ([], True)


# Formats agree


def every_form(folder):
    """The same table in every format and layout."""
    p = wide()
    yield from (write(p, folder / f"p{suffix}") for suffix in SUFFIXES)
    y, ids, labels_a = ["cat", "dog", "dog"], [1, 2, 3], ["cat", "cat", "dog"]
    cat, dog = [0.75, 0.25, 0.5], [0.25, 0.75, 0.5]
    long = pa.table(
        {
            "model": ["a"] * 3 + ["b"] * 3,
            "id": ids * 2,
            "y": y * 2,
            "label": labels_a + [None] * 3,
            "proba.cat": [None] * 3 + cat,
            "proba.dog": [None] * 3 + dog,
        }
    )
    pq.write_table(long, folder / "long.parquet")
    yield folder / "long.parquet"
    lists = pa.table(
        {
            "id": ids,
            "y": y,
            "a.label": labels_a,
            "b.proba": list(map(list, zip(cat, dog, strict=True))),
        }
    )
    with pa.ipc.new_stream(folder / "stream.ipc", lists.schema) as stream:
        stream.write_table(lists)
    yield folder / "stream.ipc"
    (folder / "models").mkdir()
    pq.write_table(
        pa.table({"id": ids, "y": y, "label": labels_a}), folder / "models" / "a.parquet"
    )
    pq.write_table(
        pa.table({"id": ids, "y": y, "proba.dog": dog, "proba.cat": cat}),
        folder / "models" / "b.parquet",
    )
    yield folder / "models"


def test_the_same_table_is_the_same_in_every_format_and_layout(tmp_path):
    for path in every_form(tmp_path):
        assert read(path) == wide(), path


def test_tables_of_pandas_and_polars_are_the_same(tmp_path):
    import pandas as pd
    import polars as pl

    pd.read_csv(write(wide(), tmp_path / "p.csv")).to_parquet(tmp_path / "pandas.parquet")
    pl.read_csv(tmp_path / "p.csv").write_parquet(tmp_path / "polars.parquet")
    pl.read_csv(tmp_path / "p.csv").write_ipc(tmp_path / "polars.arrow")
    for name in ("pandas.parquet", "polars.parquet", "polars.arrow"):
        assert read(tmp_path / name) == wide(), name


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
# Numbers and missing values as text are what a text file cannot tell from numbers and gaps.
words = names.map(lambda text: f"c{text}")


@st.composite
def tables(draw, float_types=(np.float64, np.float32), groups=True):
    task = draw(st.sampled_from(["binary", "multiclass", "multilabel", "regression"]))
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    dtype = draw(st.sampled_from(float_types))
    model_names = [
        f"m{i}{text}"
        for i, text in enumerate(
            draw(st.lists(st.sampled_from(["", ".v2", " ü", "/x"]), min_size=1, max_size=2))
        )
    ]
    extra = {
        "id": [f"r{i}" for i in range(n)],
        "weight": rng.random(n) + 0.5,
        "fold": list(range(n)),
    }
    if groups:
        extra["groups"] = {"site": draw(st.lists(words, min_size=n, max_size=n))}
    if task == "regression":
        models = {f"{m}.value": rng.normal(size=n).astype(dtype) for m in model_names}
        return Predictions.from_arrays(rng.normal(size=n), models, task=task, **extra)
    k = 2 if task == "binary" else draw(st.integers(3 if task == "multiclass" else 1, 4))
    kind = draw(st.sampled_from(["text", "int", "bool"] if task == "binary" else ["text", "int"]))
    distinct = st.lists(words, min_size=k, max_size=k, unique=True) if kind == "text" else None
    classes = (
        draw(distinct)
        if distinct is not None
        else [3, -1, 7, 20][:k]
        if kind == "int"
        else [True, False]
    )
    classes = draw(st.permutations(classes))
    many = task == "multilabel"
    proba = rng.random((n, k)) if many else rng.dirichlet(np.ones(k), n)
    codes = rng.integers(0, 2, (n, k)) if many else rng.integers(0, k, n)
    given_labels = codes if many else [classes[c] for c in codes]
    models = {}
    for m in model_names:
        models[f"{m}.proba"] = proba.astype(dtype)
        models[f"{m}.label"] = given_labels
        models[f"{m}.logit"] = rng.normal(size=(n, k)).astype(dtype)
        if task == "binary":
            models[f"{m}.score"] = rng.normal(size=n).astype(dtype)
    truth = rng.integers(0, 2, (n, k)) if many else [classes[c] for c in rng.integers(0, k, n)]
    positive = draw(st.sampled_from([None, *classes])) if task == "binary" else None
    return Predictions.from_arrays(
        truth, models, classes=classes, task=task, positive=positive, **extra
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(p=tables(), suffix=st.sampled_from([".parquet", ".arrow"]))
def test_parquet_and_arrow_keep_everything(p, suffix, tmp_path):
    assert read(write(p, tmp_path / f"p{suffix}")) == p


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(p=tables(float_types=(np.float64,)), suffix=st.sampled_from([".csv", ".tsv", ".csv.gz"]))
def test_csv_keeps_all_but_what_must_be_declared(p, suffix, tmp_path):
    declared = p.schema.positive if p.schema.positive_declared else None
    path = write(p, tmp_path / f"p{suffix}")
    assert read(path, classes=p.classes or None, task=p.task, positive=declared) == p


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize(
    "classes",
    [["1", "2"], ["a.b", "a"], ["proba.x", "label"], ["", "NA"], ["a\nb", 'a"b'], [2**62, 1]],
)
def test_awkward_class_names_come_back(tmp_path, suffix, classes):
    p = Predictions.from_arrays(classes, {"a": classes, "b": np.eye(2)}, classes=classes)
    assert read(write(p, tmp_path / f"p{suffix}")) == p


def test_an_empty_table_comes_back(tmp_path):
    p = wide().slice(0, 0)
    for suffix in (".parquet", ".arrow"):
        assert read(write(p, tmp_path / f"p{suffix}")) == p


def test_labels_are_stored_by_dictionary_and_probabilities_as_one_list(tmp_path):
    schema = pq.read_schema(write(wide(), tmp_path / "p.parquet"))
    assert pa.types.is_dictionary(schema.field("a.label").type)
    assert schema.field("b.proba").type == pa.list_(pa.float64(), 2)
    told = json.loads(schema.metadata[b"assay"])
    expected = {
        "version": 1,
        "task": "binary",
        "classes": ["cat", "dog"],
        "positive": None,
        "models": ["a", "b"],
    }
    assert told == expected


def test_lists_of_a_file_are_aligned_with_the_classes_asked_for(tmp_path):
    p = read(write(wide(), tmp_path / "p.parquet"), classes=["dog", "cat"])
    assert p.rows("b").proba[:, 1].tolist() == [0.75, 0.25, 0.5]


def test_files_with_their_classes_in_different_orders_are_aligned(tmp_path):
    for name, classes in (("a", ["cat", "dog"]), ("b", ["dog", "cat"])):
        proba = np.array([[1.0, 0.0]]) if name == "a" else np.array([[0.0, 1.0]])
        write(
            Predictions.from_arrays(["cat"], {name: proba}, classes=classes, id=[1]),
            tmp_path / f"{name}.parquet",
        )
    p = read(tmp_path)
    assert p.rows("a").proba.tolist() == p.rows("b").proba.tolist() == [[1.0, 0.0]]


def test_arguments_override_the_metadata(tmp_path):
    path = write(wide(), tmp_path / "p.parquet")
    assert (read(path).schema.positive, read(path, positive="cat").schema.positive) == (
        "dog",
        "cat",
    )


def test_a_name_that_would_not_come_back_is_refused(tmp_path):
    p = Predictions.from_arrays(["cat"], {"y.a": ["cat"]}, groups={"a.label": ["N"]})
    with pytest.raises(SchemaError, match=r"column 'a.label' would not be read back"):
        write(p, tmp_path / "p.csv")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write(wide(), tmp_path / "p.parquet")
    before = path.read_bytes()
    monkeypatch.setattr(
        pq, "write_table", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(ReadError, match=r"p.parquet: cannot be written \(disk full\)"):
        write(wide(), path)
    assert (path.read_bytes(), [f.name for f in tmp_path.iterdir()]) == (before, ["p.parquet"])


# Files that are no good


def test_a_missing_file_names_the_close_one(put, tmp_path):
    put("preds.csv", *WIDE)
    with pytest.raises(ReadError, match=r"pred.csv: no such file; did you mean preds.csv\?"):
        read(tmp_path / "pred.csv")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "p.csv").touch()
    with pytest.raises(ReadError, match=r"p.csv: the file is empty"):
        read(tmp_path / "p.csv")


def test_a_header_without_rows_needs_classes(put):
    path = put("p.csv", "y,a.label")
    with pytest.raises(SchemaError, match="no rows and no declared classes"):
        read(path)
    assert read(path, classes=["cat", "dog"]).n == 0


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(ReadError, match=r"no table in this folder; expected .parquet"):
        read(tmp_path)


def test_a_pattern_without_matches_is_refused(tmp_path):
    with pytest.raises(ReadError, match="no file matches this pattern"):
        read(str(tmp_path / "*.csv"))


def test_an_unknown_suffix_is_refused(put):
    with pytest.raises(
        ReadError, match=r"p.xyz: the suffix does not tell the format; expected .parquet"
    ):
        read(put("p.xyz", "y"))
    with pytest.raises(ReadError, match=r"p.xyz: the suffix does not tell the format to write"):
        write(wide(), put("p.xyz", "y"))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv.gz"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = write(wide(), tmp_path / f"p{suffix}")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReadError, match=rf"p{suffix}: cannot be read as"):
        read(path)


def test_a_row_of_another_length_is_refused(put):
    with pytest.raises(
        ReadError,
        match=r"p.csv: cannot be read as csv .*Expected 2 columns, got 3.*every row complete",
    ):
        read(put("p.csv", "y,a.label", "cat,cat,cat"))


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "p.csv").write_bytes("y,a.label\ncafé,café\n".encode("latin-1"))
    with pytest.raises(ReadError, match=r"p.csv: .*UTF-8"):
        read(tmp_path / "p.csv")


def test_two_columns_of_one_name_are_refused(put):
    with pytest.raises(SchemaError, match=r"p.csv: two columns are named 'y'"):
        read(put("p.csv", "y,y,a.label", "cat,cat,cat"))


def test_a_newer_format_is_refused_with_its_version(tmp_path):
    table = pa.table({"y": ["cat"], "a.label": ["cat"]}).replace_schema_metadata(
        {"assay": '{"version": 2}'}
    )
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(ReadError, match=r"p.parquet: written in version 2 of the format"):
        read(tmp_path / "p.parquet")


def test_metadata_that_is_no_json_is_refused(tmp_path):
    table = pa.table({"y": ["cat"], "a.label": ["cat"]}).replace_schema_metadata({"assay": "{"})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(ReadError, match="metadata 'assay' is not readable"):
        read(tmp_path / "p.parquet")


def test_no_file_is_refused():
    with pytest.raises(ReadError, match="no file is given"):
        read()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=200),
    suffix=st.sampled_from([".parquet", ".arrow", ".csv", ".csv.gz", ".tsv"]),
)
def test_random_bytes_are_read_or_refused(data, suffix, tmp_path):
    (tmp_path / f"p{suffix}").write_bytes(data)
    admitted_or_refused(tmp_path / f"p{suffix}")


cells = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "cat",
        "dog",
        "nan",
        "inf",
        "-1",
        "0.5",
        "1e400",
        "true",
        '"',
        "2020-01-01",
        "é",
    ]
)
HEADERS = """
y id model label a.label a.proba a.proba.0 a.proba.1 proba.1 a.score a.value b y.0 y.1 weight fold
a.logit.1 a.label.0 .label a. score value
"""
headers = st.sampled_from(["", *HEADERS.split()])


@st.composite
def texts(draw):
    names = draw(st.lists(headers, min_size=1, max_size=5))
    rows = draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=4))
    return "\n".join(",".join(row) for row in [names, *rows])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=texts(), other=texts())
def test_random_tables_are_read_or_refused(text, other, tmp_path):
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    (tmp_path / "q.csv").write_text(other, encoding="utf-8")
    admitted_or_refused(tmp_path / "p.csv")
    admitted_or_refused(tmp_path / "p.csv", tmp_path / "q.csv")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    suffix=st.sampled_from([".parquet", ".arrow"]),
)
def test_a_damaged_byte_is_survived(place, byte, suffix, tmp_path):
    path = write(wide(), tmp_path / f"p{suffix}")
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] = byte
    path.write_bytes(data)
    admitted_or_refused(path)


def admitted_or_refused(*paths):
    with contextlib.suppress(AssayError):
        assert isinstance(read(*paths), Predictions)


def test_reading_imports_no_framework(tmp_path):
    paths = [
        str(write(wide(), tmp_path / f"p{suffix}")) for suffix in (".csv", ".parquet", ".arrow")
    ]
    (tmp_path / "long.csv").write_text("model,id,y,label\na,2,0,1\na,1,1,1\nb,1,1,0\nb,2,0,1\n")
    (tmp_path / "bare.csv").write_text("id,y,svm,site\nq,cat,dog,N\nr,dog,dog,S\n")
    paths += [str(tmp_path / name) for name in ("long.csv", "bare.csv")]
    code = (
        "import sys; from assay.io.read_write import read, write\n"
        f"for path in {paths!r}: write(read(path), path + '.parquet')\n"
        "print([m for m in ('pandas', 'polars', 'sklearn', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_class_that_holds_line_ends_keeps_them_at_its_end_in_csv(tmp_path):
    p = Predictions.from_arrays(
        ["c\r0\x85", "b"], {"m.proba": [[0.2, 0.8], [0.7, 0.3]]}, classes=["b", "c\r0\x85"]
    )
    path = write(p, tmp_path / "p.csv")
    assert read(path, classes=p.classes) == p
