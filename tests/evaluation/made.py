"""Gold documents and adapters made for the tests of the yardstick."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from extractor.gold import GoldDocument, GoldEntity, GoldRelation
from extractor.records import Assertion, Code, Entity, Maker, Relation
from extractor.spans import Span

MAKER = Maker(extractor="made", version="1")


def gold(text, *mentions, id="doc", relations=()):  # noqa: A002  # the name of the field
    """A gold document; each mention is (quote, type) or (quote, type, fields), at the quote's first place."""
    entities = []
    for quote, kind, *rest in mentions:
        start = text.index(quote)
        entities.append(
            GoldEntity(span=Span(start, start + len(quote)), type=kind, **(rest[0] if rest else {}))
        )
    links = tuple(GoldRelation(type=kind, arg1=one, arg2=two) for kind, one, two in relations)
    return GoldDocument(id=id, text=text, entities=tuple(entities), relations=links)


@dataclass
class Words:
    """Finds every word of a list wherever it stands: {word: (label, code or None, probability or None)}."""

    words: dict
    maker: Maker = MAKER
    seen: list = field(default_factory=list)

    def entities(self, document):
        self.seen.append(document.text)
        for word, (label, code, probability) in self.words.items():
            for found in re.finditer(re.escape(word), document.text):
                yield Entity(
                    doc_id=document.doc_id,
                    span=Span(found.start(), found.end()),
                    label=label,
                    maker=self.maker,
                    code=None if code is None else mesh(code),
                    probability=probability,
                )


class BatchedWords(Words):
    """The same, over many documents at once; refuses to be asked one by one."""

    def entities_of(self, documents):
        for document in documents:
            yield list(super().entities(document))

    def entities(self, document):
        raise AssertionError("the batch method is there to be used")


@dataclass
class Knows:
    """A refiner that gives known words a code and an assertion."""

    codes: dict = field(default_factory=dict)
    negated: tuple = ()
    historical: tuple = ()
    maker: Maker = MAKER

    def refine(self, document, entities):
        for entity in entities:
            quote = entity.span.of(document.text)
            code = mesh(self.codes[quote]) if quote in self.codes else entity.code
            assertion = Assertion(
                negated=quote in self.negated,
                temporality="historical" if quote in self.historical else "current",
                experiencer="patient",
            )
            yield replace(entity, code=code, assertion=assertion)


@dataclass
class LinksAll:
    """A relator that links every head to every tail."""

    label: str
    head: str
    tail: str
    maker: Maker = MAKER

    def relations(self, document, entities):
        for head in entities:
            for tail in entities:
                if (head.label, tail.label) == (self.head, self.tail):
                    yield Relation(
                        doc_id=document.doc_id, head=head, tail=tail, label=self.label, maker=self.maker
                    )


@dataclass
class Adapters:
    extractors: list = field(default_factory=list)
    refiners: list = field(default_factory=list)
    relators: list = field(default_factory=list)


def mesh(code):
    return Code(system="MESH", code=code, display=code, vocabulary_version="made/1")
