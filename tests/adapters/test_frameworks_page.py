"""Every example of docs/frameworks.md runs as it stands, where its framework is installed."""

import importlib.util
import os
import re
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
SECTIONS = dict(
    re.findall(r"^## ([^\n]+)\n.*?```python\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
)

pytestmark = pytest.mark.filterwarnings("default")


def test_the_page_has_an_example_of_every_extra_of_a_framework():
    extras = {found[1] for title in SECTIONS if (found := re.search(r"\(`([\w-]+)`\)", title))}
    assert extras == {
        "sklearn",
        "boosting",
        "torch",
        "keras",
        "transformers",
        "lightning",
        "skorch",
        "onnx",
        "sentence-transformers",
    }


@pytest.mark.parametrize("title", SECTIONS)
def test_an_example_runs_as_it_stands(title, capsys, tmp_path, monkeypatch):
    code = SECTIONS[title]
    for module in re.findall(
        r"^(?:import|from) ([\w, ]+?)(?: import.*| *#.*)?$", code, re.MULTILINE
    ):
        for name in module.split(", "):
            if importlib.util.find_spec(re.split(r"[ .]", name)[0]) is None:
                pytest.skip(f"{name} is not installed")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, title, "exec"), {"__name__": "example"})
    assert "95" in capsys.readouterr().out  # an interval
