"""What a word looks like and whether a vocabulary knows it, as one small number per word.

The encoder is uncased, so case is told separately; and names that a vocabulary
lists are told, so that a name never seen in training can still be recognised.
The number enters the encoder as its segment id (``token_type_ids``), a table of
:data:`ROWS` learned rows instead of BERT's two: any BERT implementation runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from extractor.vocabulary import Vocabulary, fold_piece, load_pack

SHAPES = ("lower", "title", "upper", "mixed", "digit")
KNOWN = ("unknown", "drug begins", "drug goes on", "disease begins", "disease goes on")
ROWS = len(SHAPES) * len(KNOWN)

VOCABULARIES = ("vocabulary-drugs/1.0.0", "vocabulary-diseases/1.0.0")
"""The packs behind the features of the recogniser that ships, of drugs and of diseases."""


@lru_cache(maxsize=65_536)
def shape_of(word: str) -> int:
    """Index into :data:`SHAPES`: small letters or signs, one capital first, capitals, mixed, no letters."""
    letters = [letter for letter in word if letter.isalpha()]
    if not letters:
        return 4 if word[:1].isdigit() else 0
    if word.islower():
        return 0 if len(letters) == len(word) else 3
    if word.isupper():
        return 2 if len(word) > 1 else 1
    return 1 if word[0].isupper() and word[1:].islower() and len(letters) == len(word) else 3


def shapes(words: Sequence[str]) -> list[int]:
    """Shape features alone: numbers below ``len(SHAPES)``."""
    return [shape_of(word) for word in words]


class Features:
    """Shape and vocabulary features of words; ``vocabularies`` are those of drugs and of diseases."""

    def __init__(self, drugs: Vocabulary, diseases: Vocabulary) -> None:
        self._vocabularies = (drugs, diseases)

    @classmethod
    def of_packs(cls, names: Sequence[str]) -> Features:
        """From two packs of ``models/`` by name and version.

        Raises:
            MissingToolError: one is absent or altered.
        """
        drugs, diseases = map(load_pack, names)
        return cls(drugs, diseases)

    def of(self, words: Sequence[str]) -> list[int]:
        """One number below :data:`ROWS` per word. The longest name wins, drugs before diseases."""
        found = shapes(words)
        folded = [fold_piece(word) for word in words]
        here, total = 0, len(words)
        while here < total:
            if not folded[here]:
                here += 1
                continue
            known = [self._longest(words, folded, here, vocabulary) for vocabulary in self._vocabularies]
            best = max(known)
            if best == here:
                here += 1
                continue
            kind = known.index(best)
            for place in range(here, best):
                found[place] += len(SHAPES) * (1 + 2 * kind + (place > here))
            here = best
        return found

    def _longest(self, words: Sequence[str], folded: Sequence[str], here: int, vocabulary: Vocabulary) -> int:
        """The end of the longest name that begins at a word; ``here`` where none does."""
        most = vocabulary.longest.get(folded[here], 0)
        if not most:
            return here
        pieces: list[str] = []
        end = place = here
        while place < len(words) and len(pieces) < most:
            if folded[place]:
                pieces.append(folded[place])
                form = " ".join(pieces)
                if form in vocabulary.forms or (
                    form in vocabulary.capitals
                    and all(word.upper() == word for word in words[here : place + 1])
                ):
                    end = place + 1
            place += 1
        return end
