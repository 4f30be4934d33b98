"""The trigger phrases of the rule pack ``rules-context`` and where they stand in a text.

NegEx (Chapman et al., J Biomed Inform 2001) and ConText (Harkema et al., J Biomed
Inform 2009): a phrase says something about the mentions before or after it,
until another phrase ends its scope; longer phrases hide shorter ones of the same
kind, so "no change" or "history of present illness" mean nothing.

Phrases are kept in a trie over the pieces of a text (words and single signs), so
that a text is read once, at one look into a dictionary per piece that starts
no phrase.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from extractor.errors import MissingToolError
from extractor.resources import model_folder

PACK = "rules-context"
DIRECTIONS = frozenset({"forward", "backward", "pseudo", "stop"})
REACHES = frozenset({"", "near", "list", "adjacent", "answer"})
AXES = {
    "negated": "existence", "uncertain": "existence", "hypothetical": "existence",
    "alternative": "existence", "tested": "existence",
    "historical": "time", "future": "time", "current": "time",
    "family": "person", "other": "person",
}  # fmt: skip
"""Meanings of one axis compete: on the same words only the longest phrase of an axis counts."""

_PIECE = re.compile(r"[^\W_]+|[^\w\s]|_")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RULES = ""
"""Key of a trie node under which the rules of the phrase that ends there stand; no piece is empty."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one phrase does: ``reach`` is a number of words, a name of :data:`REACHES`, or empty."""

    meanings: frozenset[str]
    direction: str
    reach: str

    @property
    def words(self) -> int | None:
        """Words that may stand between trigger and mention; None without a bound."""
        return int(self.reach) if self.reach.isdigit() else None


@dataclass(frozen=True, slots=True)
class Trigger:
    """A phrase at its place (offsets of the text that was searched), with one rule."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of a text in order: what they are in lower case and where they begin."""

    words: list[str]
    starts: list[int]


def lowered(text: str) -> str:
    """``text`` in lower case with plain apostrophes, of the same length."""
    small = text.lower()
    if len(small) != len(text):  # a few letters have a longer lower case
        small = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return small.replace("\u2019", "'").replace("\u2018", "'").replace("\u2011", "-").replace("\u2010", "-")


def pieces(text: str) -> Pieces:
    """Words and single signs of ``text``, which is already :func:`lowered`."""
    words: list[str] = []
    starts: list[int] = []
    for found in _PIECE.finditer(text):
        words.append(found.group())
        starts.append(found.start())
    return Pieces(words, starts)


class Triggers:
    """Finds trigger phrases."""

    def __init__(self, rules: dict[tuple[str, ...], list[Rule]]) -> None:
        self._root: dict[str, Any] = {}
        self.phrase_count = len(rules)
        for phrase, meant in rules.items():
            node = self._root
            for piece in phrase:
                node = node.setdefault(piece, {})
            node[_RULES] = tuple(meant)

    def find(self, found: Pieces) -> list[Trigger]:
        """Every trigger that counts, by start; pseudo triggers and what they hide are left out."""
        root, words, starts = self._root, found.words, found.starts
        count = len(words)
        hits: list[Trigger] = []
        for at, word in enumerate(words):
            node = root.get(word)
            here = at
            while node is not None:
                rules = node.get(_RULES)
                if rules is not None:
                    end = starts[here] + len(words[here])
                    hits += [Trigger(starts[at], end, rule) for rule in rules]
                here += 1
                if here == count:
                    break
                node = node.get(words[here])
        return _longest(hits) if len(hits) > 1 else [hit for hit in hits if hit.rule.direction != "pseudo"]


def _longest(hits: list[Trigger]) -> list[Trigger]:
    """Triggers that no longer one of the same axis hides, without the pseudo ones."""
    kept = []
    axes = [frozenset(AXES[meaning] for meaning in hit.rule.meanings) for hit in hits]
    for at, hit in enumerate(hits):
        if hit.rule.direction == "pseudo":
            continue
        hidden = False
        for other_at in range(max(0, at - 40), min(len(hits), at + 40)):
            other = hits[other_at]
            if other.start > hit.end:
                break
            if other.end < hit.end or other.start > hit.start or not axes[at] & axes[other_at]:
                # "is negative for": the forward reading of the later words wins
                turned = (
                    hit.rule.direction == "backward"
                    and other.rule.direction == "forward"
                    and hit.start < other.start < hit.end < other.end
                    and bool(axes[at] & axes[other_at])
                )
                hidden = hidden or turned
            elif other.end - other.start > hit.end - hit.start:
                hidden = True
            if hidden:
                break
        if not hidden:
            kept.append(hit)
    return kept


@cache
def load_triggers() -> Triggers:
    """The phrases of the newest ``rules-context`` pack.

    Raises:
        MissingToolError: absent, altered, or not of this format.
    """
    rules: dict[tuple[str, ...], list[Rule]] = {}
    path = model_folder(PACK) / "triggers.tsv"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        meanings = frozenset(AXES) if fields[1:2] == ["any"] else frozenset("".join(fields[1:2]).split("+"))
        reach = fields[3] if len(fields) > 3 else ""
        if (
            not 3 <= len(fields) <= 4
            or not meanings <= frozenset(AXES)
            or fields[2] not in DIRECTIONS
            or not (reach in REACHES or reach.isdigit())
        ):
            raise MissingToolError(
                f"model {PACK!r}: line {number} of triggers.tsv cannot be read", code="tool.model"
            )
        rule = Rule(meanings, fields[2], reach)
        for phrase in _expanded(fields[0]):
            key = tuple(pieces(lowered(phrase)).words)
            meant = rules.setdefault(key, [])
            if key and rule not in meant:
                meant.append(rule)
    return Triggers({phrase: meant for phrase, meant in rules.items() if phrase})


def _expanded(pattern: str) -> list[str]:
    """``a {b|c}`` as ``a b`` and ``a c``."""
    parts = _BRACES.split(pattern)
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]
