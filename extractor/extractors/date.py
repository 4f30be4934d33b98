"""Dates and times of day as records, letters and notes write them.

``normalised`` is ISO 8601, as exact as the text: ``2024-06-30``, ``2024-03``,
``07:28:15``. It is None for a date that can be read in two ways: a numeric
date such as 03/04/2024 whose first two numbers could both be the month is
found, labelled ``date`` and left unresolved, unless ``day_first`` says how the
sender writes. A two-digit year becomes 20yy up to ``pivot`` and 19yy above.
Days that no calendar has (31-Feb-2024) are not reported as dates.

The same holds for a document that shows its order itself: where every other
numeric date of it can only be read one way, the ambiguous ones follow; this is
a reading, so their alignment is ``normalised`` instead of ``exact``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator

from extractor.document import Document
from extractor.records import Alignment, Entity, Maker
from extractor.spans import Span

VERSION = "1.0"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_BLANK = r"[ \u00a0]"
_GAP = r"(?:[ \u00a0]|[ ]?\n(?![ ]*\n))"
_YEAR = r"(?:19|20|21)\d\d"
_TIME_OF_DAY = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)"

_DATE = re.compile(
    rf"""(?<![\w./-])(?:
      (?P<iso>{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?=T\d|(?![\w-]|\.\d))
    | (?P<ymd>{_YEAR}[/.](?:0?[1-9]|1[0-2])[/.](?:0?[1-9]|[12]\d|3[01]))(?![\w/-])
    | (?P<dmy>(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:{_GAP}?[-/.]{_GAP}?|{_GAP}(?:of{_GAP})?)
        {_MONTH}(?:{_GAP}?[-/.,]{_GAP}?|{_GAP})(?:{_YEAR}|['\u2019]?\d\d(?!\d|:)))(?![\w/-])
    | (?P<mdy>{_MONTH}\.?(?:{_GAP}|-)(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?
        (?:,{_GAP}?|{_GAP}|-){_YEAR})(?![\w/-])
    | (?P<ydm>{_YEAR}[ -]{_MONTH}[ -](?:0?[1-9]|[12]\d|3[01]))(?![\w/-])
    | (?P<numeric>(?:0?[1-9]|[12]\d|3[01])(?P<sign>[/.-])(?:0?[1-9]|[12]\d|3[01])(?P=sign)
        (?:{_YEAR}|\d\d))(?![\w/-]|\.\d)
    | (?P<my>{_MONTH}\.?(?:{_BLANK}|[-/,]|,{_BLANK}){_YEAR})(?![\w/-])
    | (?P<ym>{_YEAR}-(?:0[1-9]|1[0-2]))(?![\w/-]|\.\d)
    | (?P<numeric_my>(?:0[1-9]|1[0-2])/{_YEAR})(?![\w/-])
    | (?P<md>{_MONTH}\.?{_BLANK}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?)(?![\w/:-]|\.\d|,?\s\d)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_TIME = re.compile(
    rf"(?:(?<![\w:.,/-])|(?<=\dT))(?P<clock>{_TIME_OF_DAY})(?P<zone>{_ZONE})?(?:\s?(?P<half>[ap]\.?m\b\.?))?(?![\w:]|[-/]\d)"
    r"|(?<![\w:.,/-])(?P<hour>0?[1-9]|1[0-2])\s?(?P<only_half>[ap]\.?m\b\.?)(?!\w)",
    re.IGNORECASE,
)


class DateExtractor:
    """Entities ``date`` and ``time``.

    ``day_first`` reads 03/04/2024 as the third of April (True), the fourth of
    March (False), or leaves it to the document (None).
    """

    def __init__(self, *, day_first: bool | None = None, pivot: int = 68) -> None:
        self._day_first = day_first
        self._pivot = pivot
        self.maker = Maker(extractor="date", version=VERSION)

    def entities(self, document: Document) -> Iterator[Entity]:
        """Dates and times in order of their spans."""
        text = document.text
        shown = self._day_first if self._day_first is not None else _shown_order(text)
        found = [*self._dates(document.doc_id, text, shown), *self._times(document.doc_id, text)]
        yield from sorted(found, key=lambda entity: entity.span)

    def _dates(self, doc_id: str, text: str, day_first: bool | None) -> Iterator[Entity]:
        for found in _DATE.finditer(text):
            kind = found.lastgroup if found.lastgroup != "sign" else "numeric"
            written = found.group()
            alignment: Alignment = "normalised" if "\n" in written else "exact"
            if kind == "numeric":
                reading = _read_numeric(written)
                if reading is None:
                    continue
                month_first, day_then, can_differ = reading
                if not can_differ:
                    normalised = self._iso(*month_first) or self._iso(*day_then)
                    if normalised is None:
                        continue
                elif day_first is None:
                    normalised = None
                else:
                    normalised = self._iso(*(day_then if day_first else month_first))
                    if self._day_first is None:
                        alignment = "normalised"
            else:
                normalised = self._named(str(kind), written)
                if normalised is None:
                    continue
            yield self._entity(doc_id, found.span(), "date", normalised, alignment)

    def _named(self, kind: str, written: str) -> str | None:
        """The ISO form of a date whose order is known; None for a day that does not exist."""
        numbers = [int(number) for number in re.findall(r"\d+", written)]
        month = re.search(r"[a-z]{3}", re.sub(r"(?<=\d)(st|nd|rd|th)", "", written.lower()).replace("of", ""))
        number = _MONTHS.index(month.group()) + 1 if month is not None else 0
        if kind in {"iso", "ymd"}:
            return self._iso(numbers[0], numbers[1], numbers[2])
        if kind == "ym":
            return f"{numbers[0]:04d}-{numbers[1]:02d}"
        if kind == "numeric_my":
            return f"{numbers[1]:04d}-{numbers[0]:02d}"
        if kind == "my":
            return f"{numbers[0]:04d}-{number:02d}"
        if kind == "md":
            return f"--{number:02d}-{numbers[0]:02d}"
        if kind == "dmy":
            return self._iso(numbers[1], number, numbers[0])
        if kind == "mdy":
            return self._iso(numbers[1], number, numbers[0])
        return self._iso(numbers[0], number, numbers[1])

    def _iso(self, year: int, month: int, day: int) -> str | None:
        if year < 100:
            year += 2000 if year <= self._pivot else 1900
        if not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
            return None
        return f"{year:04d}-{month:02d}-{day:02d}"

    def _times(self, doc_id: str, text: str) -> Iterator[Entity]:
        for found in _TIME.finditer(text):
            clock = found.group("clock") or f"{found.group('hour')}:00"
            half = (found.group("half") or found.group("only_half") or "").lower()[:1]
            hour, _, rest = clock.partition(":")
            number = int(hour)
            if half:
                if not 1 <= number <= 12:
                    continue
                number = number % 12 + (12 if half == "p" else 0)
            normalised = f"{number:02d}:{rest}{found.group('zone') or ''}"
            yield self._entity(doc_id, found.span(), "time", normalised, "exact")

    def _entity(
        self, doc_id: str, place: tuple[int, int], label: str, normalised: str | None, alignment: Alignment
    ) -> Entity:
        return Entity(
            doc_id=doc_id,
            span=Span(*place),
            label=label,
            maker=self.maker,
            alignment=alignment,
            normalised=normalised,
        )


def _read_numeric(written: str) -> tuple[tuple[int, int, int], tuple[int, int, int], bool] | None:
    """(year, month, day) with the month first, with the day first, and whether both exist and differ."""
    first, second, year = (int(number) for number in re.findall(r"\d+", written))
    if first > 12 and second > 12:
        return None
    both = first <= 12 and second <= 12 and first != second
    return (year, first, second), (year, second, first), both


def _shown_order(text: str) -> bool | None:
    """Whether the numeric dates that can be read one way only all have the day first, or none."""
    orders = set()
    for found in _DATE.finditer(text):
        if found.group("numeric"):
            reading = _read_numeric(found.group())
            if reading is not None and not reading[2]:
                first, second = reading[0][1], reading[0][2]
                if first != second:
                    orders.add(first > 12)
    return orders.pop() if len(orders) == 1 else None
