"""Texts that say almost the same: character shingles, MinHash, and a check of every pair that it proposes.

A text's shingles are its runs of five characters, letters and digits only, in lower case. Two texts are near duplicates
when they share at least 80 % of all their shingles (Jaccard similarity). Of 400 workshop listings with one word changed
94 % are near duplicates of what they were, with runs of three words 47 %; and no two listings of that catalog's
different splits reach even 60 %.

MinHash (Broder 1997) gives each text numbers that agree as often as the shingles do, and locality-sensitive hashing
looks only at texts that agree in a whole band of them: time grows with the texts, not with their pairs. Both are
`datasketch`'s. What duplicates mean is left to ``audit``. Notebook 02 introduces it.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

SHINGLE = 5  # characters
THRESHOLD = 0.8  # Jaccard similarity from which two texts are near duplicates
# A band of 6 numbers agrees with probability s⁶. At s = 0.8 one of 21 bands does so in 99.8 of 100 cases, at s = 0.3 in
# 1.5: almost no pair is missed, and few are checked in vain.
BANDS, ROWS = 21, 6
PARTNERS = 20  # pairs given for one text at most: where a shop fills in a form, all its texts are near one another
_WORD = re.compile(r"[^\W_]+")


class NearPair(NamedTuple):
    """Two texts by their positions, and their Jaccard similarity."""

    first: int
    second: int
    similarity: float


def normalised(text: str) -> str:
    """Letters and digits in lower case, words one space apart: what a reader would call the same text is equal."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def shingles(text: str) -> set[str]:
    """Runs of `SHINGLE` characters of a normalised text; a shorter one is one shingle, an empty one has none."""
    return {text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))} if text else set()


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared shingles as a share of all, 0 to 1; 0 for two empty sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if one or other else 0.0


def near_duplicates(texts: Sequence[str], indexed: int, threshold: float = THRESHOLD) -> Iterator[NearPair]:
    """Pairs of near duplicates, at least one of them among the first ``indexed`` texts; `PARTNERS` a text at most.

    Memory grows with ``indexed``; so in a catalog the held-out texts come first, and the many training texts pass by.

    Args:
        texts: normalised, and no two the same.
        indexed: how many of them are compared with all others; the rest aren't compared with one another.
        threshold: least Jaccard similarity, 0.5 to 1. Every pair given is checked; of those at 0.8, 0.2 % are missed.

    Raises:
        ValueError: a threshold below 0.5, where the bands would miss pairs, or above 1; an ``indexed`` out of range.
    """
    if not 0.5 <= threshold <= 1:
        raise ValueError(f"the threshold must be from 0.5 to 1, got {threshold!r}")
    if not 0 <= indexed <= len(texts):
        raise ValueError(f"indexed must be from 0 to the number of texts, {len(texts)}; got {indexed!r}")
    return _search(texts, indexed, threshold)


def _search(texts: Sequence[str], indexed: int, threshold: float) -> Iterator[NearPair]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    hashes = MinHash.generator(map(shingles, texts), num_perm=BANDS * ROWS, seed=1, hashfunc=_hash)
    for place, minhash in enumerate(hashes):
        yield from islice(_checked(texts, place, sorted(index.query(minhash)), threshold), PARTNERS)
        if place < indexed:
            index.insert(place, minhash, check_duplication=False)


def _checked(texts: Sequence[str], place: int, candidates: Iterable[int], threshold: float) -> Iterator[NearPair]:
    own = shingles(texts[place])
    for candidate in candidates:
        similarity = jaccard(own, shingles(texts[candidate]))
        if similarity >= threshold:
            yield NearPair(candidate, place, similarity)


def _hash(shingle: str) -> int:
    return zlib.crc32(shingle.encode())  # 32 bits and the same on every machine, which `hash` is not
