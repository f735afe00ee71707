"""The cases of `proposals` that speak of checkpoints and of estimators fused into one."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import assay
from proposals import call_command, case, error, make_folder, saved

__all__ = ["list_cases_of_fused_estimators", "list_cases_of_soups"]

SCORE = "def first(state):\n    return float(state['w'][0])\n"


def list_cases_of_fused_estimators() -> None:
    """Scores alone, which name no class; and options of fitting beside --apply."""
    X, y = make_classification(60, random_state=0)
    models = [("lr", LogisticRegression()), ("nb", GaussianNB())]
    auto = assay.fuse(assay.cross_validate(dict(models), X, y), "auto").fitted
    new = assay.collect({name: model.fit(X, y) for name, model in models}, X, y)
    case(
        error(assay.FusedClassifier(models, how="rank_mean").fit(X, y).predict, X),
        lambda: assay.FusedClassifier(models, how="auto").fit(X, y).predict(X).sum(),
        auto.apply(new)["proba"].argmax(axis=1).sum(),
    )
    folder = make_folder()
    table = assay.Predictions.from_arrays([0, 1], {"a.proba": [0.2, 0.8], "b.proba": [0.4, 0.6]})
    assay.fuse(table, "mean").save(folder / "pool.json")
    rows = saved("a.proba,b.proba\n0.2,0.4\n")
    out = folder / "out.csv"
    command = ["fuse", "--apply", str(folder / "pool.json"), rows, "-o", str(out)]

    def follow() -> float:
        call_command(command)
        return float(out.read_text().splitlines()[1].split(",")[-1])

    case(lambda: call_command([*command, "--folds", "3"]).output, follow, 0.3)


def list_cases_of_soups() -> None:
    """Options that a recipe needs or has no use for, scores, and files of more than weights."""
    try:
        import torch
    except ImportError:
        return

    def store(value: Any, name: str) -> str:
        path = make_folder() / name
        torch.save(value, path)
        return str(path)

    a, b, c = (
        store({"w": torch.tensor([v, 2 * v])}, f"{n}.pt")
        for n, v in zip("abc", (1.0, 3.0, 8.0), strict=True)
    )

    def first(*paths: str, **options: Any) -> float:
        return float(assay.soup(list(paths), **options).state_dict()["w"][0])

    def score(state: Any) -> float:
        return float(state["w"][0])

    uniform = 2.0
    case(error(assay.soup, [a, b], "ties"), lambda: first(a, b, how="uniform"), uniform)
    case(error(assay.soup, [a, b], "greedy"), lambda: first(a, b, how="greedy", score=score), 3.0)
    case(
        error(assay.soup, [a, b], "weighted"),
        lambda: first(a, b, how="weighted", weights={"a": 0.75, "b": 0.25}),
        1.5,
    )
    case(
        error(assay.soup, [a, b], "uniform", weights={"a": 0.75, "b": 0.25}),
        lambda: first(a, b, how="weighted", weights={"a": 0.75, "b": 0.25}),
        1.5,
    )
    case(error(assay.soup, [a, b, c], "slerp"), lambda: first(a, b, c, how="uniform"), 4.0)
    case(error(assay.soup, [a, b], "swa(last=3)"), lambda: first(a, b, how="swa(last=0)"), uniform)
    case(
        lambda: assay.soup([a, b], "uniform").verdict,
        lambda: assay.soup([a, b], "uniform", score=score).score,
        uniform,
    )
    factors = {
        "base_model.model.q.lora_A.weight": torch.ones(1, 2),
        "base_model.model.q.lora_B.weight": torch.ones(2, 1),
    }
    adapters = [str(make_folder()) for _ in range(2)]
    for folder in adapters:
        torch.save(factors, Path(folder) / "adapter_model.bin")
        config = '{"peft_type": "LORA", "r": 1, "lora_alpha": 1}'
        (Path(folder) / "adapter_config.json").write_text(config)

    def measure_product() -> float:
        state = assay.soup(adapters, "uniform").state_dict()
        left, right = (
            next(v for k, v in state.items() if part in k) for part in ("lora_B", "lora_A")
        )
        return float((left @ right)[0, 0])

    case(error(assay.soup, adapters, "slerp"), measure_product, 1.0)
    two = store({"model": {"w": torch.ones(2)}, "ema": {"w": torch.zeros(2)}}, "two.pt")
    case(
        error(assay.soup, [two, a], "uniform"),
        lambda: first(
            store(torch.load(two, weights_only=True)["model"], "weights.pt"), a, how="uniform"
        ),
        1.0,
    )
    layer = torch.nn.Linear(1, 1)
    whole = store(layer, "whole.pt")

    def fuse_weights() -> float:
        state = torch.load(whole, weights_only=False).state_dict()
        paths = [store(state, name) for name in ("weights.pt", "again.pt")]
        return float(assay.soup(paths, "uniform").state_dict()["weight"][0, 0])

    case(error(assay.soup, [whole, a], "uniform"), fuse_weights, float(layer.weight.detach()[0, 0]))
    for wrong in ("score.py", "nowhere.py:first", "broken", "other"):
        _list_cases_of_scores(a, b, wrong)


def _list_cases_of_scores(a: str, b: str, wrong: str) -> None:
    """A score that is no function of a file, and the one that is."""
    right = saved(SCORE, "score.py") + ":first"
    given = {
        "broken": saved("import no_such_module\n", "broken.py") + ":first",
        "other": right.replace(":first", ":other"),
    }.get(wrong, wrong)

    def fuse(function: str, out: Path) -> Any:
        command = [
            "fuse",
            a,
            b,
            "--how",
            "greedy",
            "--score",
            function,
            "-o",
            str(out),
            "--json",
            "-",
        ]
        return call_command(command)

    def follow() -> float:
        import torch

        out = make_folder() / "soup.pt"
        assert fuse(right, out).exit_code == 0
        return float(np.asarray(torch.load(out, weights_only=True)["w"])[0])

    case(lambda: fuse(given, make_folder() / "soup.pt").output, follow, 3.0)
