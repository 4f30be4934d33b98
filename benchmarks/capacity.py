"""What a number of documents takes: cores, days, rows, bytes, files, commits, queue operations, money.

    python benchmarks/capacity.py [--documents N] [--pages-per-document N] [--scanned-share X] [...]

Arithmetic only: nothing is read or run. Each input is a flag; its default is a measured figure (with the page of the
documentation that has the command) or an assumption to put your own number for. docs/scaling.md explains the table.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Origin = Literal["measured", "assumed", "setting", "price"]

S_PER_DAY = 86_400
GB = 1e9


MAY_BE_ZERO = frozenset(
    {
        "scanned_share",
        "retried_share",
        "kept_share",
        "entities_per_page",
        "relations_per_page",
        "quarantine_per_document",
        "extends_per_document",
    }
)


def given(default: float, origin: Origin, what: str) -> Any:
    """A field with its default, where that comes from, and what it is."""
    return field(default=default, metadata={"origin": origin, "what": what})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything the arithmetic takes."""

    documents: int = given(10_000_000, "assumed", "documents to extract")
    pages_per_document: float = given(8.0, "assumed", "pages of a document, mean")
    scanned_share: float = given(0.3, "assumed", "part of the pages that has no text layer, 0 to 1")
    retried_share: float = given(
        0.01, "assumed", "part of the documents that is read twice (crash, lost lease)"
    )

    digital_page_s: float = given(0.078, "measured", "CPU seconds of a page with a text layer")
    scanned_page_s: float = given(1.32, "measured", "CPU seconds of a degraded scan; a clean one takes 1.20")
    start_s: float = given(4.5, "measured", "CPU seconds until a worker's processes stand")
    core_yield: float = given(0.92, "measured", "what a core does beside another, against one alone")
    cores: int = given(128, "assumed", "cores that read at the same time")
    processes_per_worker: int = given(2, "setting", "reading processes of one container (--workers)")

    entities_per_page: float = given(23.1, "measured", "entities of a page; a dense clinical note has 60")
    relations_per_page: float = given(0.63, "measured", "relations of a page; a dense clinical note has 12")
    quarantine_per_document: float = given(0.02, "assumed", "rows of quarantine per document")

    page_text_row_bytes: float = given(4450, "measured", "compressed bytes of a page_text row (one page)")
    entity_row_bytes: float = given(78, "measured", "compressed bytes of an entities row")
    relation_row_bytes: float = given(211, "measured", "compressed bytes of a relations row")
    document_row_bytes: float = given(141, "measured", "compressed bytes of a documents row")
    source_row_bytes: float = given(73, "measured", "compressed bytes of a sources row")
    quarantine_row_bytes: float = given(311, "measured", "compressed bytes of a quarantine row")
    ledger_document_bytes: float = given(120, "measured", "compressed bytes of the ledger per document")
    sent_document_bytes: float = given(300_000, "assumed", "bytes of a document as it was sent")

    batch_documents: int = given(256, "setting", "lake.batch_documents")
    partitions_per_batch: float = given(2, "assumed", "class and consent pairs among a batch's documents")
    file_overhead_bytes: float = given(
        13_000, "measured", "footer of a data file, mean of the six data tables"
    )
    log_entry_bytes: float = given(2_200, "measured", "bytes of the log for a new file, mean of all tables")
    commit_s: float = given(
        0.07, "measured", "seconds of one commit (an S3 server on loopback; put your store's)"
    )
    commit_tries: float = given(2.0, "assumed", "tries of a commit beside other writers, mean")
    target_file_mb: float = given(128, "setting", "lake.target_file_mb")
    maintain_hours: float = given(24, "setting", "hours between two runs of extractor maintain")
    kept_share: float = given(
        0.3, "assumed", "replaced files still kept (lake.vacuum_hours), part of the lake"
    )

    extends_per_document: float = given(1.0, "assumed", "lease renewals of a document")
    queue_batch: float = given(10, "assumed", "messages of one call to the broker (SQS: 10)")
    message_bytes: float = given(600, "assumed", "bytes of a message, address and governance included")
    claimed_bytes: float = given(107, "measured", "memory that a writer keeps per document of the lake")
    claimed_peak_bytes: float = given(
        275, "measured", "memory it takes while it reads the ledger at its start"
    )
    claimed_read_us: float = given(2.1, "measured", "microseconds of that reading per document")

    price_core_hour: float = given(0.04, "price", "one core for an hour, in your currency")
    price_gb_month: float = given(0.023, "price", "one gigabyte for a month")
    price_1000_puts: float = given(0.005, "price", "1,000 writes to the object store")
    price_1000_queue_calls: float = given(0.0004, "price", "1,000 calls to the broker")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            least_is_zero = one.metadata["origin"] == "price" or one.name in MAY_BE_ZERO
            if not math.isfinite(value) or value < 0 or (value == 0 and not least_is_zero):
                raise ValueError(f"{one.name} must be {'at least' if least_is_zero else 'more than'} 0")
            if one.name.endswith("_share") and value > 1:
                raise ValueError(f"{one.name} is a part: at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One result: its value in ``unit``, and the arithmetic that gave it, in names of inputs and results."""

    name: str
    value: float
    unit: str
    formula: str


@dataclass(slots=True)
class Results:
    """Lines by section, in the order in which they were worked out; ``r[name]`` is a value for the next ones."""

    sections: dict[str, list[Line]] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    def add(self, section: str, name: str, value: float, unit: str, formula: str) -> None:
        if name in self.values:
            raise KeyError(name)
        self.values[name] = value
        self.sections.setdefault(section, []).append(Line(name=name, value=value, unit=unit, formula=formula))

    def __getitem__(self, name: str) -> float:
        return self.values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """A table of a batch: what its rows and the bytes of a row are, as formulas."""

    rows: str
    row_bytes: str
    partitioned: bool = True


DATA_TABLES = {
    "page_text": DataTable(rows="pages", row_bytes="page_text_row_bytes"),
    "entities": DataTable(rows="pages x entities_per_page", row_bytes="entity_row_bytes"),
    "relations": DataTable(rows="pages x relations_per_page", row_bytes="relation_row_bytes"),
    "quarantine": DataTable(rows="documents x quarantine_per_document", row_bytes="quarantine_row_bytes"),
    "sources": DataTable(rows="documents", row_bytes="source_row_bytes", partitioned=False),
    "documents": DataTable(rows="documents", row_bytes="document_row_bytes"),
}
PARTITIONED = sum(one.partitioned for one in DATA_TABLES.values())
LEDGER_COMMITS = 2
"""Of a batch: its claim and its completion."""

COMMITS = len(DATA_TABLES) + LEDGER_COMMITS


def capacity(i: Inputs) -> dict[str, list[Line]]:
    """Results by section."""
    r = Results()
    for section in (_work, _tables, _commits, _queue, _cost):
        section(i, r)
    return r.sections


def _work(i: Inputs, r: Results) -> None:
    r.add("work", "pages", i.documents * i.pages_per_document, "pages", "documents x pages_per_document")
    r.add(
        "work",
        "page_s",
        (1 - i.scanned_share) * i.digital_page_s + i.scanned_share * i.scanned_page_s,
        "CPU s",
        "(1 - scanned_share) x digital_page_s + scanned_share x scanned_page_s",
    )
    r.add(
        "work",
        "core_hours",
        r["pages"] * r["page_s"] * (1 + i.retried_share) / i.core_yield / 3600,
        "core hours",
        "pages x page_s x (1 + retried_share) / core_yield / 3600",
    )
    r.add("work", "days", r["core_hours"] / i.cores / 24, "days", "core_hours / cores / 24")
    r.add("work", "page rate", r["pages"] / (r["days"] * S_PER_DAY), "pages/s", "pages / (days x 86400)")
    r.add(
        "work",
        "workers",
        math.ceil(i.cores / i.processes_per_worker),
        "containers",
        "cores / processes_per_worker",
    )
    r.add(
        "work",
        "start",
        r["workers"] * i.start_s / 3600,
        "core hours",
        "workers x start_s / 3600, each time that all start",
    )


def _tables(i: Inputs, r: Results) -> None:
    for name, one in DATA_TABLES.items():
        rows = math.prod(
            r[factor] if factor in r.values else getattr(i, factor) for factor in one.rows.split(" x ")
        )
        r.add("tables", f"{name} rows", rows, "rows", one.rows)
        r.add(
            "tables",
            f"{name} size",
            rows * getattr(i, one.row_bytes) / GB,
            "GB",
            f"{name} rows x {one.row_bytes}",
        )
    r.add(
        "tables",
        "ledger size",
        i.documents * i.ledger_document_bytes / GB,
        "GB",
        "documents x ledger_document_bytes",
    )
    r.add(
        "tables",
        "lake size",
        sum(r[f"{name} size"] for name in DATA_TABLES) + r["ledger size"],
        "GB",
        "sum of the sizes above, compacted",
    )
    r.add("tables", "lake kept", r["lake size"] * (1 + i.kept_share), "GB", "lake size x (1 + kept_share)")
    r.add(
        "tables",
        "sent size",
        i.documents * i.sent_document_bytes / GB,
        "GB",
        "documents x sent_document_bytes",
    )
    r.add("tables", "lake to sent", r["lake size"] / r["sent size"], "", "lake size / sent size")


def _commits(i: Inputs, r: Results) -> None:
    batches = i.documents * (1 + i.retried_share) / i.batch_documents
    r.add("commits", "batches", batches, "batches", "documents x (1 + retried_share) / batch_documents")
    r.add(
        "commits",
        "commits",
        batches * COMMITS,
        "commits",
        f"batches x {COMMITS}: {len(DATA_TABLES)} tables, ledger twice",
    )
    r.add(
        "commits",
        "new files",
        batches * (PARTITIONED * i.partitions_per_batch + 1 + LEDGER_COMMITS),
        "files",
        f"batches x ({PARTITIONED} tables x partitions_per_batch + 1 of sources + {LEDGER_COMMITS} of the ledger)",
    )
    r.add(
        "commits",
        "file size",
        r["lake size"] * GB / r["new files"] / 1e6,
        "MB",
        "lake size / new files, mean before compaction",
    )
    r.add(
        "commits",
        "footers",
        r["new files"] * i.file_overhead_bytes / GB,
        "GB",
        "new files x file_overhead_bytes, before compaction",
    )
    r.add(
        "commits",
        "compacted files",
        sum(
            max(i.partitions_per_batch, math.ceil(r[f"{name} size"] * 1000 / i.target_file_mb))
            for name in DATA_TABLES
        ),
        "files",
        "per table: size / target_file_mb, one per partition at least",
    )
    r.add(
        "commits",
        "open files",
        batches * min(1.0, i.maintain_hours / 24 / r["days"]) * i.partitions_per_batch,
        "files per table",
        "batches between two maintenances x partitions_per_batch",
    )
    r.add(
        "commits",
        "log size",
        r["new files"] * i.log_entry_bytes / GB,
        "GB",
        "new files x log_entry_bytes, without checkpoints",
    )
    r.add(
        "commits",
        "ledger days",
        batches * LEDGER_COMMITS * i.commit_s * i.commit_tries / S_PER_DAY,
        "days",
        f"batches x {LEDGER_COMMITS} x commit_s x commit_tries / 86400: no number of cores gets below this",
    )
    r.add(
        "commits",
        "most cores",
        r["core_hours"] / 24 / r["ledger days"],
        "cores",
        "core_hours / 24 / ledger days: more would wait for the ledger",
    )
    r.add(
        "commits",
        "claimed memory",
        i.documents * i.claimed_bytes / 1e6,
        "MB per worker",
        "documents x claimed_bytes",
    )
    r.add(
        "commits",
        "claimed peak",
        i.documents * i.claimed_peak_bytes / 1e6,
        "MB per worker",
        "documents x claimed_peak_bytes, at its start",
    )
    r.add(
        "commits",
        "claimed read",
        i.documents * i.claimed_read_us / 1e6,
        "s",
        "documents x claimed_read_us / 1000000, at its start",
    )


def _queue(i: Inputs, r: Results) -> None:
    r.add(
        "queue",
        "operations",
        i.documents * (1 + (2 + i.extends_per_document) * (1 + i.retried_share)),
        "operations",
        "documents x (1 + (2 + extends_per_document) x (1 + retried_share)): put; receive, extend, ack",
    )
    r.add("queue", "calls", r["operations"] / i.queue_batch, "calls", "operations / queue_batch")
    r.add(
        "queue",
        "rate",
        r["operations"] / (r["days"] * S_PER_DAY),
        "operations/s",
        "operations / (days x 86400)",
    )
    r.add(
        "queue",
        "queue size",
        i.documents * i.message_bytes / GB,
        "GB",
        "documents x message_bytes, all put at once",
    )


def _cost(i: Inputs, r: Results) -> None:
    r.add("cost", "cores", r["core_hours"] * i.price_core_hour, "money", "core_hours x price_core_hour")
    r.add("cost", "lake a month", r["lake kept"] * i.price_gb_month, "money", "lake kept x price_gb_month")
    r.add(
        "cost",
        "store writes",
        (r["new files"] + r["commits"] * i.commit_tries) / 1000 * i.price_1000_puts,
        "money",
        "(new files + commits x commit_tries) / 1000 x price_1000_puts",
    )
    r.add(
        "cost",
        "broker",
        r["calls"] / 1000 * i.price_1000_queue_calls,
        "money",
        "calls / 1000 x price_1000_queue_calls",
    )
    r.add("cost", "per 1,000 documents", r["cores"] / i.documents * 1000, "money", "cores / documents x 1000")


def plain(value: float) -> str:
    """A number for reading: whole above 100, three digits that count below."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under headers as docs/scaling.md holds them."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def inputs_table(i: Inputs) -> str:
    """The inputs as printed."""
    rows = [
        (f"`{one.name}`", plain(getattr(i, one.name)), one.metadata["origin"], one.metadata["what"])
        for one in fields(i)
    ]
    return markdown(["input", "value", "origin", "what it is"], rows)


def results_table(i: Inputs, section: str) -> str:
    """The results of a section as printed."""
    rows = [(one.name, plain(one.value), one.unit, one.formula) for one in capacity(i)[section]]
    return markdown([section, "value", "unit", "formula"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for one in fields(Inputs):
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=type(one.default),
            default=one.default,
            help=f"{one.metadata['what']} ({one.metadata['origin']}, %(default)s)",
        )
    try:
        inputs = Inputs(**vars(parser.parse_args()))
    except ValueError as error:
        parser.error(str(error))
    print(inputs_table(inputs))
    for section in capacity(inputs):
        print(f"\n{results_table(inputs, section)}")


if __name__ == "__main__":
    main()
