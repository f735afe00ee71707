"""Odd Python inputs to every public verb give a result or an AssayError, and nothing else."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fuzz_inputs

SEEDS = range(300)
SIZE = 30


@pytest.mark.parametrize("first", SEEDS[::SIZE])
def test_odd_inputs_give_a_result_or_an_error_in_words(first):
    assert [wrong for seed in range(first, first + SIZE) if (wrong := fuzz_inputs.run(seed))] == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 21_000, 500))
def test_20000_odd_inputs_give_a_result_or_an_error_in_words(first):
    assert [wrong for seed in range(first, first + 500) if (wrong := fuzz_inputs.run(seed))] == []
