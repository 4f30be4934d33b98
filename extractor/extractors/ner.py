"""The trained recogniser: clinical, pharmacological and biological mentions with calibrated probabilities.

What it knows, how it was trained and how good it is stands in the model's card
(``models/ner-biomedical/<version>/card.md``). Mentions never reach over a cell,
a block or a page. ``score`` is the model's own number, ``probability`` the
calibrated one, None for models that carry no calibration.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence

from extractor.document import Document
from extractor.ner.model import load_model
from extractor.ner.recogniser import Text
from extractor.ner.words import words_of
from extractor.records import Entity
from extractor.spans import Span
from extractor.text.tokens import borders_of, iter_chunks

VERSION = "1.0"
DEFAULT_MODEL = "ner-biomedical"


class NerExtractor:
    """Entities of the types of ``extractor.ner.labels.TYPES``, or of a foreign model's mapped ones.

    ``model`` is a folder of ``models/``, any folder or, with ``backend: torch``,
    a Hugging Face id; ``labels`` maps a foreign model's labels to our types.
    ``backend`` is ``onnx`` (CPU, no torch) or ``torch`` (``device`` auto, cpu,
    cuda, cuda:1 ...; ``precision`` fp16, bf16, fp32). ``types`` restricts what is
    reported; ``min_probability`` drops doubtful mentions (of a model without calibration: by score).
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        backend: str = "onnx",
        device: str = "auto",
        precision: str | None = None,
        threads: int = 1,
        batch_pieces: int = 2048,
        labels: Mapping[str, str] | None = None,
        types: Collection[str] | None = None,
        min_probability: float = 0.0,
    ) -> None:
        loaded = load_model(
            model,
            extractor="ner",
            version=VERSION,
            backend=backend,
            device=device,
            precision=precision,
            threads=threads,
            batch_pieces=batch_pieces,
            labels=labels,
        )
        self.maker = loaded.maker
        self._recogniser = loaded.recogniser
        self._calibration = loaded.calibration
        self._types = None if types is None else frozenset(types)
        self._least = min_probability

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order of their spans, without overlap."""
        for entities in self.entities_of([document]):
            yield from entities

    def entities_of(self, documents: Sequence[Document]) -> Iterator[list[Entity]]:
        """The mentions of each document; windows of all of them are read together, sorted by length."""
        waiting: list[Entity] = []
        current = 0
        places: list[int] = []

        def texts() -> Iterator[Text]:
            for number, document in enumerate(documents):
                for text in _texts(document):
                    places.append(number)
                    yield text

        for taken, mentions in enumerate(self._recogniser.mentions(texts())):
            while current < places[taken]:
                yield waiting
                waiting, current = [], current + 1
            document = documents[current]
            for mention in mentions:
                entity = self._entity(document, mention.start, mention.end, mention.kind, mention.score)
                if entity is not None:
                    waiting.append(entity)
        while current < len(documents):
            yield waiting
            waiting, current = [], current + 1

    def _entity(self, document: Document, start: int, end: int, kind: str, score: float) -> Entity | None:
        if self._types is not None and kind not in self._types:
            return None
        calibration = self._calibration.get(kind)
        probability = calibration.probability(score) if calibration else None
        if (score if probability is None else probability) < self._least:
            return None
        return Entity(
            doc_id=document.doc_id,
            span=Span(start, end),
            label=kind,
            maker=self.maker,
            alignment="normalised" if "\n" in document.text[start:end] else "exact",
            score=score,
            probability=probability,
        )


def _texts(document: Document) -> Iterator[Text]:
    """The document's words chunk by chunk; what must not be crossed are cells, blocks and pages."""
    borders = sorted(borders_of(document))
    for chunk in iter_chunks(document):
        end = chunk.start + len(chunk.text)
        inside = borders[bisect_left(borders, chunk.start) : bisect_left(borders, end)]
        words = words_of(chunk.text, [border - chunk.start for border in inside], offset=chunk.start)
        seams = sorted({bisect_left(words.starts, border) for border in inside} - {0, len(words)})
        yield Text(words=words, seams=tuple(seams))
