"""What the adapters of foreign pipelines share: the stretches they may read, and the digest that pins a model."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from extractor.document import Document
from extractor.errors import ConfigError
from extractor.resources import file_sha256
from extractor.text.tokens import borders_of, iter_chunks


def stretches(document: Document) -> Iterator[tuple[int, str]]:
    """(offset, text) of each stretch of a document that lies within one block, cell and page; blank ones are left out.

    A stretch has at most about ``extractor.text.tokens.CHUNK_CHARACTERS`` characters.
    """
    borders = sorted(borders_of(document))
    for chunk in iter_chunks(document):
        end = chunk.start + len(chunk.text)
        inside = borders[bisect_left(borders, chunk.start + 1) : bisect_left(borders, end)]
        for first, last in pairwise((chunk.start, *inside, end)):
            text = document.text[first:last]
            if text and not text.isspace():
                yield first, text


def folder_sha256(folder: Path) -> str:
    """One digest over the names and contents of all files below a model's folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            whole.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return whole.hexdigest()


def checked_labels(labels: Mapping[str, str], known: frozenset[str] | None, what: str) -> dict[str, str]:
    """The map {its label: our type}.

    Raises:
        ConfigError: it is empty, or names a label that the model has not (``known`` None: it has any).
    """
    if not labels:
        raise ConfigError(f"{what} needs labels, {{its label: our type}}")
    if known is not None and (strange := sorted(set(labels) - known)):
        raise ConfigError(f"{what} has no label {strange[0]!r}; it has {', '.join(sorted(known))}")
    return dict(labels)
