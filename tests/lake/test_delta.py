"""Tables as they lie on storage: schema, metadata, evolution, and what the log may show."""

import json
from dataclasses import replace

import pytest

from extractor.errors import ContractError, LakeError
from extractor.lake import delta
from extractor.lake.commit import commit
from extractor.lake.store import Lake
from extractor.schema import Column
from extractor.tables import catalogue
from extractor.tables.catalogue import TABLES
from tests.lake.factory import doc_id, make_batch, run_row, settings

A, B = doc_id("a"), doc_id("b")


def fresh(lake):
    return Lake(lake.uri, settings())


def changed(monkeypatch, table, **changes):
    contract = replace(TABLES[table], **changes)
    monkeypatch.setitem(TABLES, table, contract)
    for module in ("extractor.lake.work", "extractor.lake.commit", "extractor.lake.write"):
        tables = tuple(
            contract if one.name == table else one for one in (*catalogue.DATA_TABLES, TABLES["documents"])
        )
        monkeypatch.setattr(f"{module}.BATCH_TABLES", tables)
    return contract


def test_columns_keep_their_class_and_description_after_appends_and_replacements(lake):
    commit(lake, make_batch([A]))
    commit(lake, make_batch([A, B], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    handle = lake.handle("entities")
    stored = {field.name: field.metadata for field in handle.schema().fields}
    assert {name: found["classification"] for name, found in stored.items()} == {
        column.name: column.classification for column in TABLES["entities"].columns
    }
    assert (
        stored["text"]["comment"]
        == next(c for c in TABLES["entities"].columns if c.name == "text").description
    )
    assert handle.metadata().description == TABLES["entities"].description
    assert tuple(handle.metadata().partition_columns) == ("classification", "consent_scope")


def test_the_log_shows_no_value_of_a_guarded_column(lake, tmp_path):
    commit(lake, make_batch([A]))
    commit(lake, make_batch([A], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    for table in ("governed/entities", "restricted/page_text", "restricted/sources"):
        logs = list((tmp_path / "lake" / table / "_delta_log").glob("*.json"))
        assert logs
        for log in logs:
            assert not any(word in log.read_text() for word in ("aspirin", "7.20", "Page 1", "/in/")), log


def test_a_contract_that_gains_a_nullable_column_evolves_the_table_and_old_rows_read_as_null(
    lake, monkeypatch
):
    commit(lake, make_batch([A]))
    extra = Column(name="extra", dtype="decimal", description="Later.", classification="inherit")
    changed(monkeypatch, "entities", columns=(*TABLES["entities"].columns, extra))
    assert fresh(lake).read("entities").column("extra").null_count == 6

    commit(fresh(lake), make_batch([B], run_id="run-2"))

    field = next(f for f in fresh(lake).handle("entities").schema().fields if f.name == "extra")
    assert (field.metadata["classification"], field.nullable) == ("inherit", True)
    assert fresh(lake).read("entities").num_rows == 12


def test_an_older_engine_goes_on_writing_to_a_newer_table(lake, monkeypatch):
    extra = Column(name="extra", dtype="string", description="Later.")
    with monkeypatch.context() as patch:
        changed(patch, "entities", columns=(*TABLES["entities"].columns, extra))
        commit(lake, make_batch([A]))

    commit(fresh(lake), make_batch([B], run_id="run-2"))

    assert fresh(lake).read("entities").num_rows == 12


@pytest.mark.parametrize(
    "change",
    [
        {
            "columns": (
                *TABLES["entities"].columns,
                Column(name="must", dtype="string", description="x", nullable=False),
            )
        },
        {
            "columns": tuple(
                replace(c, dtype="string") if c.name == "page_no" else c for c in TABLES["entities"].columns
            )
        },
        {"partition_by": ("classification",)},
    ],
    ids=["a required column", "another type", "another layout"],
)
def test_a_stored_table_that_contradicts_its_contract_is_refused_and_not_touched(lake, monkeypatch, change):
    commit(lake, make_batch([A]))
    before = lake.version("entities")
    changed(monkeypatch, "entities", **change)

    with pytest.raises(ContractError):
        fresh(lake).writable("entities")
    assert lake.version("entities") == before


def test_what_the_library_says_of_a_bad_row_is_not_passed_on(lake):
    import deltalake
    import pyarrow as pa

    commit(lake, make_batch([A]))
    handle = lake.writable("runs")
    contract = TABLES["runs"]
    nullable = pa.schema([field.with_nullable(True) for field in contract.arrow_schema()])
    row = contract.to_arrow([{**run_row("SECRET"), "kind": None}])
    with pytest.raises(LakeError) as caught, delta.compare_and_swap(handle, "runs", "commit") as properties:
        deltalake.write_deltalake(handle, row.cast(nullable), mode="append", commit_properties=properties)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_strings_are_found_after_a_replacement_rewrote_their_file(lake):
    commit(lake, make_batch([A, B]))
    commit(lake, make_batch([A], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert lake.read("entities", columns=["text"], where="text = 'aspirin'").num_rows == 4
    assert str(lake.read("entities", doc_ids=[B]).schema.field("value").type) == "decimal128(38, 12)"
    assert str(lake.read("documents").schema.field("received_at").type) == "timestamp[us, tz=UTC]"


def test_reading_another_version_and_a_version_that_never_was(lake):
    commit(lake, make_batch([A]))
    commit(lake, make_batch([B], run_id="run-2"))

    assert [lake.read("documents", version=version).num_rows for version in (0, 1, 2)] == [0, 1, 2]
    with pytest.raises(LakeError):
        lake.read("documents", version=99)


def test_the_contract_is_stored_with_the_table(lake):
    commit(lake, make_batch([A]))
    stored = lake.handle("entities").metadata().configuration["extractor.contract"]
    assert json.loads(stored)["zone"] == "governed"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://bucket/lake/", "s3://bucket/lake/governed/entities"),
        ("file:///data/my%20lake", "/data/my lake/governed/entities"),
        ("/data/lake", "/data/lake/governed/entities"),
    ],
)
def test_a_table_lies_in_its_zone_under_the_lake(address, expected):
    assert Lake(address, settings()).table_uri("entities") == expected


@pytest.mark.parametrize("text", ["plain", "O'Brien", "a''b", "%_", "ß\\'"])
def test_a_text_survives_as_a_literal(lake, text):
    row = run_row(text)
    handle = lake.writable("runs")
    delta.write(handle, TABLES["runs"], TABLES["runs"].to_arrow([row]).cast(TABLES["runs"].arrow_schema()))

    assert lake.read("runs", where=f"run_id = {delta.literal(text)}").num_rows == 1
    assert lake.read("runs", where=delta.in_list("run_id", [text, "x"])).num_rows == 1
