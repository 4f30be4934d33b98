"""Annotated documents as JSON lines: read, checked against their own text, told apart by file and line.

One record per line: ``{id, text, entities, relations?, meta?, entities_failed?}``. An entity is
``{start, end, type, text}`` with code point offsets into ``text``, and where the set has them
``concept`` (composites joined by ``|`` or ``+``), ``negation``, ``temporality``, ``experiencer``
and ``fragments`` (a mention in pieces). A relation's ``arg1`` and ``arg2`` are places in the list
of entities, an entity's ``tid`` or ``id``, or concepts. ``meta: {unannotated: true}`` says that
nobody looked for mentions in a document.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from extractor.errors import InputError
from extractor.spans import Span

SUFFIXES = (".jsonl", ".jsonl.gz")
_HINT = "Owner of the gold files: correct the named record, or leave it out, and run again."
_NEGATED = {"negated": True, "affirmed": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldEntity:
    """An annotated mention.

    ``concept`` is as the corpus writes it, None where it gives none.
    ``contiguous`` is False for a mention in pieces, whose span covers what
    stands between them. Assertions are None where the corpus says nothing;
    temporality and experiencer are in lower case.
    """

    span: Span
    type: str
    concept: str | None = None
    negated: bool | None = None
    temporality: str | None = None
    experiencer: str | None = None
    contiguous: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldRelation:
    """An annotated link; each argument is a place in the document's entities, or a concept."""

    type: str
    arg1: int | str
    arg2: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedMention:
    """A mention whose place the corpus does not tell."""

    type: str
    text: str
    concept: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldDocument:
    """One annotated text; ``relations_skipped`` are links that do not have two arguments."""

    id: str
    text: str
    entities: tuple[GoldEntity, ...] = ()
    relations: tuple[GoldRelation, ...] = ()
    failed: tuple[FailedMention, ...] = ()
    relations_skipped: int = 0
    annotated: bool = True


def gold_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files among ``paths``, folders replaced by their ``*.jsonl`` and ``*.jsonl.gz``, sorted, each once.

    Raises:
        InputError: a path does not exist, or a folder holds no such file.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES))
            if not inside:
                raise InputError(f"the folder {path.name} holds no *.jsonl or *.jsonl.gz", hint=_HINT)
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            raise InputError(f"there is no gold file {path.name}", code="input.unreadable", hint=_HINT)
    return list(found)


def read_gold(paths: Iterable[str | Path]) -> list[GoldDocument]:
    """Every document of these files and folders.

    Raises:
        InputError: a file cannot be read, or a record does not fit; the message has file and line.
    """
    return [document for path in gold_files(paths) for document in _documents(path)]


def _documents(path: Path) -> Iterator[GoldDocument]:
    number = 0
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _Record(f"{path.name} line {number}", line).document()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path.name} cannot be read after line {number} ({type(error).__name__})",
            code="input.unreadable",
            hint=_HINT,
        ) from None


class _Record:
    """One line, being checked; ``where`` is how messages name it."""

    def __init__(self, where: str, line: bytes) -> None:
        self._where = where
        try:
            found = json.loads(line.decode("utf-8-sig"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
            self._refuse("is no JSON in UTF-8")
        if not isinstance(found, dict):
            self._refuse("is no JSON object")
        self._fields: dict[str, Any] = found
        self._places: dict[str, int] = {}

    def document(self) -> GoldDocument:
        text = self._fields.get("text")
        if not isinstance(text, str) or not isinstance(self._fields.get("id"), str | int):
            self._refuse("lacks id or text")
        if any("\ud800" <= char <= "\udfff" for char in text):
            self._refuse("has a lone surrogate in its text, which no store keeps")
        self._text: str = text
        entities = tuple(self._entity(place, each) for place, each in enumerate(self._list("entities")))
        links = [
            self._relation(place, each, len(entities)) for place, each in enumerate(self._list("relations"))
        ]
        relations = tuple(link for link in links if link is not None)
        meta = self._fields.get("meta")
        return GoldDocument(
            id=str(self._fields["id"]),
            text=text,
            entities=entities,
            relations=relations,
            failed=tuple(self._failed(each) for each in self._list("entities_failed")),
            relations_skipped=len(links) - len(relations),
            annotated=not (isinstance(meta, dict) and meta.get("unannotated") is True),
        )

    def _list(self, key: str) -> Sequence[dict[str, Any]]:
        found = self._fields.get(key) or []
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self._refuse(f"has {key} that are no list of objects")
        return found

    def _entity(self, place: int, fields: dict[str, Any]) -> GoldEntity:
        start, end, kind = fields.get("start"), fields.get("end"), fields.get("type")
        if type(start) is not int or type(end) is not int or not isinstance(kind, str):
            self._refuse(f"entity {place} lacks start, end or type")
        if not 0 <= start < end <= len(self._text):
            self._refuse(f"entity {place} at {start}..{end} lies outside its text")
        if self._text[start:end] != fields.get("text"):
            self._refuse(f"entity {place} at {start}..{end} does not match its text")
        for name in ("tid", "id"):
            if name in fields:
                self._places.setdefault(str(fields[name]), place)
        pieces = fields.get("fragments")
        return GoldEntity(
            span=Span(start, end),
            type=kind,
            concept=self._concept(fields),
            negated=self._negated(place, fields),
            temporality=self._word(place, fields, "temporality"),
            experiencer=self._word(place, fields, "experiencer"),
            contiguous=not (isinstance(pieces, list) and len(pieces) > 1),
        )

    def _concept(self, fields: dict[str, Any]) -> str | None:
        found = fields.get("concept")
        return str(found) if found not in (None, "", "-1", -1, "-") else None

    def _negated(self, place: int, fields: dict[str, Any]) -> bool | None:
        found = fields.get("negation")
        if found is None:
            return None
        if str(found).lower() not in _NEGATED:
            self._refuse(f"entity {place} has a negation that is neither Negated nor Affirmed")
        return _NEGATED[str(found).lower()]

    def _word(self, place: int, fields: dict[str, Any], name: str) -> str | None:
        found = fields.get(name)
        if found is not None and not isinstance(found, str):
            self._refuse(f"entity {place} has a {name} that is no text")
        return found.lower() if found else None

    def _failed(self, fields: dict[str, Any]) -> FailedMention:
        text = fields.get("text_source") or fields.get("text") or ""
        return FailedMention(type=str(fields.get("type", "")), text=str(text), concept=self._concept(fields))

    def _relation(self, place: int, fields: dict[str, Any], count: int) -> GoldRelation | None:
        if not isinstance(fields.get("type"), str):
            self._refuse(f"relation {place} lacks its type")
        if "arg1" not in fields or "arg2" not in fields:
            return None
        ends: list[int | str] = []
        for name in ("arg1", "arg2"):
            end = fields[name]
            if isinstance(end, bool) or not isinstance(end, int | str):
                self._refuse(f"relation {place} has an {name} that is neither a number nor a name")
            if isinstance(end, str):
                end = self._places.get(end, end)
            elif not 0 <= end < count:
                self._refuse(f"relation {place} names entity {end}, which is not there")
            ends.append(end)
        return GoldRelation(type=fields["type"], arg1=ends[0], arg2=ends[1])

    def _refuse(self, what: str) -> NoReturn:
        raise InputError(f"{self._where} {what}", code="input.gold", hint=_HINT)


__all__ = ["FailedMention", "GoldDocument", "GoldEntity", "GoldRelation", "gold_files", "read_gold"]
