"""How a medicine is given: dose, route and frequency, as prescriptions and notes write them.

``dose`` is an amount that is given: "40 mg", "1-2 tabs", "10 units", "5
mg/kg". An amount alone may as well be a weight or a laboratory value, so it is
a dose only where the text says so within the same line: a route or a frequency
follows, a dose form follows ("40 mg tablet"), or a verb of giving goes before.
``route`` and ``frequency`` are reported beside a dose or a drug-like phrase
only, never alone. Frequencies are given in ``normalised`` as a count per time
("2/d", "1/6.h", "as needed"), routes as the usual term ("oral").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from extractor.document import Document
from extractor.extractors.numbers import NUMBER, Mark, document_mark, parse_number
from extractor.extractors.units import PACK, load_units, normalised_quantity
from extractor.records import Entity, Maker, Quantity
from extractor.spans import Span

VERSION = "1.0"

ROUTES = {
    "po": "oral", "p.o.": "oral", "by mouth": "oral", "orally": "oral", "per os": "oral", "oral": "oral",
    "iv": "intravenous", "i.v.": "intravenous", "intravenously": "intravenous", "intravenous": "intravenous",
    "ivpb": "intravenous", "ivp": "intravenous",
    "im": "intramuscular", "i.m.": "intramuscular", "intramuscularly": "intramuscular",
    "intramuscular": "intramuscular",
    "sc": "subcutaneous", "s.c.": "subcutaneous", "sq": "subcutaneous", "subq": "subcutaneous",
    "subcutaneously": "subcutaneous", "subcutaneous": "subcutaneous", "subcut": "subcutaneous",
    "sl": "sublingual", "s.l.": "sublingual", "sublingual": "sublingual", "sublingually": "sublingual",
    "pr": "rectal", "p.r.": "rectal", "rectally": "rectal", "topically": "topical", "topical": "topical",
    "inhaled": "inhalation", "by inhalation": "inhalation", "via nebulizer": "inhalation",
    "intranasal": "nasal", "intranasally": "nasal", "intrathecal": "intrathecal",
    "transdermal": "transdermal", "vaginally": "vaginal", "ophthalmic": "ophthalmic",
}  # fmt: skip
"""Routes as written (lower case) and the term each becomes."""

FREQUENCIES = {
    "daily": "1/d", "once daily": "1/d", "once a day": "1/d", "every day": "1/d", "qd": "1/d", "q.d.": "1/d",
    "q day": "1/d", "qday": "1/d", "o.d.": "1/d", "a day": "1/d", "per day": "1/d", "each day": "1/d",
    "twice daily": "2/d", "twice a day": "2/d", "two times a day": "2/d", "two times daily": "2/d",
    "bid": "2/d", "b.i.d.": "2/d",
    "three times daily": "3/d", "three times a day": "3/d", "tid": "3/d", "t.i.d.": "3/d",
    "four times daily": "4/d", "four times a day": "4/d", "qid": "4/d", "q.i.d.": "4/d",
    "every other day": "1/2.d", "qod": "1/2.d", "q.o.d.": "1/2.d",
    "at bedtime": "1/d at bedtime", "qhs": "1/d at bedtime", "q.h.s.": "1/d at bedtime", "hs": "1/d at bedtime",
    "h.s.": "1/d at bedtime", "nightly": "1/d at bedtime", "every night": "1/d at bedtime",
    "qam": "1/d in the morning", "q.a.m.": "1/d in the morning", "every morning": "1/d in the morning",
    "in the morning": "1/d in the morning", "each morning": "1/d in the morning",
    "qpm": "1/d in the evening", "in the evening": "1/d in the evening", "every evening": "1/d in the evening",
    "weekly": "1/wk", "once weekly": "1/wk", "once a week": "1/wk", "every week": "1/wk", "qweek": "1/wk",
    "twice weekly": "2/wk", "twice a week": "2/wk", "three times a week": "3/wk", "three times weekly": "3/wk",
    "monthly": "1/mo", "once monthly": "1/mo", "every month": "1/mo",
    "prn": "as needed", "p.r.n.": "as needed", "as needed": "as needed", "ac": "before meals",
    "before meals": "before meals", "with meals": "with meals", "after meals": "after meals",
    "stat": "once", "x1": "once", "once": "once",
}  # fmt: skip
"""Frequencies as written (lower case) and what each becomes."""

_TIMED = (
    r"(?:q|every)\.?\s?(?P<low>\d{1,2})(?:\s?(?:-|to)\s?(?P<high>\d{1,2}))?"
    r"\s?(?P<unit>hours?|hrs?|h|days?|d|weeks?|wks?|w)\b\.?"
)
_GIVING = re.compile(
    r"\b(?:take|takes|taking|took|give|gives|given|received|receiving|administered|inject(?:ed)?|started(?:\son)?"
    r"|on|continue|continued|dose\s(?:of|was|is)|doses?\sof|dosage\sof|bolus\s(?:of|was)|increased\sto|decreased\sto)\s(?:\w+\s){0,3}$",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"\s?(?:[-,]\s?)?(?:tab(?:let)?s?|cap(?:sule)?s?|vials?|suppositor(?:y|ies)|patch(?:es)?|inj(?:ection)?|infusion|bolus)\b",
    re.IGNORECASE,
)
_UNITS_OF_DOSE = re.compile(
    r"(?:mg|mcg|\u00b5g|\u03bcg|ug|g|gm|gram|grams|milligrams?|micrograms?|mL|ml|cc|units?|U|IU|mEq|meq|mmol|ng"
    r"|tab(?:let)?s?|cap(?:sule)?s?|puffs?|drops?|gtts?|patch(?:es)?|sprays?|amp(?:o)?ules?|teaspoons?|tsp|tablespoons?|tbsp)"
    r"(?:/(?:kg|m2|m\u00b2|h|hr|hour|min|day|d|dose|kg/(?:h|hr|min|day|d|dose)))?(?![\w/])"
)


class DoseExtractor:
    """Entities ``dose`` (with a quantity), ``route`` and ``frequency``."""

    def __init__(self) -> None:
        self._units = load_units()
        alternatives = _UNITS_OF_DOSE.pattern
        self._dose = re.compile(
            rf"(?<![\w.,/-])(?P<low>{NUMBER}|one|two|three|half|1/2)(?:\s?(?:-|to)\s?(?P<high>{NUMBER}|two|three))?"
            rf"(?:[ \u00a0-]|\n)?(?P<unit>{alternatives})"
        )
        self._after = re.compile(
            r"(?P<gap>[ ,;]{0,3}|\n|\s\(|[ ]?x[ ]?\d+[ ]?\w*[ ]?"
            r"|\s(?:tab(?:let)?s?|cap(?:sule)?s?|vials?|injection|solution)\s)(?<!\w)"
            rf"(?:(?P<route>{_words(ROUTES)})|(?P<frequency>{_words(FREQUENCIES)}|{_TIMED}))(?!\w)",
            re.IGNORECASE,
        )
        self.maker = Maker(
            extractor="dose",
            version=VERSION,
            model=PACK,
            model_version=self._units.version,
            model_sha256=self._units.sha256,
        )

    def entities(self, document: Document) -> Iterator[Entity]:
        """Doses in order, each followed by the routes and frequencies written after it."""
        text, mark = document.text, document_mark(document.text)
        reached = 0
        for found in self._dose.finditer(text):
            if found.start() < reached:
                continue
            details = list(self._details(text, found.end()))
            line = text[max(0, found.start() - 60) : found.start()]
            line = re.split(r"[\n\t\f]", line)[-1]
            if not details and not _FORM.match(text, found.end()) and not _GIVING.search(line):
                continue
            if re.match(r"\s?/\s?d[Ll]|/m[Ll]", text[found.end() : found.end() + 4]):
                continue
            quantity = self._quantity(found, mark)
            yield self._entity(document.doc_id, found.span(), "dose", normalised_quantity(quantity), quantity)
            for label, place, normalised in details:
                yield self._entity(document.doc_id, place, label, normalised, None)
                reached = place[1]

    def _details(self, text: str, at: int) -> Iterator[tuple[str, tuple[int, int], str | None]]:
        """(label, place, normalised) of the routes and frequencies that follow one another from ``at``."""
        while (found := self._after.match(text, at)) is not None:
            label = "route" if found.group("route") else "frequency"
            written = " ".join(found.group(label).lower().split())
            if label == "route":
                normalised: str | None = ROUTES[written]
            else:
                normalised = FREQUENCIES.get(written) or _timed(found)
            yield label, found.span(label), normalised
            at = found.end()

    def _quantity(self, found: re.Match[str], mark: Mark | None) -> Quantity:
        low, high = _amount(found.group("low"), mark), None
        if found.group("high"):
            high = _amount(found.group("high"), mark)
        known = low is not None and (high is not None or not found.group("high"))
        unit = found.group("unit")
        end = found.end("high") if found.group("high") else found.end("low")
        return Quantity(
            value_text=found.string[found.start("low") : end],
            value=low if known else None,
            value_high=high if known else None,
            unit_source=unit,
            unit_ucum=self._units.ucum(unit),
            parse_status="ok" if known else "ambiguous",
        )

    def _entity(
        self,
        doc_id: str,
        place: tuple[int, int],
        label: str,
        normalised: str | None,
        quantity: Quantity | None,
    ) -> Entity:
        return Entity(
            doc_id=doc_id,
            span=Span(*place),
            label=label,
            maker=self.maker,
            normalised=normalised,
            quantity=quantity,
        )


def _words(terms: dict[str, str]) -> str:
    ordered = sorted(terms, key=lambda term: (-len(term), term))
    return "|".join(re.escape(term).replace(r"\ ", r"\s") for term in ordered)


def _timed(found: re.Match[str]) -> str:
    unit = {"h": "h", "d": "d", "w": "wk"}[found.group("unit")[0].lower()]
    ends = [str(int(end)) for end in (found.group("low"), found.group("high")) if end]
    return f"1/{'..'.join(ends)}.{unit}" if ends != ["1"] else f"1/{unit}"


_NUMBER_WORDS = {"one": "1", "two": "2", "three": "3", "half": "0.5", "1/2": "0.5"}


def _amount(text: str, mark: Mark | None) -> Decimal | None:
    return parse_number(_NUMBER_WORDS.get(text, text), mark)
