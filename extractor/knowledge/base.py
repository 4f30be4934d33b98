"""A loaded knowledge base: exact names, near names, concepts.

Everything is numpy arrays and a few byte strings; no Python object stands for
a name or a concept until it is asked for. Near names are found by the cosine
of character 3-grams weighted by inverse document frequency, as scispacy does
it (Neumann et al. 2019), over an exact inverted index instead of an
approximate one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractor.errors import MissingToolError
from extractor.knowledge.pack import CONCEPTS, LEXICON, LINKS, NAMES, RANKER, Lexicon
from extractor.records import Code
from extractor.resources import manifest, model_folder, model_sha256

_GRAMS = 64_000
"""40 signs: blank, a to z, 0 to 9, one for every other; three of them make a gram."""

_COMMON = 0.05
"""Grams that more than this share of the names have are looked up only where a name has few others."""

_REMEMBERED = 4096
"""So many questions are remembered with their answers, some 10 MB."""

_LINE = 10


@dataclass(frozen=True, slots=True)
class KnownConcept:
    """One concept: codes as ``SYSTEM:code``, the naming source's first; ``groups`` are bits (``terms``)."""

    row: int
    display: str
    groups: int
    codes: tuple[str, ...]
    trees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A name near a looked-up key: its row, the key and the cosine 0..1."""

    row: int
    key: str
    cosine: float


class Lines:
    """Sorted lines of a byte string, looked up by bisection."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        ends = np.flatnonzero(np.frombuffer(blob, dtype=np.uint8) == _LINE).astype(np.int32)
        self.starts = np.concatenate(([0], ends + 1)).astype(np.int32)
        self.ends = np.concatenate((ends, [len(blob)])).astype(np.int32)

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, row: int) -> str:
        return self.blob[self.starts[row] : self.ends[row]].decode()

    def find(self, key: str) -> int | None:
        """The row of a line, None where it is not there."""
        wanted = key.encode("utf-8", "surrogatepass")
        low, high = 0, len(self.starts)
        while low < high:
            middle = (low + high) // 2
            if self.blob[self.starts[middle] : self.ends[middle]] < wanted:
                low = middle + 1
            else:
                high = middle
        if low < len(self.starts) and self.blob[self.starts[low] : self.ends[low]] == wanted:
            return low
        return None


class KnowledgeBase:
    """A pack in memory; see the module. Make it with :func:`load_knowledge` or :meth:`read`."""

    def __init__(self, folder: Path) -> None:
        described = manifest(folder)
        self.name: str = described["name"]
        self.version: str = described["version"]
        self.sha256 = model_sha256(folder)
        try:
            self._read(folder, int(described["links"]))
        except (OSError, EOFError, zlib.error, ValueError, KeyError) as exc:
            raise MissingToolError(f"model {self.name!r} is not a knowledge pack", code="tool.model") from exc

    def _read(self, folder: Path, links: int) -> None:
        self.names = Lines(gzip.decompress((folder / NAMES).read_bytes()))
        self._concepts = Lines(gzip.decompress((folder / CONCEPTS).read_bytes()))
        packed = gzip.decompress((folder / LINKS).read_bytes())
        if len(packed) != 9 * links:
            raise ValueError("the links do not have the length that the manifest gives")
        rows = np.frombuffer(packed, dtype="<i4", count=links)
        self._owners = np.frombuffer(packed, dtype="<i4", count=links, offset=4 * links)
        self._kinds = np.frombuffer(packed, dtype="i1", count=links, offset=8 * links)
        self._first = np.searchsorted(rows, np.arange(len(self.names) + 1)).astype(np.int32)
        self.ranker: Mapping[str, Any] = json.loads((folder / RANKER).read_text(encoding="utf-8"))
        self._lexicon_packed = (folder / LEXICON).read_bytes()

    def __len__(self) -> int:
        return len(self._concepts)

    @property
    def vocabulary_version(self) -> str:
        """What rows carry: name and version of the pack."""
        return f"{self.name}/{self.version}"

    @cached_property
    def lexicon(self) -> Lexicon:
        """What annotated text calls concepts; empty where the pack has none."""
        found: dict[str, dict[str, int]] = {}
        for line in gzip.decompress(self._lexicon_packed).decode().split("\n"):
            if line:
                key, code, count = line.split("\t")
                found.setdefault(key, {})[code] = int(count)
        return found

    def named(self, key: str) -> tuple[tuple[int, int], ...]:
        """(concept row, kind of name) of each concept with exactly this name key."""
        row = self.names.find(key) if key else None
        return () if row is None else self.owners(row)

    def owners(self, row: int) -> tuple[tuple[int, int], ...]:
        """(concept row, kind of name) of each concept that has the name of a row."""
        at = slice(self._first[row], self._first[row + 1])
        return tuple(zip(self._owners[at].tolist(), self._kinds[at].tolist(), strict=True))

    @lru_cache(maxsize=16_384)  # noqa: B019  # one base per process, kept for its life
    def concept(self, row: int) -> KnownConcept:
        """The concept of a row."""
        display, groups, codes, trees = self._concepts.line(row).split("\t")
        return KnownConcept(row, display, int(groups), tuple(codes.split()), tuple(trees.split()))

    def concepts(self) -> Iterator[KnownConcept]:
        """All concepts in the order of their rows."""
        return (self.concept(row) for row in range(len(self)))

    def with_code(self, code: str) -> int | None:
        """The row of the concept that has a code (``SYSTEM:code``)."""
        return self._rows_by_code.get(hash(code))

    @cached_property
    def _rows_by_code(self) -> _Hashed:
        keys: list[int] = []
        rows: list[int] = []
        for row, line in enumerate(self._concepts.blob.decode().split("\n")):
            for code in line.split("\t")[2].split():
                keys.append(hash(code))
                rows.append(row)
        return _Hashed(keys, rows)

    def code(self, row: int, systems: tuple[str, ...] = ()) -> Code:
        """The code of a concept in the first of ``systems`` that it has, else in its naming source's."""
        concept = self.concept(row)
        chosen = concept.codes[0]
        for system in systems:
            own = [code for code in concept.codes if code.startswith(f"{system}:")]
            if own:
                chosen = own[0]
                break
        system, _, code = chosen.partition(":")
        return Code(
            system=system, code=code, display=concept.display, vocabulary_version=self.vocabulary_version
        )

    def near(self, key: str, most: int = 24) -> tuple[Near, ...]:
        """Up to ``most`` names by falling cosine of their 3-grams with ``key``; ties by name."""
        return self._near(key, most)

    @cached_property
    def _near(self) -> Callable[[str, int], tuple[Near, ...]]:
        """The last questions with their answers: documents say the same names again and again."""
        return lru_cache(_REMEMBERED)(self._look_near)

    def _look_near(self, key: str, most: int) -> tuple[Near, ...]:
        index = self._grams
        grams = np.unique(_grams_of(f" {key} ".encode("utf-8", "surrogatepass")))
        if not len(grams) or not key:
            return ()
        weights = index.idf[grams]
        norm = float(np.sqrt((weights**2).sum()))
        counts = index.starts[grams + 1] - index.starts[grams]
        rare = counts <= _COMMON * max(1, len(self.names))
        if rare.sum() >= 4:
            grams, weights = grams[rare], weights[rare]
        parts = [index.rows[index.starts[gram] : index.starts[gram + 1]] for gram in grams.tolist()]
        rows = np.concatenate(parts)
        if not len(rows) or not norm:
            return ()
        sizes = np.array([len(part) for part in parts])
        scores = np.bincount(rows, np.repeat(weights**2, sizes), minlength=len(self.names))
        scores = scores / (index.norms * norm)
        kept = min(most, len(scores))
        best = np.argpartition(scores, len(scores) - kept)[-kept:]
        ranked = sorted((-float(scores[row]), int(row)) for row in best if scores[row] > 0.0)
        return tuple(Near(row, self.names.line(row), min(1.0, -score)) for score, row in ranked)

    @cached_property
    def _grams(self) -> _Grams:
        return _Grams(self.names)

    def warm(self) -> None:
        """Make what is otherwise made at the first question."""
        assert self._grams is not None
        assert self._rows_by_code is not None
        assert self.lexicon is not None


class _Hashed:
    """Hashes to rows in two sorted arrays."""

    def __init__(self, keys: list[int], rows: list[int]) -> None:
        found = np.array(keys, dtype=np.int64)
        order = np.argsort(found, kind="stable")
        self._keys = found[order]
        self._rows = np.array(rows, dtype=np.int32)[order]

    def get(self, key: int) -> int | None:
        at = int(np.searchsorted(self._keys, key))
        return int(self._rows[at]) if at < len(self._keys) and self._keys[at] == key else None


class _Grams:
    """The inverted index: for each gram the rows of the names that have it, its weight, and each name's norm."""

    def __init__(self, names: Lines) -> None:
        blob = b"\n" + names.blob + b"\n"
        grams = _grams_of(blob)
        signs = np.frombuffer(blob, dtype=np.uint8)
        inside = signs[1:-1] != _LINE  # the sign in the middle belongs to a name
        lengths = names.ends - names.starts
        owner = np.repeat(np.arange(len(names), dtype=np.int32), lengths)
        grams = grams[inside]
        order = np.argsort(grams, kind="stable")
        grams, rows = grams[order], owner[order]
        fresh = np.ones(len(grams), dtype=bool)
        fresh[1:] = (grams[1:] != grams[:-1]) | (rows[1:] != rows[:-1])
        grams, self.rows = grams[fresh], rows[fresh]
        counts = np.bincount(grams, minlength=_GRAMS)
        self.starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        self.idf = (np.log((1 + len(names)) / (1 + counts)) + 1).astype(np.float32)
        squares = np.bincount(self.rows, self.idf[grams] ** 2, minlength=len(names))
        self.norms = np.sqrt(np.maximum(squares, 1e-9)).astype(np.float32)


_SIGNS: NDArray[np.uint16] = np.full(256, 39, dtype=np.uint16)
_SIGNS[ord("a") : ord("z") + 1] = np.arange(1, 27)
_SIGNS[ord("0") : ord("9") + 1] = np.arange(27, 37)
_SIGNS[[ord(" "), _LINE]] = 0


def _grams_of(blob: bytes) -> NDArray[np.uint16]:
    """The gram of each three signs that follow one another."""
    signs = _SIGNS[np.frombuffer(blob, dtype=np.uint8)]
    if len(signs) < 3:
        return np.zeros(0, dtype=np.uint16)
    grams: NDArray[np.uint16] = (signs[:-2] * 1600 + signs[1:-1] * 40 + signs[2:]).astype(np.uint16)
    return grams


@lru_cache(maxsize=4)
def load_knowledge(name: str) -> KnowledgeBase:
    """A pack of ``models/`` by ``name`` or ``name/version``, digests checked; kept for the process.

    Raises:
        MissingToolError: absent, altered, or not of this format.
    """
    return KnowledgeBase(model_folder(name))
