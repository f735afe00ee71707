"""A test that asks for a package is run where the package is: one that never runs tells nothing."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = re.search(r"^test-frameworks:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
WITH_FRAMEWORKS = [ROOT / path for path in re.findall(r"tests/[\w/.]+", RECIPE)]
ASKED = {
    (path.relative_to(ROOT).as_posix(), package)
    for path in ROOT.glob("tests/*/test_*.py")
    for package in re.findall(r"importorskip\(\s*\"(\w+)", path.read_text())
    if not any(path.is_relative_to(one) for one in WITH_FRAMEWORKS)
}


def test_the_frameworks_have_tests_of_their_own():
    assert ROOT / "tests/adapters" in WITH_FRAMEWORKS
    assert all(path.exists() for path in WITH_FRAMEWORKS)


@pytest.mark.parametrize(("path", "package"), sorted(ASKED))
def test_what_a_test_asks_for_is_installed_or_make_runs_it_with_the_frameworks(path, package):
    assert importlib.util.find_spec(package) is not None, (
        f"{path} is skipped by every `make test...`: name {package} in the extra `test` of "
        "pyproject.toml, or the file in `test-frameworks` of the Makefile"
    )
