"""Any installed spaCy or scispaCy pipeline as an extractor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from extractor.document import Document
from extractor.errors import ConfigError, MissingToolError
from extractor.extractors.foreign import checked_labels, folder_sha256, stretches
from extractor.records import Entity, Maker
from extractor.spans import Span
from extractor.text.tokens import CHUNK_CHARACTERS

VERSION = "1.0"
FRESH_AFTER = 200_000
"""So many new words, and the pipeline is loaded anew: its string store grows with every word for ever."""


class SpacyExtractor:
    """Entities (``doc.ents``) of a pipeline that is installed as a package or lies in a folder.

    ``labels`` maps the pipeline's labels to our types; others are dropped.
    ``exclude`` names components that are not loaded (``[parser, lemmatizer]``:
    quicker). The pipeline reads each block, cell and page by itself, in stretches
    of at most ``CHUNK_CHARACTERS``. It knows one language; what it makes of
    another is its own affair. Pipelines give no scores.

    Raises:
        MissingToolError: the pipeline is not installed, or needs a package that is not.
        ConfigError: it finds no entities, or has no such label.
    """

    def __init__(
        self, *, pipeline: str, labels: Mapping[str, str], exclude: Collection[str] = (), batch_size: int = 32
    ) -> None:
        self._name = pipeline
        self._exclude = list(exclude)
        self._batch_size = batch_size
        self._nlp = self._loaded()
        finding = [
            name for name in self._nlp.pipe_names if "doc.ents" in self._nlp.get_pipe_meta(name).assigns
        ]
        if not finding:
            raise ConfigError(f"the spaCy pipeline {pipeline!r} has no component that finds entities")
        known = frozenset(
            label for name in finding for label in getattr(self._nlp.get_pipe(name), "labels", ())
        )
        self._labels = checked_labels(labels, known or None, f"the spaCy pipeline {pipeline!r}")
        about = self._nlp.meta
        self.maker = Maker(
            extractor="spacy",
            version=VERSION,
            model=f"{about['lang']}_{about['name']}",
            model_version=about["version"],
            model_sha256=folder_sha256(Path(self._nlp.path)),
        )

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order of their spans, without overlap; none reaches over a block, cell or page."""
        if len(self._nlp.vocab.strings) > self._strings + FRESH_AFTER:
            self._nlp = self._loaded()
        given = ((text, offset) for offset, text in stretches(document))
        for doc, offset in self._nlp.pipe(given, as_tuples=True, batch_size=self._batch_size):
            for found in doc.ents:
                kind = self._labels.get(found.label_)
                if kind is None or not found.text.strip():
                    continue
                span = Span(offset + found.start_char, offset + found.end_char)
                yield Entity(
                    doc_id=document.doc_id,
                    span=span,
                    label=kind,
                    maker=self.maker,
                    alignment="normalised" if "\n" in span.of(document.text) else "exact",
                )

    def _loaded(self) -> Any:
        import spacy

        try:
            nlp = spacy.load(self._name, exclude=self._exclude)
        except (OSError, ImportError, ValueError) as error:
            raise MissingToolError(
                f"the spaCy pipeline {self._name!r} is not installed, or a package that it needs is not"
                f" ({type(error).__name__}): pip install the package of that name",
                code="tool.model",
            ) from error
        nlp.max_length = max(nlp.max_length, 2 * CHUNK_CHARACTERS)
        self._strings = len(nlp.vocab.strings)
        return nlp
