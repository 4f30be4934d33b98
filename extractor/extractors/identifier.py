"""Numbers and names that point at a person, a batch, a document or an account.

Precision first: apart from e-mail addresses, web addresses and numbers with a
fixed shape, a value is taken only beside the word that says what it is
("Lot No.: 24A0113", "MRN 0045519"). The span is the value without that word.
``normalised`` is the value without blanks, and for ``identifier`` and
``document_no`` the kind before a colon: ``mrn:0045519``, ``nda:210649``.

Labels: ``email``, ``phone``, ``url``, ``lot_no`` (lots and batches),
``document_no`` (procedures, protocols, forms, applications to authorities),
``identifier`` (patient, account, accession, insurance and licence numbers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from extractor.document import Document
from extractor.records import Entity, Maker
from extractor.spans import Span

VERSION = "1.1"

_SEP = (
    r"(?:[ ]?(?i:No|Nos|Number|Num|Nr|ID|Code|n\u00b0)\b\.?|[ ]?\#)?[*_]{0,3}[ ]?"
    r"(?:[:=#][*_]{0,3}[ ]{0,8}|\t|[ ])"
)
"""Between the word and its value, with the emphasis that Markdown may set around the word."""
_VALUE = r"(?=[A-Z0-9/_.-]*\d)[A-Z0-9](?:[A-Z0-9/_.-]{0,28}[A-Z0-9])?"
_DIGITS = r"\d(?:[\d-]{2,18}\d)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A pattern whose group ``value`` is the mention."""

    label: str
    kind: str | None
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = bool


def _beside(words: str, value: str = _VALUE) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z])(?i:{words}){_SEP}(?P<value>{value})(?![\w-]*\w)", re.ASCII)


def _plausible_code(value: str) -> bool:
    """Whether a value looks like a number that somebody assigned: a digit, and more than a list number."""
    digits = sum(letter.isdigit() for letter in value)
    return digits >= 2 and len(value) >= 4 and not re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", value)


def _plausible_phone(value: str) -> bool:
    digits = re.sub(r"\D", "", value)
    return 7 <= len(digits) <= 15 and len(set(digits)) > 2


def _plausible_ssn(value: str) -> bool:
    area, group, serial = value.replace(" ", "-").split("-")
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


_APPLICATION = r"\d{5,6}(?:/[A-Z]?-?\d{1,4})?"

_RULES = (
    _Rule(
        label="email",
        kind=None,
        pattern=re.compile(
            r"(?<![\w.+%-])(?P<value>[\w.+%-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
            r"[A-Za-z]{2,24})(?![\w@])"
        ),
    ),
    _Rule(
        label="url",
        kind=None,
        pattern=re.compile(
            r"(?<![\w@/.])(?P<value>(?:https?|ftp)://[^\s<>\"'\u201c\u201d\u2019|\\^`{}()\[\]]*[\w/#=&-]"
            r"|www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[^\s<>\"')\],;]*[\w/])?)",
            re.IGNORECASE,
        ),
    ),
    _Rule(
        label="phone",
        kind=None,
        check=_plausible_phone,
        pattern=re.compile(
            r"(?<![\w.+/-])(?P<value>(?:\+?1[ .-]?)?(?:\(\d{3}\)[ ]?|\d{3}[.-])\d{3}[ .-]\d{4}"
            r"(?:[ ]?(?:x|ext\.?)[ ]?\d{1,5})?)(?![\w-]|\.\d)",
        ),
    ),
    _Rule(
        label="phone",
        kind=None,
        check=_plausible_phone,
        pattern=re.compile(r"(?<![\w+])(?P<value>\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,5})(?![\w-])"),
    ),
    _Rule(
        label="phone",
        kind=None,
        check=_plausible_phone,
        pattern=re.compile(
            r"(?<![A-Za-z])(?i:phone|telephone|tel|fax|mobile|cell|pager|call)\b\.?"
            r"(?:[ ](?:No\.?|number|at))?[ ]?:?[ ]?"
            r"(?P<value>\(?\d{2,5}\)?(?:[ .-]?\d{2,5}){1,4})(?![\w-])"
        ),
    ),
    _Rule(
        label="identifier",
        kind="ssn",
        check=_plausible_ssn,
        pattern=re.compile(r"(?<![\w-])(?P<value>\d{3}-\d{2}-\d{4})(?![\w-])"),
    ),
    _Rule(
        label="identifier",
        kind="ssn",
        pattern=_beside(r"SSN|social[ ]security", r"\d{3}[- ]?\d{2}[- ]?\d{4}|[X*]{3}-[X*]{2}-\d{4}"),
    ),
    _Rule(
        label="identifier",
        kind="mrn",
        check=_plausible_code,
        pattern=_beside(
            r"MRN|MR|medical[ ]record|patient(?:[ ]?role)?[ ](?:ID|identifier|no|number)|hospital"
            r"[ ](?:ID|no|number)|chart|unit(?=[ ](?:no|number))"
        ),
    ),
    _Rule(
        label="identifier",
        kind="subject",
        check=_plausible_code,
        pattern=_beside(
            r"(?:subject|participant|screening|randomi[sz]ation)(?=[ ](?:ID|no|number|code|#)|[ ]?\#)"
        ),
    ),
    _Rule(
        label="identifier",
        kind="account",
        check=_plausible_code,
        pattern=_beside(r"account|acct|invoice|policy|member|group|claim|subscriber", _DIGITS),
    ),
    _Rule(
        label="identifier",
        kind="accession",
        check=_plausible_code,
        pattern=_beside(r"accession|specimen(?=[ ](?:ID|no|number))|encounter|visit(?=[ ](?:ID|no|number))"),
    ),
    _Rule(
        label="identifier",
        kind=None,
        pattern=_beside(r"(?P<kind>NPI|DEA|FEI)", r"[A-Z]{0,2}\d{7,10}"),
    ),
    _Rule(
        label="lot_no",
        kind=None,
        check=_plausible_code,
        pattern=_beside(
            r"(?:lot|batch|B/?N|L/?N)(?:[ ](?:or|and|/)[ ]?(?:lot|batch))?"
            r"(?=[ ]?(?:no|nos|number|num|nr|id|code|#|:|n\u00b0)|[ ]|\t)"
        ),
    ),
    _Rule(
        label="document_no",
        kind="application",
        pattern=re.compile(
            rf"(?<![A-Za-z])(?P<kind>s?NDA|ANDA|s?BLA|IND|DMF|PMA|MAA|IDE)(?:[ ](?:No\.?|Number))?"
            rf"[ ]?[#:]?[ ]?(?P<value>{_APPLICATION}|\d{{3}}[ -]\d{{3}})(?![\w-]*\w)"
        ),
    ),
    _Rule(
        label="document_no",
        kind="procedure",
        pattern=re.compile(
            r"(?<![\w-])(?P<value>"
            r"(?:(?:SOP|WI|FRM|FORM|STP|SPEC|PRO|POL|VAL|DEV|CAPA|OOS|OOT|NCR|MBR|EBR|BMR|BPR|RPT|DOC)"
            r"(?:[-_/][A-Z]{1,6}){0,3}|(?:QA|QC|TM)(?:[-_/][A-Z]{2,6}){1,3})"
            r"[-_/]\d[\dA-Z]*(?:[-_./]\d+|[-_/][A-Z0-9]{1,6}){0,3})(?![\w-]*\w)"
        ),
    ),
    _Rule(
        label="document_no",
        kind="document",
        check=_plausible_code,
        pattern=_beside(
            r"(?:document|protocol|form|SOP|report|study|record|procedure|specification|deviation|CAPA|change[ ]control"
            r"|reference|submission|certificate)(?=[ ](?:no|number|id|code|#)\b|[ ]?\#|[ ]no\.)"
        ),
    ),
    _Rule(
        label="document_no",
        kind="trial",
        pattern=re.compile(
            r"(?<![\w-])(?P<value>NCT\d{8}|EudraCT[ ]?\d{4}-\d{6}-\d\d|\d{4}-\d{6}-\d{2}-\d{2})(?![\w-])"
        ),
    ),
)


class IdentifierExtractor:
    """Entities ``email``, ``phone``, ``url``, ``lot_no``, ``document_no`` and ``identifier``."""

    def __init__(self) -> None:
        self.maker = Maker(extractor="identifier", version=VERSION)

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order; of overlapping ones the rule that stands first in the file wins."""
        taken: list[Entity] = []
        for rule in _RULES:
            for found in rule.pattern.finditer(document.text):
                value = found.group("value")
                span = Span(*found.span("value"))
                if rule.check(value):
                    taken.append(self._entity(document.doc_id, span, rule, found))
        reached = -1
        ranked = sorted(enumerate(taken), key=lambda pair: (pair[1].span.start, pair[0], -pair[1].span.end))
        for _, entity in ranked:
            if entity.span.start >= reached:
                yield entity
                reached = entity.span.end

    def _entity(self, doc_id: str, span: Span, rule: _Rule, found: re.Match[str]) -> Entity:
        value = re.sub(r"\s+", "", found.group("value"))
        kind = found.groupdict().get("kind") or rule.kind
        return Entity(
            doc_id=doc_id,
            span=span,
            label=rule.label,
            maker=self.maker,
            normalised=value if kind is None else f"{kind.lower()}:{value}",
        )
