"""Governance of documents: what the manifest, the rules by path, or nobody says about each.

Nothing known means the strictest class and no consent. A class or scope that
the policy does not declare is an error, never a guess.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from extractor.errors import ConfigError
from extractor.governance.policy import Policy

EntrySource = Literal["manifest", "rule", "parent", "default"]

MANIFEST_COLUMNS: Mapping[str, str] = {
    "path": "address of the document: relative to the manifest, absolute, or an object-store URI",
    "doc_id": "sha256 of the document's bytes; instead of path or beside it",
    "study_id": "study the document belongs to",
    "subject_id": "study pseudonym of the subject; never a record number",
    "site_id": "site",
    "sample_id": "sample",
    "owner": "owner of the data",
    "record_type": "kind of record, such as batch record or discharge letter",
    "modality": "modality, such as scan or text",
    "classification": "class declared in the policy; empty means the strictest",
    "consent_scope": "scope declared in the policy; empty means none",
    "received_at": "ISO 8601 date or date-time; without an offset it is UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known about one document, checked against the policy."""

    classification: str
    consent_scope: str
    study_id: str | None = None
    subject_id: str | None = None
    site_id: str | None = None
    sample_id: str | None = None
    owner: str | None = None
    record_type: str | None = None
    modality: str | None = None
    received_at: datetime | None = None
    source: EntrySource = "default"

    def columns(self) -> dict[str, Any]:
        """The entry as columns of ``documents``."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "source"}
        return {**found, "governance_source": self.source}

    def for_attachment(self) -> Entry:
        """What a file carried inside the document inherits: all of it."""
        return replace(self, source="parent")

    def merged(self, other: Entry, policy: Policy) -> Entry:
        """One entry for the same bytes under two addresses: the strictest of both.

        Where they name different subjects or studies neither is kept, and the
        class becomes the strictest there is.
        """
        kept: dict[str, Any] = {}
        conflict = False
        for name in ("study_id", "subject_id", "site_id", "sample_id", "owner", "record_type", "modality"):
            mine, theirs = getattr(self, name), getattr(other, name)
            agreed = mine == theirs or theirs is None or mine is None
            kept[name] = (mine if mine is not None else theirs) if agreed else None
            conflict |= not agreed and name in {"study_id", "subject_id"}
        strictest = policy.strictest([self.classification, other.classification])
        return Entry(
            **kept,
            classification=policy.strictest_class if conflict else strictest,
            consent_scope=policy.narrowest([self.consent_scope, other.consent_scope]),
            received_at=min(filter(None, (self.received_at, other.received_at)), default=None),
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Inventory:
    """Finds the entry of a document: manifest first, then rules by path, then the strictest default.

    ``lines`` are the line numbers of the manifest by address and doc_id;
    ``named`` collects those whose document was asked for.
    """

    policy: Policy
    by_address: Mapping[str, Entry]
    by_doc_id: Mapping[str, Entry]
    rules: tuple[tuple[str, Entry], ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    named: set[int] = field(default_factory=set, compare=False)

    def entry(self, address: str, doc_id: str) -> Entry:
        """What is known about the document at an absolute path or URI with these bytes."""
        self.named.update(self.lines[key] for key in (doc_id, address) if key in self.lines)
        found = self.by_doc_id.get(doc_id) or self.by_address.get(address)
        if found is not None:
            return found
        for glob, entry in self.rules:
            if fnmatch(address, glob):
                return entry
        return Entry(classification=self.policy.strictest_class, consent_scope=self.policy.no_consent)

    def unmatched(self) -> tuple[int, ...]:
        """Lines of the manifest whose document nobody asked for so far, in order."""
        return tuple(sorted(set(self.lines.values()) - self.named))


def load_inventory(
    policy: Policy,
    *,
    manifest: str | Path | None = None,
    rules: Iterable[tuple[str, Mapping[str, str]]] = (),
) -> Inventory:
    """The inventory of one run.

    Raises:
        ConfigError: the manifest (CSV, Parquet or JSON lines, told by content) or
            a rule has an unknown column, an undeclared class or scope, a date
            that is none, no address, or an address twice; with its line number.
    """
    by_address: dict[str, Entry] = {}
    by_doc_id: dict[str, Entry] = {}
    lines: dict[str, int] = {}
    if manifest is not None:
        base = Path(manifest).resolve().parent
        for line_no, row in _iter_manifest(Path(manifest)):
            where = f"manifest line {line_no}"
            entry = entry_from(row, policy, where=where, source="manifest")
            path, doc_id = row.get("path"), row.get("doc_id")
            if not path and not doc_id:
                raise ConfigError(f"{where}: neither path nor doc_id")
            if doc_id:
                _put(by_doc_id, doc_id.lower(), entry, where=where)
                lines[doc_id.lower()] = line_no
            if path:
                address = path if "://" in path else str((base / path).resolve())
                _put(by_address, address, entry, where=where)
                lines[address] = line_no
    checked = tuple(
        (glob, entry_from(dict(row), policy, where=f"inventory rule {number}", source="rule"))
        for number, (glob, row) in enumerate(rules, 1)
    )
    return Inventory(policy, by_address, by_doc_id, checked, lines)


def _put(entries: dict[str, Entry], key: str, entry: Entry, *, where: str) -> None:
    if key in entries:
        raise ConfigError(f"{where}: the document was named on an earlier line")
    entries[key] = entry


def entry_from(row: Mapping[str, str], policy: Policy, *, where: str, source: EntrySource) -> Entry:
    """The entry that manifest columns describe; ``where`` names their place in messages.

    Raises:
        ConfigError: a column is unknown, a class or scope undeclared, a date none.
    """
    for name in row:
        if name not in MANIFEST_COLUMNS:
            near = get_close_matches(name, MANIFEST_COLUMNS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(MANIFEST_COLUMNS)}"
            raise ConfigError(f"{where}: unknown column {name!r}{hint}")
    values: dict[str, Any] = {
        name: value for name, value in row.items() if value and name not in {"path", "doc_id", "received_at"}
    }
    classification = values.setdefault("classification", policy.strictest_class)
    if classification not in policy.classes:
        raise ConfigError(
            f"{where}: the policy declares no class of that name; declared: {', '.join(policy.classes)}"
        )
    scope = values.setdefault("consent_scope", policy.no_consent)
    if scope not in policy.consent_scopes:
        declared = ", ".join(policy.consent_scopes)
        raise ConfigError(f"{where}: the policy declares no consent scope of that name; declared: {declared}")
    if text := row.get("received_at"):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(f"{where}: received_at is no ISO 8601 date") from None
        values["received_at"] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Entry(**values, source=source)


def _iter_manifest(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers (for Parquet: row numbers), all values as text."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except OSError:
        raise ConfigError("the manifest does not exist or cannot be read") from None
    if start.startswith(b"PAR1"):
        yield from _iter_parquet(path)
    elif start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        yield from _iter_json_lines(path)
    else:
        yield from _iter_csv(path)


def _iter_parquet(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for row_no, row in enumerate(pq.read_table(path).to_pylist(), 1):
            yield row_no, {name: _text(value) for name, value in row.items() if value is not None}
    except pa.ArrowInvalid:
        raise ConfigError("the manifest is no readable Parquet file") from None


def _iter_json_lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig") as stream:
        for line_no, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                raise ConfigError(f"manifest line {line_no}: no valid JSON") from None
            if not isinstance(row, dict):
                raise ConfigError(f"manifest line {line_no}: not an object")
            yield line_no, {name: _text(value) for name, value in row.items() if value is not None}


def _iter_csv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            rows = csv.reader(stream, strict=True)
            header = next(rows, [])
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise ConfigError(
                        f"manifest line {rows.line_num}: {len(row)} values for {len(header)} columns",
                    )
                yield (
                    rows.line_num,
                    {name.strip(): value.strip() for name, value in zip(header, row, strict=True)},
                )
        except csv.Error:
            raise ConfigError("the manifest is no valid CSV") from None
        except UnicodeDecodeError:
            raise ConfigError("the manifest is not UTF-8") from None


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value).strip()
