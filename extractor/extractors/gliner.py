"""GLiNER models as an extractor: mentions of types named in words (Zaratiana et al. 2024). Extra ``gliner``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from extractor.document import Document
from extractor.errors import ConfigError, MissingToolError
from extractor.extractors.foreign import checked_labels, folder_sha256, stretches
from extractor.ner.hub import hub_folder
from extractor.ner.words import Words, windows_of, words_of
from extractor.records import Entity, Maker
from extractor.spans import Span

VERSION = "1.0"
LONGEST_WORD = 100
"""Of a longer word (a sequence, a hash) the model sees so many characters; a mention of it covers it whole."""

_MODEL_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Passage:
    """What the model reads at once: ``text`` begins at ``offset`` of the document, ``words`` are its words there.

    The passage answers for mentions that begin at words ``keep_first`` to ``keep_last`` (half-open).
    """

    text: str
    offset: int
    words: Words
    keep_first: int
    keep_last: int


@dataclass(frozen=True, slots=True)
class Found:
    """A mention in code points of the document."""

    start: int
    end: int
    label: str
    score: float


def passages(offset: int, text: str, *, limit: int, overlap: int) -> Iterator[Passage]:
    """A stretch of a document in windows of at most ``limit`` words, cut where sentences begin.

    A sentence beyond the limit is read in windows that share ``overlap`` words.
    """
    words = words_of(text)
    lengths = [len(_MODEL_WORD.findall(word)) for word in words.texts]
    for window in windows_of(words, lengths, limit=limit, overlap=overlap):
        begin, end = words.starts[window.first], words.ends[window.last - 1]
        shown = list(text[begin:end])
        for place in range(window.first, window.last):
            start, stop = words.starts[place], words.ends[place]
            if stop - start > LONGEST_WORD:
                shown[start + LONGEST_WORD - begin : stop - begin] = " " * (stop - start - LONGEST_WORD)
        inside = slice(window.first, window.last)
        own = Words(
            words.texts[inside],
            tuple(start + offset for start in words.starts[inside]),
            tuple(stop + offset for stop in words.ends[inside]),
            (),
        )
        keep = window.keep_first - window.first, window.keep_last - window.first
        yield Passage("".join(shown), offset + begin, own, *keep)


def placed(passage: Passage, found: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """What a model found in a passage ({start, end, label, score}), on whole words of the document.

    Left out is what begins at a word for which another passage answers, or touches no word.
    """
    words = passage.words
    for mention in found:
        start, end = passage.offset + mention["start"], passage.offset + mention["end"]
        touched = [
            place for place in range(len(words)) if words.starts[place] < end and words.ends[place] > start
        ]
        if touched and passage.keep_first <= touched[0] < passage.keep_last:
            score = min(1.0, max(0.0, float(mention["score"])))
            yield Found(words.starts[touched[0]], words.ends[touched[-1]], mention["label"], score)


def without_overlap(found: Sequence[Found]) -> list[Found]:
    """In order of their places; of two that overlap the likelier one, then the longer, then the first."""
    kept: list[Found] = []
    for mention in sorted(found, key=lambda each: (-each.score, each.start - each.end, each.start)):
        if all(mention.end <= other.start or other.end <= mention.start for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda each: each.start)


class GlinerExtractor:
    """Entities of the types that ``labels`` names: {words that say the type to the model: our type}.

    ``model`` is a folder or a Hugging Face id. Mentions below ``threshold``
    (the model's own score) are dropped. A long text is read in windows of
    ``window_words`` (at most what the model reads), long sentences with
    ``overlap_words`` shared. ``device`` is auto, cpu, cuda, cuda:1 ...

    Raises:
        MissingToolError: the extra ``gliner`` is not installed, or the model is not to be had.
        ConfigError: no labels, or a setting out of its range.
    """

    def __init__(
        self,
        *,
        model: str,
        labels: Mapping[str, str],
        threshold: float = 0.5,
        window_words: int = 128,
        overlap_words: int = 24,
        batch_size: int = 8,
        device: str = "auto",
    ) -> None:
        self._labels = checked_labels(labels, None, "the gliner extractor")
        if not 0.0 < threshold < 1.0 or window_words < 1 or not 0 <= overlap_words < window_words:
            raise ConfigError(
                "the gliner extractor needs 0 < threshold < 1 and 0 <= overlap_words < window_words"
            )
        try:
            import torch
            from gliner import GLiNER
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise MissingToolError(
                "the gliner extractor needs the extra: pip install 'lifescience-extractor[gliner]'"
            ) from error
        disable_progress_bar()  # of the weights; it would cut through a run's own display
        folder = _folder(model)
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            self._model: Any = GLiNER.from_pretrained(str(folder), local_files_only=True, map_location=chosen)
        except (OSError, ValueError) as error:
            raise MissingToolError(f"model {model!r} is no GLiNER model", code="tool.model") from error
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"torch cannot put the model on the device {chosen!r}") from error
        self._model.eval()
        self._limit = min(window_words, int(self._model.config.max_len))
        self._overlap = min(overlap_words, self._limit // 2)
        self._threshold = threshold
        self._batch_size = batch_size
        self.maker = Maker(
            extractor="gliner",
            version=VERSION,
            model=model.rstrip("/").rsplit("/", 1)[-1],
            model_sha256=folder_sha256(folder),
        )

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order of their spans, without overlap; none reaches over a block, cell or page."""
        for offset, text in stretches(document):
            found: list[Found] = []
            given = passages(offset, text, limit=self._limit, overlap=self._overlap)
            while batch := list(islice(given, self._batch_size)):
                answers = self._model.inference(
                    [passage.text for passage in batch],
                    list(self._labels),
                    threshold=self._threshold,
                    batch_size=self._batch_size,
                )
                for passage, answer in zip(batch, answers, strict=True):
                    found.extend(placed(passage, answer))
            for mention in without_overlap(found):
                yield Entity(
                    doc_id=document.doc_id,
                    span=Span(mention.start, mention.end),
                    label=self._labels[mention.label],
                    maker=self.maker,
                    alignment="normalised" if "\n" in document.text[mention.start : mention.end] else "exact",
                    score=mention.score,
                )


def _folder(model: str) -> Path:
    return Path(model) if Path(model).is_dir() else hub_folder(model, also=("*.bin", "*.model"))
