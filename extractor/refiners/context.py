"""What one sentence says about the mentions in it: the scope rules of ConText.

A trigger speaks about a mention on its side where no phrase that ends its scope
stands between them and the mention is within its reach. Lists need no special
case going forward ("no A, B or C"); going backward they do ("A and B were not
seen", but not "A, while B was not seen").
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from extractor.refiners.triggers import Pieces, Trigger, Triggers, lowered, pieces

_NEAR_WORDS = 6
_SIGN = re.compile(r"\s*(?:[:=?]\s*|\s[-\u2013\u2014]\s*|[\u2013\u2014]\s*)$")
_BLANK = re.compile(r"\s*$")
_HYPHEN = re.compile(r"\s?-?\s?$")
_ENDS = re.compile(r"\s*(?:$|[.,;)\]/|]|and\b|but\b)")
_LAST_OF_LIST = re.compile(r"^,?\s*(?:and|or|nor|&)\b")
_SIGNS_BEFORE = re.compile(r"(?:^|[,;:]|\band)\s*$")
_NEEDS_A_SIGN = frozenset({"no", "nil", "none", "not seen", "not present"})


@dataclass(slots=True)
class Said:
    """What triggers said about one mention; ``current`` is set where the text says so itself."""

    meanings: set[str] = field(default_factory=set)
    time_distance: int = 1 << 30


class Sentence:
    """One sentence with its triggers; offsets count from its start."""

    def __init__(self, text: str, triggers: Triggers) -> None:
        self._text = lowered(text)
        self._pieces: Pieces = pieces(self._text)
        found = triggers.find(self._pieces)
        self._stops = [trigger for trigger in found if trigger.rule.direction == "stop"]
        self._forward = [trigger for trigger in found if trigger.rule.direction == "forward"]
        self._backward = [trigger for trigger in found if trigger.rule.direction == "backward"]

    def about(self, start: int, end: int) -> Said:
        """What is said about the mention at ``start`` to ``end``; triggers inside it do not count."""
        # "no acute distress" is one trigger and its end the start of the mention "acute distress"
        said = Said()
        for trigger in self._forward:
            if trigger.start >= start:
                break
            if trigger.end < end and self._reaches_on(trigger, start):
                self._add(said, trigger, max(0, start - trigger.end), trigger.end, start)
        for trigger in self._backward:
            if trigger.start >= end and self._reaches_back(trigger, end):
                self._add(said, trigger, trigger.start - end, end, trigger.start)
        self._signs(said, start, end)
        return said

    def _add(self, said: Said, trigger: Trigger, distance: int, low: int, high: int) -> None:
        for meaning in trigger.rule.meanings:
            if self._stopped(meaning, low, high):
                continue
            if meaning in {"historical", "future", "current"}:
                if distance >= said.time_distance:
                    continue
                said.meanings -= {"historical", "future", "current"}
                said.time_distance = distance
            said.meanings.add(meaning)

    def _stopped(self, meaning: str, low: int, high: int) -> bool:
        return any(
            stop.start >= low and stop.end <= high and meaning in stop.rule.meanings for stop in self._stops
        )

    def _reaches_on(self, trigger: Trigger, start: int) -> bool:
        reach, words = trigger.rule.reach, trigger.rule.words
        if reach == "adjacent":
            return bool(_HYPHEN.match(self._text, trigger.end, start))
        return trigger.end > start or words is None or self._words_between(trigger.end, start) <= words

    def _reaches_back(self, trigger: Trigger, end: int) -> bool:
        reach, words = trigger.rule.reach, trigger.rule.words
        between = self._text[end : trigger.start]
        if reach == "adjacent":
            return bool(_HYPHEN.fullmatch(between))
        if reach == "answer":
            return self._answers(trigger, between)
        count = self._words_between(end, trigger.start)
        if reach == "near":
            return count <= _NEAR_WORDS and not re.search(r",|\band\b|\bwith\b", between)
        if words is not None and count > words:
            return False
        last = between.rfind(",")
        return last < 0 or bool(_LAST_OF_LIST.match(between[last:]))

    def _answers(self, trigger: Trigger, between: str) -> bool:
        """Whether the trigger is all that is said after the mention: "fever: none", "HIV negative"."""
        if not _ENDS.match(self._text, trigger.end):
            return False
        if self._text[trigger.start] in "([":
            return False  # signs are read by _signs
        if _SIGN.fullmatch(between):
            return True
        phrase = self._text[trigger.start : trigger.end]
        return phrase not in _NEEDS_A_SIGN and bool(_BLANK.fullmatch(between))

    def _signs(self, said: Said, start: int, end: int) -> None:
        """(-) and (+) after a mention, or before it where they open the statement."""
        after = re.compile(r"\s?[(\[]\s?([-\u2212\u2013+])\s?[)\]]").match(self._text, end)
        before = re.compile(r"[(\[]([-\u2212\u2013+])[)\]]\s?$").search(self._text, max(0, start - 6), start)
        if before is not None and _SIGNS_BEFORE.search(self._text, 0, before.start()):
            sign = before[1]
        elif after is not None:
            sign = after[1]
        else:
            return
        if sign != "+":
            said.meanings.add("negated")

    def _words_between(self, low: int, high: int) -> int:
        first = bisect_left(self._pieces.starts, low)
        last = bisect_left(self._pieces.starts, high)
        return sum(1 for word in self._pieces.words[first:last] if word[0].isalnum())
