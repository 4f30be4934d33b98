"""All tables of the lake by name, in the order in which a batch commits them."""

from __future__ import annotations

from extractor.errors import ConfigError
from extractor.schema import Table
from extractor.tables.documents import DOCUMENTS
from extractor.tables.entities import ENTITIES
from extractor.tables.models import MODELS
from extractor.tables.operations import LEDGER, QUARANTINE, RUNS, SOURCES
from extractor.tables.page_text import PAGE_TEXT
from extractor.tables.relations import RELATIONS
from extractor.tables.snapshots import SNAPSHOTS

DATA_TABLES: tuple[Table, ...] = (PAGE_TEXT, ENTITIES, RELATIONS, QUARANTINE, SOURCES)
"""Tables that hold rows of documents; ``documents`` follows them, the ledger closes the batch."""

TABLES: dict[str, Table] = {
    table.name: table for table in (*DATA_TABLES, DOCUMENTS, RUNS, LEDGER, MODELS, SNAPSHOTS)
}


def table_named(name: str) -> Table:
    """The contract of a table.

    Raises:
        ConfigError: no table has that name.
    """
    try:
        return TABLES[name]
    except KeyError:
        raise ConfigError(f"no table named {name!r}; known: {', '.join(TABLES)}") from None
