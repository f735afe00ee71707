"""Trackers leave their stores where they are run: in a folder of the tests."""

from contextlib import chdir

import pytest


@pytest.fixture(autouse=True, scope="module")
def work_elsewhere(tmp_path_factory):
    with chdir(tmp_path_factory.mktemp("work")):
        yield
