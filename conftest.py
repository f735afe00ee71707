"""Settings of tests and doctests alike: a test that registers a member leaves none behind."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from assay.core.registry import Registry

# Scripts that wrote logs with packages that are no test's.
collect_ignore_glob = ["tests/histories/make/*.py"]

BASE = re.compile(r"assay\.\w+\.base")


def find_registries() -> list[Registry]:
    """The registries of the families that have been imported; a test pays for no other."""
    bases = [vars(sys.modules[name]) for name in list(sys.modules) if BASE.fullmatch(name)]
    values = [value for base in bases for value in base.values()]
    return list({id(value): value for value in values if isinstance(value, Registry)}.values())


@pytest.fixture(scope="session")
def _names() -> Iterator[dict[str, list[str]]]:
    """The names of each registry's members before any test, which are those after all tests."""
    before: dict[str, list[str]] = {}
    yield before
    after = {registry.family: registry.names() for registry in find_registries()}
    for family, names in before.items():
        assert after[family] == names, f"a test registers one of {family} for good"


@pytest.fixture(autouse=True)
def registries(_names: dict[str, list[str]]) -> Iterator[list[Registry]]:
    """The registries, from which whatever the test registers is gone when it ends."""
    with ExitStack() as stack:
        families = find_registries()
        for registry in families:
            stack.enter_context(registry.isolate())
            _names.setdefault(registry.family, registry.names())
        yield families
