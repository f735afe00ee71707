"""Metrics of tagged entities, as in named entity recognition: a row is the tags of a sentence.

>>> EntityF1()(["B-PER I-PER O B-LOC"], ["B-PER I-PER O O"])
0.6667
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from assay.errors import SchemaError
from assay.kernels import Array
from assay.metrics.base import Metric, ratio
from assay.metrics.texts import TEXT, PairCounts
from assay.states.moments import Moments, Sums

__all__ = ["EntityF1", "EntityPrecision", "EntityRecall"]

RIGHT, TRUE, PREDICTED = range(3)
# Heads of tags as those of BIOES: L and U are of BILOU.
HEADS = {"O": "O", "B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S"}
# Tags that begin an entity, and those that end one, whatever stands beside them.
BEGINS = frozenset("BS")
ENDS = frozenset("ES")


@dataclass(frozen=True)
class EntityCounts(PairCounts):
    """Entities of a sentence that are right, that are true, and that are predicted."""

    width = 3

    def count(self, truth: str, text: str) -> tuple[int, int, int]:
        tags = truth.split()
        predicted_tags = text.split()
        if len(tags) != len(predicted_tags):
            raise SchemaError(
                f"a row has {len(tags)} true tags and {len(predicted_tags)} predicted ones "
                f"({truth[:40]!r} and {text[:40]!r}); give one tag a word in both, between blanks"
            )
        true = set(find_entities(tags))
        predicted = set(find_entities(predicted_tags))
        return len(true & predicted), len(true), len(predicted)


class EntityMetric(Metric):
    """Base of ratios of counts of entities; subclasses write only `parts`."""

    reads = "text"
    tasks = TEXT
    needs = Moments(EntityCounts(), EntityCounts.width)

    @abstractmethod
    def parts(self, counts: Array) -> tuple[Array, Array]:
        """Numerator and denominator from `counts` (..., 3): right, true and predicted entities."""

    def compute(self, summary: Sums) -> Array:
        return ratio(*self.parts(summary.mean))


class EntityF1(EntityMetric):
    """F1 of entities in tagged sentences: in [0, 1], higher is better.

    2 right / (true + predicted), of all sentences and types together (micro). A row is a sentence,
    its texts are one tag a word between blanks: B-PER begins an entity of type PER, I-PER goes on,
    O is none; E- and S-, or L- and U- (the last word, the only one) are read as well. An entity is
    right if its first word, last word and type are. An I- that goes on with nothing begins an
    entity. Undefined (no_entities) where there is none in truth or prediction. Same value as
    seqeval gives unless it is strict. Source: Tjong Kim Sang & De Meulder (2003), CoNLL.

    >>> EntityF1()(["B-PER I-PER O", "B-LOC O"], ["B-PER I-PER O", "O O"])
    0.6667
    """

    name = "entity_f1"
    undefined = "no_entities"
    oracle = "text_oracles.entities('f1')"

    def parts(self, counts: Array) -> tuple[Array, Array]:
        return 2 * counts[..., RIGHT], counts[..., TRUE] + counts[..., PREDICTED]


class EntityPrecision(EntityMetric):
    """Of the entities that are predicted, the share that is right: in [0, 1], higher is better.

    Of all sentences and types together; rows and entities are those of entity_f1.
    Undefined (no_predicted) where no entity is predicted. Same value as seqeval's precision.
    Source: Tjong Kim Sang & De Meulder (2003), CoNLL.

    >>> EntityPrecision()(["B-PER I-PER O", "B-LOC O"], ["B-PER I-PER O", "O O"])
    1
    """

    name = "entity_precision"
    undefined = "no_predicted"
    oracle = "text_oracles.entities('precision')"

    def parts(self, counts: Array) -> tuple[Array, Array]:
        return counts[..., RIGHT], counts[..., PREDICTED]


class EntityRecall(EntityMetric):
    """Of the entities that are true, the share that is found: in [0, 1], higher is better.

    Of all sentences and types together; rows and entities are those of entity_f1.
    Undefined (no_positive) where there is no entity. Same value as seqeval's recall.
    Source: Tjong Kim Sang & De Meulder (2003), CoNLL.

    >>> EntityRecall()(["B-PER I-PER O", "B-LOC O"], ["B-PER I-PER O", "O O"])
    0.5
    """

    name = "entity_recall"
    undefined = "no_positive"
    oracle = "text_oracles.entities('recall')"

    def parts(self, counts: Array) -> tuple[Array, Array]:
        return counts[..., RIGHT], counts[..., TRUE]


def find_entities(tags: list[str]) -> Iterator[tuple[str, int, int]]:
    """Type, first and last word of each entity in a sentence of `tags`, as seqeval finds them.

    >>> list(find_entities("B-PER I-PER O I-LOC B-LOC".split()))
    [('PER', 0, 1), ('LOC', 3, 3), ('LOC', 4, 4)]
    """
    start: int | None = None
    before = kind_before = "O"
    for place, tag in enumerate([*tags, "O"]):
        head, _, kind = tag.partition("-")
        if head not in HEADS:
            raise SchemaError(
                f"{tag!r} is no tag of an entity; give one tag a word, as in 'B-PER I-PER O' "
                f"(heads are {', '.join(HEADS)})"
            )
        head = HEADS[head]
        kind = kind or "_"
        goes_on = head not in ("O", *BEGINS) and before not in ("O", *ENDS) and kind == kind_before
        if start is not None and not goes_on:
            yield kind_before, start, place - 1
            start = None
        if head != "O" and start is None:
            start = place
        before = head
        kind_before = kind
