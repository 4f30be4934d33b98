"""What people see: progress on stderr, results on stdout as tables or JSON."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from extractor.preview_marks import printable
from extractor.schema import plain
from extractor.terminal_rows import console, print_rows, print_table, sheet

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.check import Finding
    from extractor.governance.policy import Access
    from extractor.inspection import Inspection
    from extractor.lake.maintain import Maintained
    from extractor.lake.store import Lake
    from extractor.lake.verify import Verification
    from extractor.pool import PoolStatistics
    from extractor.run import Progress
    from extractor.tally import Tally

_LINE_EVERY_S = 10.0
_MOST_LINES = 20
_FORMS = {
    "text/plain": "text",
    "message/rfc822": "mail",
    "application/hl7-spl+xml": "SPL",
    "application/hl7-cda+xml": "C-CDA",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
"""Short names of media types whose own names are none."""


def print_error(message: str, hint: str) -> None:
    """One sentence and who must act, on stderr; on a terminal wrapped at its words."""
    for line in (message, hint):
        folded = textwrap.fill(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else line
        sys.stderr.write(f"{folded}\n")


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A bar with pages per second and time left on a terminal, a line every ten seconds otherwise."""
    if sys.stderr.isatty():
        yield from _bar()
    else:
        yield _Lines()


def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("documents"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} pages/s"),
        TimeRemainingColumn(),
    )
    started_s = time.monotonic()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rate=0.0)

        def show(state: Progress) -> None:
            rate = state.pages / max(time.monotonic() - started_s, 0.001)
            bar.update(task, completed=state.finished, total=state.known, rate=rate)

        yield show


class _Lines:
    def __init__(self) -> None:
        self._started_s = self._last_s = time.monotonic()

    def __call__(self, state: Progress) -> None:
        now = time.monotonic()
        if now - self._last_s < _LINE_EVERY_S:
            return
        self._last_s = now
        spent = now - self._started_s
        line = f"{state.finished}/{state.known} documents, {state.pages / spent:.1f} pages/s"
        if state.finished:
            left = spent / state.finished * (state.known - state.finished)
            line += f", about {left:.0f} s left"
        sys.stderr.write(f"{line}\n")


def print_tally(tally: Tally, statistics: PoolStatistics, *, as_json: bool) -> None:
    """Documents by what became of them, and rows by table."""
    if as_json:
        print_json(tally.as_dict())
        return
    target = console()
    documents = sheet("Documents")
    for name in ("seen", "done", "partial", "quarantined", "skipped", "bugs"):
        documents.add_column(name, justify="right")
    documents.add_row(
        *(str(getattr(tally, name)) for name in ("seen", "done", "partial", "quarantined", "skipped", "bugs"))
    )
    target.print(documents)
    if tally.rows:
        rows = sheet("Rows written")
        rows.add_column("table")
        rows.add_column("rows", justify="right")
        for name, count in tally.rows.items():
            rows.add_row(name, str(count))
        target.print()
        target.print(rows)
    rate = tally.pages / tally.seconds if tally.seconds else 0.0
    target.print(
        f"\n{tally.pages} pages in {tally.seconds:.1f} s ({rate:.1f} pages/s); "
        f"largest worker {statistics.peak_worker_bytes / 2**20:.0f} MB"
    )


def print_unmatched(lines: Sequence[int]) -> None:
    """On stderr, how many lines of the manifest named no document of the run, and which."""
    if lines:
        shown = ", ".join(map(str, lines[:_MOST_LINES])) + (", ..." if len(lines) > _MOST_LINES else "")
        counted = (
            "1 line of the manifest matches"
            if len(lines) == 1
            else f"{len(lines)} lines of the manifest match"
        )
        sys.stderr.write(f"{counted} no source: {shown}\n")


def print_text(inspection: Inspection, *, as_json: bool) -> None:
    """The canonical text, or all that is known of its pages as JSON; failed pages on stderr.

    The text is verbatim in files and pipes; a terminal is shown its controls instead of obeying them.
    """
    if as_json:
        from extractor.inspection import document_as_dict

        print_json(document_as_dict(inspection.document))
        return
    text = inspection.document.text
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    if not text.endswith("\n"):
        sys.stdout.write("\n")
    for failure in inspection.document.failures:
        sys.stderr.write(f"page {failure.page_no} could not be read: {failure.code}\n")


def print_documents(rows: pa.Table, *, as_json: bool) -> None:
    """Documents for people: what each is, what became of it, who may see it; as JSON every column."""
    if as_json:
        print_rows(rows, output="json")
        return
    found = [
        [
            row["doc_id"],
            _kind(row["media_type"], row["record_type"]),
            row["page_count"],
            _joined(" ", row["status"], _joined(", ", row["status_code"], _pages(row))),
            _joined(", ", row["classification"], row["consent_scope"]),
            _joined(" ", row["study_id"], row["subject_id"]),
        ]
        for row in rows.to_pylist()
    ]
    print_table(["document", "kind", "pages", "status", "class, consent", "study"], found, whole="--json")


def _kind(media_type: str | None, record_type: str | None) -> str:
    """What a document is, in few words: ``pdf, batch record``."""
    if media_type is None:
        return record_type or ""
    form = _FORMS.get(media_type) or media_type.rpartition("/")[2].removeprefix("x-").rpartition("+")[2]
    return _joined(", ", form, record_type if record_type != form else None)


def _pages(row: dict[str, Any]) -> str:
    failed, poor = row["pages_failed"], row["pages_poor"]
    counted = ((failed if row["status"] == "partial" else 0, "failed"), (poor, "poor"))
    return _joined(", ", *(f"{count} page{'s' * (count > 1)} {word}" for count, word in counted if count))


def _joined(between: str, *parts: str | None) -> str:
    return between.join(part for part in parts if part)


def print_quarantine(rows: pa.Table, *, as_json: bool) -> None:
    """What was refused, and below it once for each code who must do what; as JSON every column."""
    if as_json:
        print_rows(rows, output="json")
        return
    found = rows.to_pylist()
    names = ("code", "scope", "stage", "doc_id", "page_no")
    print_table(
        [{"doc_id": "document", "page_no": "page"}.get(name, name) for name in names],
        [[row[name] for name in names] for row in found],
        whole="--json",
    )
    hints = {row["code"]: (row["hint"] or "", row["retryable"]) for row in found}
    if not hints:
        return
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for code, (hint, retryable) in sorted(hints.items()):
        again = " `extractor quarantine retry` tries it again." if retryable else ""
        grid.add_row(Text(code), Text(f"{hint}{again}"))
    target = console()
    target.print("\nWho must act", style="bold")
    target.print(grid)


def print_tables(lake: Lake | None, access: Access | None, *, as_json: bool) -> None:
    """The contracts, with row counts where a lake is named; only what ``access`` may see."""
    from extractor.tables.catalogue import TABLES

    found = []
    for table in TABLES.values():
        if access is not None and not access.grants(table.name, restricted_zone=table.zone == "restricted"):
            continue
        entry: dict[str, Any] = {
            "table": table.name,
            "zone": table.zone,
            "description": table.description,
            "columns": {column.name: column.description for column in table.columns},
        }
        if lake is not None:
            if access is not None:
                from extractor.lake.query import query

                sql = f"select count(*) as n from {table.name}"  # noqa: S608  # own names
                rows = query(lake, access, sql).rows
                entry["rows"] = rows["n"][0].as_py()
            else:
                entry["rows"] = sum(
                    batch.num_rows for batch in lake.iter_batches(table.name, columns=table.key[:1])
                )
        found.append(entry)
    if as_json:
        print_json(found)
        return
    view = sheet()
    for name in ("table", "zone", *(("rows",) if lake is not None else ()), "columns", "what it holds"):
        view.add_column(name, justify="right" if name in {"rows", "columns"} else "left")
    for entry in found:
        counted = (str(entry["rows"]),) if lake is not None else ()
        view.add_row(
            entry["table"], entry["zone"], *counted, str(len(entry["columns"])), entry["description"]
        )
    console().print(view)


def print_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """What was checked, and who must act on what is missing."""
    if as_json:
        print_json([finding.as_dict() for finding in findings])
        return
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in findings:
        fine = finding.exit_code == 0
        mark = Text("ok" if fine else "WRONG", style="" if fine else "bold red")
        grid.add_row(mark, Text(finding.subject), Text(printable(finding.detail)))
        if finding.hint:
            grid.add_row("", "", Text(finding.hint))
    console().print(grid)


def print_verification(report: Verification, *, as_json: bool) -> None:
    """What was checked, and every broken promise with ids as examples."""
    if as_json:
        print_json(asdict(report))
        return
    target = console()
    target.print(
        f"{report.documents} documents, {sum(report.rows.values())} rows; evidence of {report.evidence_checked} rows "
        f"equals the canonical text, {report.evidence_masked} rows are masked"
    )
    if not report.findings:
        target.print("clean")
        return
    print_table(
        ["broken", "table", "count", "meaning", "for example"],
        [
            [finding.check, finding.table, finding.count, finding.detail, finding.examples[0]]
            for finding in report.findings
        ],
        whole="--json",
    )


def print_maintenance(found: Sequence[Maintained], *, as_json: bool) -> None:
    """Files before and after, by table."""
    if as_json:
        print_json([asdict(one) for one in found])
        return
    view = sheet()
    for name in ("table", "files before", "files after", "removed", "version"):
        view.add_column(name, justify="left" if name == "table" else "right")
    for one in found:
        view.add_row(
            one.table, str(one.files_before), str(one.files_after), str(one.files_removed), str(one.version)
        )
    console().print(view)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, default=plain, ensure_ascii=False)
    sys.stdout.write("\n")
