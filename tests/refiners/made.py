"""Mentions made for the refiner tests."""

from __future__ import annotations

from extractor.records import Entity, Maker
from extractor.spans import Span

MAKER = Maker(extractor="made", version="1")


def mention(doc, quote, label="disease", *, nth=0, **more):
    """The nth place of ``quote`` in the document, as a mention."""
    at = -1
    for _ in range(nth + 1):
        at = doc.text.index(quote, at + 1)
    return Entity(doc_id=doc.doc_id, span=Span(at, at + len(quote)), label=label, maker=MAKER, **more)
