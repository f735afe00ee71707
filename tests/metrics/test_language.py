"""Perplexity and bits per byte, by hand, by what interfaces give, and where they are refused."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli
from assay.metrics.base import METRICS

TOKENS = {"large.value": [-0.5, -1.5, -1.0, -3.0], "small.value": [-1.0, -2.0, -1.5, -3.1]}
BYTES = [1, 3, 2, 4]


def test_perplexity_is_the_exponential_of_the_mean_loss_of_a_token():
    e = assay.evaluate(assay.read(TOKENS), "perplexity")
    assert e.get("large", "perplexity").value == pytest.approx(math.exp(1.5), rel=1e-12)


def test_a_model_that_is_certain_has_a_perplexity_of_one():
    assert METRICS.parse("perplexity")([0, 0], [0.0, 0.0]) == 1


def test_bits_per_byte_are_the_same_by_token_and_by_text():
    tokens = assay.read({**TOKENS, "bytes": BYTES})
    texts = assay.read({"large.value": [-2.0, -4.0], "small.value": [-3.0, -4.6], "bytes": [4, 6]})
    by_token, by_text = (assay.evaluate(p, "bits_per_byte") for p in (tokens, texts))
    for model, loss in {"large": 6.0, "small": 7.6}.items():
        expected = pytest.approx(loss / math.log(2) / 10, rel=1e-12)
        assert by_token.get(model, "bits_per_byte").value == expected
        assert by_text.get(model, "bits_per_byte").value == expected


def test_perplexity_of_a_word_is_that_of_the_texts_together():
    table = assay.read({"lm.value": [-6.0, -4.0], "words": [3, 1]})
    assert assay.evaluate(table, "perplexity(per=words)").value == pytest.approx(math.exp(2.5))


def test_the_interval_of_perplexity_is_the_exponential_of_that_of_the_mean():
    losses = np.random.default_rng(3).exponential(2.0, 300)
    table = assay.read({"lm.value": -losses})
    perplexity, mean = assay.evaluate(table, ["perplexity", "mean"]).rows
    # Weighed by units the bootstrap is another, so that the ends differ a little.
    assert math.log(perplexity.low) == pytest.approx(-mean.high, abs=0.02)
    assert math.log(perplexity.high) == pytest.approx(-mean.low, abs=0.02)


def test_intervals_of_perplexity_hold_that_of_the_population():
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(40):
        losses = rng.exponential(1.5, 60)
        row = assay.evaluate(assay.read({"lm.value": -losses}), "perplexity").rows[0]
        held += row.low <= math.exp(1.5) <= row.high
    assert held >= 34  # 38 are expected; fewer than 34 come once in 80 times


def test_models_are_compared_by_perplexity_text_by_text():
    rng = np.random.default_rng(4)
    loss = rng.exponential(2.0, 400)
    table = assay.read(
        {"a.value": -loss, "b.value": -loss - 0.3 * rng.random(400), "text": np.arange(400) // 20},
        cluster="text",
    )
    c = assay.compare(table, "perplexity")
    assert c.best == "a"
    assert c.pairs[0].method == "paired cluster bootstrap"


def test_a_log_probability_above_zero_is_refused_and_its_negative_is_right():
    with pytest.raises(assay.UnsupportedError, match=r"'lm' gives 0\.7 at row 1 .*with a minus"):
        assay.evaluate(assay.read({"lm.value": [0.0, 0.7]}), "perplexity")
    p = assay.read({"lm.value": [-0.0, -0.7]})
    assert assay.evaluate(p, "perplexity").value == pytest.approx(math.exp(0.35))


def test_probabilities_of_long_texts_are_refused_however_small():
    with pytest.raises(assay.UnsupportedError, match="natural logarithms"):
        assay.evaluate(assay.read({"lm.value": [1e-20, 1e-30]}), "perplexity")


def test_a_rounding_error_above_zero_is_a_log_probability():
    p = assay.read({"lm.value": [1e-7, -1.0]})
    assert assay.evaluate(p, "perplexity").value == pytest.approx(math.exp(0.5))


def test_bits_per_byte_without_a_column_of_bytes_say_how_to_give_it():
    with pytest.raises(assay.UnsupportedError, match=r"'bytes', which the table does not have"):
        assay.evaluate(assay.read(TOKENS), "bits_per_byte")
    p = assay.read({**TOKENS, "size": BYTES})
    assert assay.evaluate(p, "bits_per_byte(per=size)").rows[0].value == pytest.approx(
        6 / math.log(2) / 10
    )


def test_a_number_of_bytes_below_zero_is_refused_with_its_row():
    p = assay.read({**TOKENS, "bytes": [1, -1, 2, 3]})
    with pytest.raises(assay.UnsupportedError, match="'bytes' is -1 at row 1"):
        assay.evaluate(p, "bits_per_byte")


def test_texts_without_a_byte_leave_bits_per_byte_undefined():
    row = assay.evaluate(assay.read({"lm.value": [-1.0], "bytes": [0]}), "bits_per_byte").rows[0]
    assert math.isnan(row.value)
    assert row.note.startswith("no_units")


def test_a_perplexity_beyond_floating_point_is_undefined():
    row = assay.evaluate(assay.read({"lm.value": [-800.0, -900.0]}), "perplexity").rows[0]
    assert math.isnan(row.value)
    assert row.note.startswith("overflow")


def test_stand_ins_for_unlisted_tokens_are_told():
    """OpenAI's interface (openapi 2.3) gives -9999.0 for tokens that are not the likeliest."""
    table = assay.read({"lm.value": [-9999.0, *[-1.0] * 99]})
    row = assay.evaluate(table, "perplexity").rows[0]
    assert "1.00% of the weight has a log-probability of -9999 or less" in row.note


def test_scores_without_a_truth_are_streamed_with_the_columns_that_metrics_read(tmp_path):
    p = assay.read({**TOKENS, "bytes": BYTES})
    assay.write(p, tmp_path / "lm.parquet")
    stream = assay.scan(tmp_path / "lm.parquet")
    assert not stream.schema.has_truth
    for metric in ("perplexity", "bits_per_byte"):
        expected, found = (assay.evaluate(t, metric).rows[0] for t in (p, stream))
        assert (found.value, found.low) == (expected.value, expected.low)


def test_files_of_others_without_a_truth_are_not_streamed(tmp_path):
    pa.parquet.write_table(pa.table(TOKENS), tmp_path / "lm.parquet")
    with pytest.raises(assay.SchemaError, match="only tables with a truth column"):
        assay.scan(tmp_path / "lm.parquet")


def test_perplexity_is_asked_for_on_the_command_line(tmp_path):
    file = tmp_path / "lm.csv"
    rows = zip(*TOKENS.values(), BYTES, strict=True)
    lines = [",".join((*TOKENS, "bytes")), *(",".join(map(str, row)) for row in rows)]
    file.write_text("\n".join(lines))
    done = CliRunner().invoke(cli, ["evaluate", str(file), "-m", "perplexity", "-m", "bpb"])
    assert done.exit_code == 0, done.output
    assert "4.4817" in done.output
    assert f"{6 / math.log(2) / 10:.4f}" in done.output
