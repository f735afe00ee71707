"""Sketches of scores: the same whether every place has a count, or filled ones alone."""

import numpy as np
import pytest

from assay.states.sketch import Sketch
from assay.table.schema import Schema

SCHEMA = Schema("multiclass", (0, 1, 2), {})


def draw(n, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    score = rng.normal(size=(n, 3))
    score[np.arange(n), truth] += 1
    return score, truth[:, None] == np.arange(3)


def make(n, seed):
    return Sketch.from_scores(*draw(n, seed), None, None, 1, False)


def list_curves(sketch):
    return [problem.curve for problem in sketch.ranking(SCHEMA).ranking_problems]


def test_many_rows_have_a_count_for_every_place_and_few_for_the_filled_ones():
    assert make(400_000, 0).place is None
    assert make(40_000, 0).place is not None


@pytest.mark.parametrize("sizes", [(400_000, 40_000), (40_000, 400_000), (400_000, 400_000)])
def test_joined_sketches_are_that_of_all_rows_however_they_are_kept(sizes):
    parts = [make(n, seed) for seed, n in enumerate(sizes)]
    drawn = [draw(n, seed) for seed, n in enumerate(sizes)]
    score, positive = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
    whole = Sketch.from_scores(score, positive, None, None, 1, False)
    joined = Sketch.join(parts)
    for a, b in zip(joined.filled_places, whole.filled_places, strict=True):
        np.testing.assert_array_equal(a, b)
    assert joined.rows == sum(sizes)


def test_curves_of_every_place_are_those_of_filled_places_and_of_weights_of_one():
    dense = make(400_000, 0)
    place, mass = dense.filled_places
    sparse = dense._replace(place=place, mass=mass)
    weighted = sparse._replace(mass=mass.astype(np.float64))
    wanted = list_curves(dense)
    for other in (sparse, weighted):
        for a, b in zip(list_curves(other), wanted, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)


def test_a_sketch_that_is_read_back_has_the_curves_that_were_kept():
    dense = make(400_000, 0)
    again = Sketch.load(dense.dump())
    assert list_curves(again)[1].tp.tolist() == list_curves(dense)[1].tp.tolist()
    assert again.rows == dense.rows


def test_all_problems_of_a_sketch_pool_to_all_rows_of_each():
    dense = make(400_000, 0)
    place, mass = dense.filled_places
    pooled = dense.pool()
    assert pooled.filled_places[1].sum() == mass.sum() == 1_200_000
    sparse = dense._replace(place=place, mass=mass).pool()
    np.testing.assert_array_equal(pooled.filled_places[0], sparse.filled_places[0])
