"""What rows weigh in a lake on a local disk: the inputs of benchmarks/capacity.py, measured.

    extractor run DOCUMENTS --lake LAKE && python benchmarks/lake_sizes.py LAKE

Per table, of its newest version: rows, rows per page, compressed bytes of a row without what every file carries anyway,
those bytes (schema and statistics in the footer), and bytes of a commit's entry in the log (the first one, which makes
the table, left out).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from report import table

sys.path.insert(0, str(Path(__file__).parents[1]))


def measured(log: Path) -> tuple[int, float, float, int, float]:
    """Rows, compressed bytes of their columns, other bytes of the files, files, mean bytes of a log entry."""
    import pyarrow.parquet as pq
    from deltalake import DeltaTable

    files = [Path(uri) for uri in DeltaTable(str(log.parent)).file_uris()]
    rows = data = other = 0
    for file in files:
        footer = pq.ParquetFile(file).metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        columns = sum(
            group.column(index).total_compressed_size
            for group in groups
            for index in range(footer.num_columns)
        )
        rows += footer.num_rows
        data += columns
        other += file.stat().st_size - columns
    entries = [file.stat().st_size for file in sorted(log.glob("*.json"))[1:]]
    return rows, data, other, len(files), sum(entries) / max(len(entries), 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake", type=Path, help="folder of a lake")
    chosen = parser.parse_args()
    found = {log.parent.name: measured(log) for log in sorted(chosen.lake.glob("*/*/_delta_log"))}
    if "page_text" not in found:
        parser.error("there is no lake with pages in this folder")
    pages = found["page_text"][0]
    documents = found["documents"][0]
    lines = [
        [name, rows, rows / pages, data / max(rows, 1), files, other / max(files, 1), entry]
        for name, (rows, data, other, files, entry) in found.items()
    ]
    headers = ["table", "rows", "per page", "bytes per row", "files", "other bytes per file", "log entry"]
    print(table(headers, lines))
    print(
        f"\n{documents} documents, {pages / documents:.2f} pages each; "
        f"ledger: {found['ledger'][1] / documents:.0f} bytes per document"
    )


if __name__ == "__main__":
    main()
