"""Every message that proposes an option is followed, and the number is right."""

import importlib.util

import pytest

import proposal_cases  # noqa: F401 - fills the list
from assay.metrics.base import METRICS
from proposals import CASES, list_templates


def is_runnable(one):
    return not one.needs or importlib.util.find_spec(one.needs) is not None


@pytest.fixture(scope="module")
def messages():
    """The message of each case that can be run here."""
    with METRICS.isolate():
        yield {i: str(one.provoke()) for i, one in enumerate(CASES) if is_runnable(one)}


TEMPLATES = list_templates()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.place)
def test_a_message_that_proposes_an_option_has_a_case_that_follows_it(template, messages):
    assert any(template.pattern.search(text) for text in messages.values()), template.text


@pytest.mark.parametrize("number", range(len(CASES)))
def test_following_the_proposal_gives_the_right_number(number, messages):
    one = CASES[number]
    if number not in messages:
        pytest.skip(f"needs {one.needs}")
    assert any(template.pattern.search(messages[number]) for template in TEMPLATES)
    assert one.follow() == pytest.approx(one.right, abs=1e-9)
