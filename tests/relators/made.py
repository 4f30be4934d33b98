"""Documents with mentions written into the text: ``[10 mg|dose]``."""

import re

from extractor.document import Document, Page, Word
from extractor.records import Assertion, Entity, Maker
from extractor.spans import Span

MAKER = Maker(extractor="made", version="1")
_MENTION = re.compile(r"\[([^|\]]+)\|(!?)(\w+)\]|[^\[]+")


def marked(text):
    """The document without its marks, and its mentions; ``[rash|!disease]`` is a denied one."""
    plain, places = "", []
    for found in _MENTION.finditer(text):
        if found.group(1):
            places.append(
                (len(plain), len(plain) + len(found.group(1)), found.group(3), bool(found.group(2)))
            )
        plain += found.group(1) or found.group()
    words, end = [], 0
    for found in re.finditer(r"\S+", plain):
        words.append(Word(text=found.group(), before=plain[end : found.start()]))
        end = found.end()
    page = Page(page_no=1, words=tuple(words), after=plain[end:] if words else "")
    document = Document.assemble(doc_id="0" * 64, media_type="text/plain", pages=[page])
    return document, tuple(mention(document, *place) for place in places)


def mention(document, start, end, label, negated=None):
    return Entity(
        doc_id=document.doc_id,
        span=Span(start, end),
        label=label,
        maker=MAKER,
        assertion=Assertion(negated=negated or None),
    )


def mentions_of(document, **labels):
    """Mentions by their words: ``mentions_of(document, lab_test=["Sodium"])``; sorted."""
    found = [
        mention(document, hit.start(), hit.end(), label)
        for label, texts in labels.items()
        for text in texts
        for hit in re.finditer(re.escape(text), document.text)
    ]
    return tuple(sorted(found, key=lambda entity: (entity.span.start, -entity.span.end, entity.label)))


def links(relator, document, entities):
    """(label, head's words, tail's words) of what a relator finds."""
    return [
        (one.label, one.head.span.of(document.text), one.tail.span.of(document.text))
        for one in relator.relations(document, entities)
    ]
