"""Checking every promise of the lake.

Memory holds one group of documents with their text and rows, and a few hundred
bytes for each document of the lake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

from extractor.lake import delta
from extractor.lake.snapshot import Snapshot, snapshot
from extractor.lake.store import Lake
from extractor.lake.work import BATCH_TABLES
from extractor.tables.entities import MASKED_LABELS

EXAMPLES = 5
GROUP_DOCUMENTS = 500
GROUP_PAGES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise: which check, in which table, how often, and what that means.

    ``examples`` are ids of rows, documents or batches.
    """

    check: str
    table: str
    count: int
    examples: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked, and what was found; no finding means that every promise is kept.

    ``evidence_checked`` rows quote the canonical text at their offsets (a
    relation at both ends); ``evidence_masked`` rows hold only their mask there.
    """

    documents: int
    rows: Mapping[str, int]
    evidence_checked: int
    evidence_masked: int
    findings: tuple[Finding, ...]


CHECKS = {
    "unfinished": "a batch was begun and not completed",
    "lost": "the ledger has the document complete, documents has no row of it",
    "unrecorded": "documents has a row that no batch in the ledger completed",
    "orphan": "a row belongs to no document",
    "stale": "a row is of another extraction or run than its document",
    "double": "a row exists twice",
    "count": "a document has more or fewer rows than the ledger says",
    "pages": "the pages of a document do not join to one text",
    "evidence": "a row does not quote the text at its offsets",
    "mask": "a row shows a direct identifier that must be masked",
    "class": "a row's class is laxer than its document's",
    "consent": "a row's consent is wider than its document's",
    "tags": "a row names another study or subject than its document",
}
"""What each check says when it fails."""


def verify(
    lake: Lake, *, class_order: tuple[str, ...] = (), scope_order: tuple[str, ...] = ()
) -> Verification:
    """Check the lake as it is now.

    ``class_order`` runs from open to strict and ``scope_order`` from narrow to
    wide, as the policy declares them; without an order, any difference between
    a row and its document counts. Documents of unfinished batches are named
    and not checked further.

    Raises:
        LakeError: the lake cannot be read.
    """
    lake.require()
    names = [contract.name for contract in BATCH_TABLES]
    check = _Check(view=snapshot(lake, names), class_order=class_order, scope_order=scope_order)
    check.ledger(lake)
    check.inventory()
    for group in check.groups():
        check.group(group)
    return Verification(
        documents=len(check.pages),
        rows=dict(check.rows),
        evidence_checked=check.quoted,
        evidence_masked=check.masked,
        findings=tuple(
            Finding(
                check=name,
                table=table,
                count=count,
                examples=tuple(check.examples[name, table]),
                detail=CHECKS[name],
            )
            for (name, table), count in sorted(check.counts.items())
        ),
    )


@dataclass(kw_only=True)
class _Check:
    view: Snapshot
    class_order: tuple[str, ...]
    scope_order: tuple[str, ...]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    pages: dict[str, int] = field(default_factory=dict)
    expected: dict[str, dict[str, int]] = field(default_factory=dict)
    quoted: int = 0
    masked: int = 0

    def found(self, name: str, table: str, example: str) -> None:
        self.counts[name, table] += 1
        shown = self.examples.setdefault((name, table), [])
        if len(shown) < EXAMPLES:
            shown.append(example)

    def ledger(self, lake: Lake) -> None:
        """What the last completed batch of each document says that it wrote."""
        for claim in self.view.claims:
            self.found("unfinished", "ledger", claim.batch_id)
        claimed_at: dict[str, int] = {}
        last: dict[str, int] = {}
        columns = ["batch_id", "state", "sequence_no", "doc_ids", "commits"]
        where = f"kind <> 'maintain' AND sequence_no <= {self.view.ledger_version}"
        rows = lake.read("ledger", columns=columns, where=where).sort_by("sequence_no")
        for batch in rows.to_batches(max_chunksize=64):
            for row in batch.to_pylist():
                if row["state"] == "claimed":
                    claimed_at[row["batch_id"]] = row["sequence_no"]
                    continue
                sequence_no = claimed_at.get(row["batch_id"], -1)
                for index, doc_id in enumerate(row["doc_ids"]):
                    if sequence_no >= last.get(doc_id, -1):
                        last[doc_id] = sequence_no
                        self.expected[doc_id] = {
                            done["table"]: done["document_rows"][index] for done in row["commits"]
                        }

    def inventory(self) -> None:
        """Documents against the ledger, and every row against the documents."""
        for batch in self.view.batches("documents", ["doc_id", "page_count"]):
            for doc_id, pages in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if doc_id in self.pages:
                    self.found("double", "documents", doc_id)
                if doc_id not in self.expected:
                    self.found("unrecorded", "documents", doc_id)
                self.pages[doc_id] = pages or 1
        for doc_id in self.expected.keys() - self.pages.keys() - self.view.hidden:
            self.found("lost", "documents", doc_id)
        for contract in BATCH_TABLES:
            for batch in self.view.batches(contract.name, ["doc_id"]):
                self.rows[contract.name] += batch.num_rows
                for doc_id in batch.column(0).unique().to_pylist():
                    if doc_id not in self.pages:
                        self.found("orphan", contract.name, doc_id)

    def groups(self) -> Iterator[list[str]]:
        """Documents in groups that fit into memory."""
        group: list[str] = []
        pages = 0
        for doc_id in sorted(self.pages):
            if group and (len(group) >= GROUP_DOCUMENTS or pages + self.pages[doc_id] > GROUP_PAGES):
                yield group
                group, pages = [], 0
            group.append(doc_id)
            pages += self.pages[doc_id]
        if group:
            yield group

    def group(self, doc_ids: list[str]) -> None:
        """All rows of some documents."""
        documents = {row["doc_id"]: row for row in self._rows("documents", (*_TAGS, *_TEXT), doc_ids)}
        texts = self._texts(doc_ids)
        for contract in BATCH_TABLES:
            quotes = [quote for quote in _QUOTES if set(contract.column_names).issuperset(quote)]
            wanted = {*contract.key, *_TAGS, *chain.from_iterable(quotes)} & set(contract.column_names)
            keys: set[tuple[Any, ...]] = set()
            counts: Counter[str] = Counter()
            for row in self._rows(contract.name, wanted, doc_ids):
                counts[row["doc_id"]] += 1
                key = tuple(row[name] for name in contract.key)
                example = str(row.get("row_id", row["doc_id"]))
                if key in keys:
                    self.found("double", contract.name, example)
                keys.add(key)
                if "extraction_id" in wanted:
                    self._inherits(contract.name, row, documents[row["doc_id"]], example)
                text = texts.get(row["doc_id"])
                masks = [self._is_masked(contract.name, row, quote, text, example) for quote in quotes]
                self.masked += any(masks)
                self.quoted += bool(masks) and not any(masks)
            if "extraction_id" in wanted:
                for doc_id in doc_ids:
                    if counts[doc_id] != self.expected.get(doc_id, {}).get(contract.name, 0):
                        self.found("count", contract.name, doc_id)

    def _rows(self, table: str, columns: Iterable[str], doc_ids: list[str]) -> Iterator[dict[str, Any]]:
        where = delta.in_list("doc_id", doc_ids)
        for batch in self.view.batches(table, sorted(columns), where=where):
            yield from batch.to_pylist()

    def _texts(self, doc_ids: list[str]) -> dict[str, str]:
        """The canonical text of each document, from its pages."""
        pages: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows("page_text", ["doc_id", "page_no", "char_start", "text"], doc_ids):
            pages.setdefault(row["doc_id"], []).append(row)
        texts = {}
        for doc_id, found in pages.items():
            found.sort(key=lambda row: row["page_no"])
            joined = [row["page_no"] for row in found] == list(range(1, len(found) + 1))
            joined &= found[0]["char_start"] == 0
            joined &= all(
                after["char_start"] == before["char_start"] + len(before["text"]) + 1
                for before, after in pairwise(found)
            )
            if not joined:
                self.found("pages", "page_text", doc_id)
            texts[doc_id] = "\f".join(row["text"] for row in found)
        return texts

    def _inherits(self, table: str, row: dict[str, Any], document: dict[str, Any], example: str) -> None:
        current = (document["extraction_id"], document["run_id"])
        if table == "page_text" and document["text_extraction_id"] is not None:
            current = (document["text_extraction_id"], document["text_run_id"])
        if (row["extraction_id"], row["run_id"]) != current:
            self.found("stale", table, example)
        if row["study_id"] != document["study_id"] or row["subject_id"] != document["subject_id"]:
            self.found("tags", table, example)
        if not _within(row["classification"], document["classification"], self.class_order):
            self.found("class", table, example)
        if not _within(row["consent_scope"], document["consent_scope"], self.scope_order[::-1]):
            self.found("consent", table, example)

    def _is_masked(
        self, table: str, row: dict[str, Any], quote: tuple[str, ...], text: str | None, example: str
    ) -> bool:
        """Check one quote of a row; whether it must be, and so is only, a mask."""
        label, start, end, words = (row[name] for name in quote)
        if label in MASKED_LABELS:
            if words != f"[{label}]":
                self.found("mask", table, example)
            return True
        if text is None or text[start:end] != words:
            self.found("evidence", table, example)
        return False


_TAGS = ("doc_id", "extraction_id", "run_id", "study_id", "subject_id", "classification", "consent_scope")
_TEXT = ("text_extraction_id", "text_run_id")
_QUOTES = (
    ("type", "char_start", "char_end", "source_text"),
    ("head_type", "char_start", "char_end", "source_text"),
    ("tail_type", "tail_char_start", "tail_char_end", "tail_source_text"),
)
"""Columns that quote the text in tables that have them: type, first offset, last offset, words."""


def _within(value: str, bound: str, from_open_to_strict: tuple[str, ...]) -> bool:
    """Whether a value is at least as strict as its bound; an undeclared one only if it is equal."""
    if value == bound:
        return True
    if value not in from_open_to_strict or bound not in from_open_to_strict:
        return False
    return from_open_to_strict.index(value) > from_open_to_strict.index(bound)
