"""Metrics of transcripts: words or characters that a model got wrong.

>>> WER()(["the cat sat"], ["the cat sit"]), CER()(["cat"], ["cut"])
(0.3333, 0.3333)
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from assay.metrics.texts import PairCounts, TextRatio
from assay.states.moments import Moments

__all__ = ["CER", "WER"]


@dataclass(frozen=True)
class WordEdits(PairCounts):
    """Words that are wrong, and words of the true text."""

    def count(self, truth: str, text: str) -> tuple[int, int]:
        words = truth.split()
        return count_edits(words, text.split()), len(words)


@dataclass(frozen=True)
class CharacterEdits(PairCounts):
    """Characters that are wrong, and characters of the true text."""

    def count(self, truth: str, text: str) -> tuple[int, int]:
        characters = truth.strip()
        return count_edits(characters, text.strip()), len(characters)


class WER(TextRatio):
    """Word error rate: words substituted, deleted and inserted, as a share of the true words.

    In [0, inf), lower is better: 1 is as bad as writing nothing. The edits of all rows over the
    words of all rows (not the mean of the rates of rows), words being what blanks divide, as they
    are written: case and punctuation count, so normalise both texts before. Undefined
    (no_reference) where no true text has a word. Same value as jiwer's wer.
    Source: Morris, Maier & Green (2004), Interspeech.

    >>> WER()(["the cat sat", "on the mat"], ["the cat sit", "on mat"])
    0.3333
    """

    name = "wer"
    aliases = ("word_error_rate",)
    better = "lower"
    bounds = (0.0, float("inf"))
    undefined = "no_reference"
    needs = Moments(WordEdits(), width=2)
    oracle = "text_oracles.wer()"


class CER(TextRatio):
    """Character error rate: characters substituted, deleted and inserted, as a share of the true.

    In [0, inf), lower is better. As wer, of characters: blanks within the text are characters,
    those around it are left out. Undefined (no_reference) where every true text is empty. Same
    value as jiwer's cer.
    Source: Morris, Maier & Green (2004), Interspeech.

    >>> CER()(["the cat"], ["the cut"])
    0.1429
    """

    name = "cer"
    aliases = ("character_error_rate",)
    better = "lower"
    bounds = (0.0, float("inf"))
    undefined = "no_reference"
    needs = Moments(CharacterEdits(), width=2)
    oracle = "text_oracles.cer()"


def count_edits(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Fewest items that are substituted, deleted or inserted to make `b` of `a` (Levenshtein).

    A column of the table of distances is one whole number, so that each item of `b` costs a few
    operations. Source: Myers (1999), J. ACM 46:395-415, in the form of Hyyrö (2003).

    >>> count_edits("kitten", "sitting"), count_edits("", "ab")
    (3, 2)
    """
    if not a:
        return len(b)
    places: dict[Hashable, int] = {}
    for place, item in enumerate(a):
        places[item] = places.get(item, 0) | 1 << place
    every = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    rises = every  # where the distance rises by 1 down the column, and where it falls
    falls = 0
    distance = len(a)
    for item in b:
        same = places.get(item, 0)
        level = ((same & rises) + rises) ^ rises | same | falls
        up = falls | ~(level | rises) & every
        down = rises & level
        distance += bool(up & last) - bool(down & last)
        up = up << 1 | 1
        rises = (down << 1 | ~(level | up)) & every
        falls = up & level & every
    return distance
