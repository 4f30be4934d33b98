"""What contributed to a snapshot: a manifest that anybody can make again, byte for byte, and that can be signed.

The body holds ids, names, versions, digests and counts, nothing that a document
says. It depends on the snapshot alone: neither on who asks nor on when, nor on
what became of the documents since. A file of it is canonical JSON, so that a
changed byte shows, signed or not by whom it says.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.errors import AccessDeniedError, VerifyError
from extractor.lake.snapshot import Snapshot, snapshot
from extractor.lake.snapshots import NamedSnapshot, find_snapshot
from extractor.lake.visible import sees_everything
from extractor.lineage import digest
from extractor.signing import Signature, check, sign
from extractor.tables.catalogue import TABLES

if TYPE_CHECKING:
    from extractor.governance.policy import Access
    from extractor.lake.store import Lake
    from extractor.schema import Table

FORMAT = "extractor.contributed/1"
SORTED_AT_ONCE = 2_000_000
"""Keys of rows that are held in memory at a time, about 125 bytes each; a larger table is read several times."""

_DOCUMENT = ("doc_id", "extraction_id", "pipeline_version", "run_id", "classification", "study_id", "status")
_MAKER = ("extractor", "model", "model_version", "model_sha256")


def contributed(lake: Lake, access: Access, name: str) -> dict[str, Any]:
    """The body of the manifest of a snapshot. Memory holds about 2 kB for each document.

    Raises:
        AccessDeniedError: the principal has no restricted grant over every row of every table.
        LakeError: there is no such snapshot, or it cannot be read.
    """
    denied = [table.name for table in TABLES.values() if not sees_everything(access, table)]
    if denied:
        raise AccessDeniedError(
            f"principal {access.principal!r} may not see all of {denied[0]}",
            hint="You: a manifest names every document; ask a principal with a restricted grant over all tables.",
        )
    named = find_snapshot(lake.now, name)
    pinned = lake.pinned(named.pin())
    view = snapshot(pinned, TABLES)
    documents = sorted(_rows(view, "documents", _DOCUMENT), key=lambda row: str(row["doc_id"]))
    makers, run_ids = _makers(view)
    run_ids |= {row["run_id"] for row in documents}
    runs = [row for row in _rows(view, "runs", _RUN) if row["run_id"] in run_ids]
    return {
        "format": FORMAT,
        "snapshot": _head(named),
        "tables": {table: _table(view, TABLES[table]) for table in TABLES if table in view.handles},
        "documents": [
            {key: row[key] for key in ("doc_id", "extraction_id", "classification", "status")}
            for row in documents
        ],
        "classes": _counted(row["classification"] for row in documents),
        "studies": _counted(row["study_id"] for row in documents if row["study_id"] is not None),
        "pipelines": _counted(row["pipeline_version"] for row in documents),
        "models": [
            {**dict(zip(_MAKER, maker, strict=True)), "rows": rows}
            for maker, rows in sorted(makers.items(), key=lambda item: [str(part) for part in item[0]])
        ],
        "runs": sorted(
            (
                {**row, "started_at": row["started_at"].isoformat(), "models": sorted(row["models"])}
                for row in runs
            ),
            key=lambda row: str(row["run_id"]),
        ),
        "runs_without_end": sorted(run_ids - {row["run_id"] for row in runs}),
        "code_versions": sorted({row["code_version"] for row in runs}),
        "config_sha256": sorted({row["config_sha256"] for row in runs}),
        "hidden_documents": sorted(named.hidden),
    }


def manifest_bytes(body: Mapping[str, Any], *, key: Path | None) -> bytes:
    """The file: the body, and with a key the signature under it.

    Raises:
        ConfigError: the key cannot be used.
    """
    signature = None if key is None else sign(body_bytes(body), key)
    return _file(body, signature)


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """The one way in which a body is written; what is signed."""
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def check_manifest(content: bytes, *, public_key: Path | None) -> tuple[dict[str, Any], Signature | None]:
    """The body and the signature of a manifest file, which is written as it should be and signed by that key.

    Without a key only its form is checked: the signature in it then proves nothing.

    Raises:
        VerifyError: a byte was changed (``manifest.changed``), it is not signed (``signature.missing``) or not by
            that key (``signature.wrong``).
        ConfigError: the key cannot be used.
    """
    try:
        found = json.loads(content)
        body, signed = found["body"], found["signature"]
        signature = None if signed is None else Signature(**signed)
        whole = _file(body, signature) == content and body["format"] == FORMAT
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise VerifyError(
            "this file is not a manifest as `extractor contributed` writes it, or was changed",
            code="manifest.changed",
            hint="You: do not rely on it; make it again from the lake, or ask its sender.",
        )
    if public_key is not None:
        if signature is None:
            raise VerifyError(
                "the manifest is not signed",
                code="signature.missing",
                hint="You: ask for a signed one, or check it against the lake.",
            )
        check(body_bytes(body), signature, public_key)
    return body, signature


def check_against_lake(lake: Lake, access: Access, body: Mapping[str, Any]) -> None:
    """Make the manifest of the same snapshot again, and compare.

    Raises:
        VerifyError: the lake tells something else (``manifest.differs``); which parts, is said.
        AccessDeniedError, LakeError: as :func:`contributed`.
    """
    again = contributed(lake, access, str(body["snapshot"]["name"]))
    differing = sorted(part for part in {*again, *body} if again.get(part) != body.get(part))
    if differing:
        raise VerifyError(
            f"the lake differs from the manifest in: {', '.join(differing)}",
            code="manifest.differs",
            hint="You: the snapshot of that name is another one, or the lake's files were changed.",
        )


_RUN = ("run_id", "kind", "started_at", "pipeline_version", "code_version", "config_sha256", "models")


def _file(body: Mapping[str, Any], signature: Signature | None) -> bytes:
    signed = json.dumps(
        None if signature is None else asdict(signature), sort_keys=True, separators=(",", ":")
    )
    return b'{"body":' + body_bytes(body) + b',\n"signature":' + signed.encode("ascii") + b"}\n"


def _head(named: NamedSnapshot) -> dict[str, Any]:
    return {
        "name": named.name,
        "event_id": named.event_id,
        "created_at": named.at.isoformat(),
        "created_by": named.by,
        "code_version": named.code_version,
        "ledger_version": named.ledger_version,
    }


def _rows(view: Snapshot, table: str, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for batch in view.batches(table, columns):
        yield from batch.to_pylist()


def _counted(values: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _makers(view: Snapshot) -> tuple[Counter[tuple[str | None, ...]], set[str]]:
    """Who made rows of any table, how many each, and the runs that wrote them."""
    import pyarrow as pa

    makers: Counter[tuple[str | None, ...]] = Counter()
    run_ids: set[str] = set()
    for contract in TABLES.values():
        if not {"doc_id", "run_id"} <= set(contract.column_names):
            continue
        has_maker = set(_MAKER) <= set(contract.column_names)
        columns = ["run_id", *(_MAKER if has_maker else ())]
        for batch in view.batches(contract.name, columns):
            run_ids.update(batch.column(0).unique().to_pylist())
            if has_maker:
                groups = pa.table(batch).group_by(list(_MAKER)).aggregate([([], "count_all")])
                for row in groups.to_pylist():
                    makers[tuple(row[name] for name in _MAKER)] += row["count_all"]
    return makers, run_ids


def _table(view: Snapshot, contract: Table) -> dict[str, Any]:
    """Version, rows without those of hidden documents, and the digest of their keys."""
    rows, sha256 = _digest(view, contract)
    return {"version": int(view.handles[contract.name].version()), "rows": rows, "keys_sha256": sha256}


def _digest(view: Snapshot, contract: Table) -> tuple[int, str]:
    """How many rows, and sha256 over their sorted keys, each with a line feed; equal whatever the order of files.

    The key is the row_id; of tables without one, the digest of the key's values.
    Keys are spread evenly, so that a large table is sorted by their first digits, part by part.
    """
    total = sum(batch.num_rows for batch in view.batches(contract.name, contract.key[:1]))
    parts = total // SORTED_AT_ONCE + 1
    found = hashlib.sha256()
    for part in range(parts):
        keys = [key for key in _keys(view, contract) if int(key[:8], 16) * parts >> 32 == part]
        keys.sort()
        for key in keys:
            found.update(f"{key}\n".encode("ascii"))
    return total, found.hexdigest()


def _keys(view: Snapshot, contract: Table) -> Iterator[str]:
    is_digest = contract.key == ("row_id",)
    for batch in view.batches(contract.name, contract.key):
        columns = [column.to_pylist() for column in batch.columns]
        yield from columns[0] if is_digest else (digest(*values) for values in zip(*columns, strict=True))
