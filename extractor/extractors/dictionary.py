"""Drug names and disease terms of the packed vocabularies.

Longest match wins, from left to right. A match never crosses a table cell, a
block, a blank line or a page; it may cross one line break, hyphenated or not,
and is then ``normalised``. Case does not matter and the plural of a last word
matches its singular.

Abbreviations are the exception. A short form that the document defines in
brackets after a known term ("acute kidney injury (AKI)") carries that term's
code everywhere; one that the document defines as something else ("chemistry,
manufacturing and controls (CMC)") is no mention. Any other abbreviation counts
only in capitals, and only where the same concept is also written out somewhere
in the document, except for the few that the pack trusts.

A substance that laboratories measure (flag ``a`` of the pack: glucose, sodium,
creatinine ...) is no drug where the text reads as a result: a number that is
no dose follows, or words such as "serum" or "level" stand beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from extractor.document import Document
from extractor.extractors.matching import Match, ShortForms, concept_of, iter_matches
from extractor.records import Alignment, Entity, Maker
from extractor.spans import Span
from extractor.text.definitions import definitions
from extractor.text.tokens import BORDER, JOINED, LINE, Chunk, iter_chunks
from extractor.vocabulary import Vocabulary, fold, fold_piece, load_pack

VERSION = "1.0"
DEFAULT_PACKS: Mapping[str, str] = {"drug": "vocabulary-drugs", "disease": "vocabulary-diseases"}

_RESULT_BEFORE = frozenset(
    ("serum", "plasma", "blood", "urine", "urinary", "csf", "fasting", "total", "ionized", "ionised", "mean")
) | frozenset(("elevated", "low", "high", "capillary", "bedside", "fingerstick", "hyper", "hypo"))
_RESULT_AFTER = (
    frozenset(("level", "levels", "concentration", "concentrations", "value", "values", "was", "is", "of"))
    | frozenset(
        ("ratio", "nitrogen", "monitor", "monitoring", "meter", "check", "checks", "tolerance", "test")
    )
    | frozenset(("tests", "testing", "control", "saturation", "homeostasis", "metabolism", "uptake"))
    | frozenset(("clearance", "excretion", "abnormalities"))
)
_RESULT_SIGNS = frozenset("=:<>\u2264\u2265")
_DOSE_UNITS = frozenset(["mg", "mcg", "g", "units", "unit", "meq", "ml", "%", "iu", "l", "liters", "mmol"])


class DictionaryExtractor:
    """Entities ``drug`` and ``disease`` with a code; ``normalised`` is the concept's display name.

    ``packs`` maps labels to packs in ``models/``; ``stop`` are further terms not
    to report; ``abbreviations`` says whether short forms that the document
    defines are followed.
    """

    def __init__(
        self,
        *,
        packs: Mapping[str, str] | None = None,
        stop: Sequence[str] = (),
        abbreviations: bool = True,
    ) -> None:
        chosen = DEFAULT_PACKS if packs is None else packs
        self._labels = tuple(chosen)
        self._vocabularies = tuple(_load(name) for name in chosen.values())
        self._stopped = frozenset(map(fold, stop))
        self._abbreviations = abbreviations
        self.makers = tuple(
            Maker(
                extractor="dictionary",
                version=VERSION,
                model=vocabulary.name,
                model_version=vocabulary.version,
                model_sha256=vocabulary.sha256,
            )
            for vocabulary in self._vocabularies
        )
        self.maker = self.makers[0] if len(self.makers) == 1 else _all_of(self.makers)

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order, without overlap; each is made by the pack it was found in (``makers``)."""
        short_forms = self._short_forms(document)
        found: list[Entity] = []
        doubtful: set[int] = set()
        for chunk in iter_chunks(document):
            folded_at = _Folded(chunk)
            for match in iter_matches(chunk, self._vocabularies, short_forms, self._stopped):
                measured = match.index in self._vocabularies[match.number].measured
                if measured and _reads_as_result(chunk, folded_at, match):
                    continue
                if match.unexplained:
                    doubtful.add(len(found))
                found.append(self._entity(document.doc_id, chunk, match))
        written_out = {entity.code for at, entity in enumerate(found) if at not in doubtful}
        for at, entity in enumerate(found):
            if at not in doubtful or entity.code in written_out:
                yield entity

    def _short_forms(self, document: Document) -> ShortForms:
        short_forms = ShortForms()
        if self._abbreviations:
            for definition in definitions(document):
                concept = concept_of(self._vocabularies, fold(definition.long_form))
                stopped = fold(definition.short_form) in self._stopped
                short_forms.add(definition.short_form, None if stopped else concept)
        return short_forms

    def _entity(self, doc_id: str, chunk: Chunk, match: Match) -> Entity:
        code = self._vocabularies[match.number].code(match.index)
        over_lines = LINE in chunk.gaps[match.first + 1 : match.last]
        alignment: Alignment = "normalised" if over_lines else "exact"
        return Entity(
            doc_id=doc_id,
            span=Span(chunk.starts[match.first], chunk.end(match.last - 1)),
            label=self._labels[match.number],
            maker=self.makers[match.number],
            alignment=alignment,
            normalised=code.display,
            code=code,
        )


def _all_of(makers: Sequence[Maker]) -> Maker:
    """One maker that names and pins several packs, for the record of a run."""
    digests = "".join(str(maker.model_sha256) for maker in makers)
    return Maker(
        extractor="dictionary",
        version=VERSION,
        model="+".join(str(maker.model) for maker in makers) or None,
        model_version="+".join(str(maker.model_version) for maker in makers) or None,
        model_sha256=hashlib.sha256(digests.encode()).hexdigest() if makers else None,
    )


@cache
def _load(name: str) -> Vocabulary:
    return load_pack(name)


class _Folded:
    """The folded pieces of a chunk, empty outside it and across a border."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk

    def before(self, at: int) -> str:
        return fold_piece(self._chunk.words[at - 1]) if at and self._chunk.gaps[at] != BORDER else ""

    def at(self, at: int) -> str:
        inside = at < len(self._chunk.words) and self._chunk.gaps[at] != BORDER
        return fold_piece(self._chunk.words[at]) if inside else ""


def _reads_as_result(chunk: Chunk, folded: _Folded, match: Match) -> bool:
    """Whether a measured substance stands as a laboratory result rather than as a medicine."""
    if folded.before(match.first) in _RESULT_BEFORE:
        return True
    words, last = chunk.words, match.last
    if last < len(words) and chunk.gaps[last] == BORDER:
        return words[last][0].isdigit()  # the next cell holds a number
    following = folded.at(last)
    if following in _RESULT_SIGNS or following in _RESULT_AFTER:
        return True
    if not following[:1].isdigit():
        return False
    if folded.at(last + 1) not in _DOSE_UNITS:
        return True
    return (
        folded.at(last + 2) == "/"
        and chunk.gaps[last + 2] == JOINED
        and folded.at(last + 3) not in {"kg", "m2"}
    )
