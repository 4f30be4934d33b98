"""What a principal asks in SQL, and what it never gets however it asks."""

import time
from pathlib import Path

import pytest

from extractor.errors import AccessDeniedError, LakeError, PolicyError
from extractor.lake import delta
from extractor.lake.commit import append_run, commit
from extractor.lake.query import _relation, query, readable_tables
from extractor.lake.snapshot import snapshot
from extractor.lake.sql import QueryLimits, connection
from extractor.lake.store import Lake
from extractor.lake.work import Work
from extractor.tables.catalogue import TABLES
from tests.lake.factory import doc_id, make_batch, run_row, settings

HIDDEN = doc_id("hidden")
OPEN = doc_id("open")
STUDY = doc_id("study")
NO_CONSENT = doc_id("no consent")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("query") / "lake"), settings())
    commit(lake, make_batch([HIDDEN], study_id="SECRET-STUDY", classification="PHI"))
    commit(lake, make_batch([OPEN], classification="public", consent_scope="none"))
    commit(lake, make_batch([STUDY], classification="de-identified", consent_scope="research_only"))
    commit(lake, make_batch([NO_CONSENT], classification="de-identified", consent_scope="none"))
    append_run(lake, run_row("run-1"))
    return lake


@pytest.fixture
def ask(lake, policy):
    return lambda principal, sql, **limits: query(lake, policy.access(principal), sql, QueryLimits(**limits))


@pytest.mark.parametrize(
    ("principal", "seen"),
    [
        ("steward", {HIDDEN, OPEN, STUDY, NO_CONSENT}),
        ("clinician", {HIDDEN, OPEN, STUDY, NO_CONSENT}),
        ("analyst", {OPEN, STUDY}),
        ("manufacturing", {OPEN}),
        ("partner", {OPEN}),
    ],
)
def test_a_principal_sees_rows_of_its_classes_and_consents(ask, policy, principal, seen):
    rows = ask(
        principal, "select distinct doc_id, classification, consent_scope from entities"
    ).rows.to_pylist()

    assert {row["doc_id"] for row in rows} == seen
    assert all(
        policy.access(principal).sees(
            "entities", classification=row["classification"], consent_scope=row["consent_scope"]
        )
        for row in rows
    )


@pytest.mark.parametrize("principal", ["steward", "clinician", "analyst", "manufacturing", "partner"])
def test_the_readable_tables_are_those_a_query_answers(ask, policy, principal):
    readable = {table.name for table in readable_tables(policy.access(principal))}
    for name in ("page_text", "entities", "quarantine", "sources", "documents", "runs", "ledger"):
        if name in readable:
            assert ask(principal, f"select count(*) from {name}").rows.num_rows == 1
        else:
            with pytest.raises(AccessDeniedError, match="not granted"):
                ask(principal, f"select count(*) from {name}")
    assert (
        readable
        == {
            "steward": {
                "page_text",
                "entities",
                "relations",
                "quarantine",
                "sources",
                "documents",
                "runs",
                "ledger",
                "models",
                "snapshots",
            },
            "clinician": {"documents", "entities", "relations"},
            "analyst": {"documents", "entities", "relations", "quarantine", "runs"},
            "manufacturing": {"documents", "entities", "relations", "quarantine"},
            "partner": {"entities", "relations"},
        }[principal]
    )


def test_joins_common_tables_subqueries_and_decimals_work(ask):
    answer = ask(
        "analyst",
        "with e as (select * from Entities where value > 7) select d.doc_id, max(e.value) as top "
        "from documents d join e using (doc_id) where d.doc_id in (select doc_id from main.entities) group by 1",
    )
    assert {row["doc_id"]: str(row["top"]) for row in answer.rows.to_pylist()} == {
        OPEN: "7.200000000000",
        STUDY: "7.200000000000",
    }


def test_a_role_without_the_restricted_mark_gets_no_restricted_column(lake, policy):
    role = policy.roles["steward"].model_copy(
        update={"restricted": False, "tables": ("documents", "sources", "page_text")}
    )
    changed = policy.model_copy(
        update={"roles": {**policy.roles, "reader": role}, "principals": {"r": ("reader",)}}
    )
    assert [table.name for table in readable_tables(changed.access("r"))] == ["documents"]


def test_sources_are_as_visible_as_their_documents(lake, policy):
    role = policy.roles["steward"].model_copy(update={"minimum_consent": "research_only"})
    changed = policy.model_copy(update={"roles": {"half": role}, "principals": {"h": ("half",)}})

    rows = query(lake, changed.access("h"), "select doc_id, uri from sources").rows

    assert set(rows.column("doc_id").to_pylist()) == {HIDDEN, OPEN, STUDY}


def test_unknown_names_get_a_near_match_among_the_readable_only(ask):
    with pytest.raises(PolicyError, match="did you mean entities"):
        ask("partner", "select * from entites")
    with pytest.raises(PolicyError) as caught:
        ask("partner", "select * from page_txt")
    assert "page_text" not in str(caught.value)


def test_a_principal_that_the_policy_does_not_name_is_refused(policy):
    with pytest.raises(AccessDeniedError):
        policy.access("nobody")


ATTACKS = [
    "select * from page_text",
    "select * from sources",
    "select * from main.page_text",
    "select * from memory.main.sources",
    "select * from temp.main.page_text",
    "select * from '{root}/restricted/page_text/*/*/*.parquet'",
    "select * from read_parquet('{file}')",
    "select * from parquet_scan('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from read_csv('{file}')",
    "select * from read_csv_auto('/etc/passwd')",
    "select * from read_text('{log}')",
    "select * from read_blob('{log}')",
    "select * from read_json('{log}')",
    "select * from read_json_auto('{log}')",
    "select * from glob('{root}/**')",
    "select * from sniff_csv('{log}')",
    "select * from delta_scan('{root}/restricted/page_text')",
    "select * from arrow_scan(1, 2, 3)",
    "select * from query('select * from page_text')",
    "select * from query_table('page_text')",
    "select * from query_table(['page_text', 'sources'], true)",
    "from query('from page_text')",
    "summarize page_text",
    "select * from (summarize page_text)",
    "describe page_text",
    "select * from (describe sources)",
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from duckdb_tables()",
    "select * from duckdb_views()",
    "select * from duckdb_columns()",
    "select * from duckdb_databases()",
    "select * from duckdb_functions()",
    "select * from pragma_table_info('page_text')",
    "select * from pragma_database_list()",
    "select * from information_schema.tables",
    "select * from information_schema.columns",
    "select * from pg_catalog.pg_class",
    "select * from sqlite_master",
    "select getenv('HOME')",
    "select current_setting('secret_directory')",
    "select getvariable('x')",
    "copy entities to '{root}/stolen.csv'",
    "copy (select * from entities) to '{root}/stolen.parquet' (format parquet)",
    "copy entities from '{file}'",
    "export database '{root}/stolen'",
    "import database '{root}/stolen'",
    "attach '{root}/stolen.db' as stolen",
    "attach ':memory:' as other",
    "detach memory",
    "use temp",
    "install httpfs",
    "load httpfs",
    "force install delta",
    "pragma database_list",
    "pragma table_info('page_text')",
    "pragma show_tables",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '{root}'",
    "set python_enable_replacements = true",
    "reset enable_external_access",
    "prepare p as select * from page_text",
    "execute p",
    "call pragma_version()",
    "create table t as select * from page_text",
    "create view v as select * from page_text",
    "create macro m() as table select * from page_text",
    "create secret s (type s3)",
    "create function f() as 1",
    "insert into entities select * from entities",
    "update entities set text = 'x'",
    "delete from entities",
    "drop table entities",
    "alter table entities rename to e",
    "vacuum",
    "checkpoint",
    "explain select * from page_text",
    "explain analyze select * from page_text",
    "select 1; select * from page_text",
    "select * from entities; drop table entities",
    "with x as (insert into entities select * from entities returning *) select * from x",
    "select * from secret_frame",
    "select * from lake_rows",
    "select * from 's3://bucket/key.parquet'",
    "select * from 'http://127.0.0.1:9/x.parquet'",
    "from page_text select *",
    "table page_text",
    "select * from entities union all by name select * from page_text",
    "select (select text from page_text limit 1) from entities",
    "select * from entities where exists (select 1 from sources)",
    "select * from entities, lateral (select * from page_text) x",
    "with recursive r as (select 1 as n union all select n + 1 from r, page_text) select * from r",
    "pivot page_text on page_no using count(*)",
    "select * from entities at (version => 1)",
    "",
    "select",
    "--",
]  # fmt: skip
SECRETS = ("SECRET-STUDY", HIDDEN, NO_CONSENT, "/in/", "Page 1 of", "root:", "jane@example.org")


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture
def places(lake):
    root = lake.uri
    return {
        "root": root,
        "file": lake.handle("page_text").file_uris()[0],
        "log": f"{root}/restricted/page_text/_delta_log/00000000000000000001.json",
    }


@pytest.fixture(scope="module")
def everything(lake):
    return lake.read("page_text")


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_hidden_comes_back_from(lake, ask, everything, places, attack, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    secret_frame = lake_rows = everything  # noqa: F841  # Python variables near the call
    before = names_in(places["root"])

    with pytest.raises(PolicyError) as caught:
        ask("analyst", attack.format(**places))

    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert names_in(places["root"]) == before
    assert names_in(tmp_path) == []


def test_nothing_hidden_comes_back_even_without_the_check_of_the_statement(
    lake, policy, places, monkeypatch, tmp_path
):
    import duckdb

    monkeypatch.chdir(tmp_path)
    before = names_in(places["root"])
    access = policy.access("analyst")
    granted = {table.name: table.columns for table in readable_tables(access)}
    view = snapshot(lake, granted)
    relations = {
        name: _relation(view, access, TABLES[name], columns, []) for name, columns in granted.items()
    }
    answered = 0
    for attack in ATTACKS:
        door = connection(QueryLimits())
        for name, relation in relations.items():
            door.register(name, relation)
        try:
            result = door.execute(attack.format(**places))
            rows = result.fetchall() if result else []
        except duckdb.Error as error:
            rows = str(error)
        else:
            answered += 1
        assert not any(secret in str(rows) for secret in SECRETS if secret not in attack), attack
        door.close()
    assert answered > 20  # settings, catalogues and changes of the empty database answer, and hold nothing
    assert names_in(places["root"]) == before
    assert names_in(tmp_path) == []


def test_errors_met_while_rows_are_read_do_not_say_which_value_it_was(ask):
    for sql in (
        "select cast(source_text as int) from entities",
        "select error(source_text) from entities",
        "select cast(text as date) from entities",
    ):
        with pytest.raises(PolicyError) as caught:
            ask("analyst", sql)
        assert "aspirin" not in str(caught.value)
        assert caught.value.code == "query.invalid"
        assert caught.value.__cause__ is None


def test_a_wrong_column_is_named(ask):
    with pytest.raises(PolicyError, match="drugg"):
        ask("analyst", "select drugg from entities")


def test_a_query_that_takes_too_long_is_stopped(ask):
    started_s = time.monotonic()
    with pytest.raises(PolicyError) as caught:
        ask(
            "analyst",
            "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7",
            seconds=0.3,
        )
    assert caught.value.code == "query.time"
    assert time.monotonic() - started_s < 5


def test_a_query_that_needs_too_much_memory_is_stopped(ask):
    for sql in (
        "select list(a.range::varchar) from range(30000000) a",
        "select a.range::varchar || repeat('x', 100) as x from range(30000000) a",
    ):
        with pytest.raises(PolicyError) as caught:
            ask("analyst", sql, memory_mb=64)
        assert caught.value.code == "query.memory"


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * 5_000 + "1" + ")" * 5_000,
        "select 1" + " + 1" * 5_000,
        "select " + "abs(" * 2_000 + "1" + ")" * 2_000,
        "select * from " + "(select * from " * 500 + "entities" + ")" * 500,
    ],
    ids=["parentheses", "a long sum", "nested calls", "nested selects"],
)
def test_a_deeply_nested_statement_is_an_answer_or_a_refusal_never_a_crash(ask, sql):
    try:
        codes = {"answered": ask("analyst", sql).rows.num_rows}
    except PolicyError as error:
        codes = {error.code: 1}
    assert codes.keys() <= {"answered", "query.invalid", "query.refused"}


@pytest.mark.parametrize(
    ("sql", "limit", "expected"), [("from entities", 5, (5, True)), ("from runs", 1, (1, False))]
)
def test_an_answer_is_cut_at_the_row_limit_and_says_so(ask, sql, limit, expected):
    answer = ask("steward", sql, rows=limit)
    assert (answer.rows.num_rows, answer.truncated) == expected


def test_documents_of_an_unfinished_batch_are_left_out_of_every_table_and_counted(
    tmp_path, policy, monkeypatch
):
    lake = Lake(str(tmp_path / "lake"), settings())
    commit(lake, make_batch([OPEN, STUDY]))

    def die(_work):
        raise LakeError("power cut")

    monkeypatch.setattr(Work, "complete", die)
    with pytest.raises(LakeError):
        commit(lake, make_batch([STUDY], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    for table in ("page_text", "entities", "documents", "sources"):
        answer = query(lake, policy.access("steward"), f"select distinct doc_id from {table}")
        assert (answer.rows.column("doc_id").to_pylist(), answer.documents_in_work) == ([OPEN], 1)


def test_a_batch_that_lands_while_the_tables_are_opened_is_seen_in_all_of_them_or_in_none(
    tmp_path, policy, monkeypatch
):
    lake = Lake(str(tmp_path / "lake"), settings())
    commit(lake, make_batch([OPEN]))
    other = Lake(lake.uri, settings())
    real = delta.open_table
    batches = iter(
        [make_batch([STUDY]), make_batch([OPEN], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb", pages=1)]
    )

    def then_written(*arguments, **options):
        handle = real(*arguments, **options)
        if options["name"] in {"entities", "documents"} and (batch := next(batches, None)):
            commit(other, batch)
        return handle

    commit(other, make_batch([HIDDEN]))  # handles of the other writer are open from here on
    monkeypatch.setattr(delta, "open_table", then_written)
    counts = "select d.doc_id, count(e.row_id) as n from documents d left join entities e using (doc_id) group by 1"
    answer = query(lake, policy.access("steward"), counts)

    assert {row["doc_id"]: row["n"] for row in answer.rows.to_pylist()} == {HIDDEN: 6}
    assert answer.documents_in_work == 2


def test_only_files_and_columns_that_are_needed_are_read(lake, policy, monkeypatch):
    seen = []
    scan = delta.scan

    def spy(handle, schema, *, where=None, what):
        seen.append((handle.metadata().name, tuple(schema.names), where))
        return scan(handle, schema, where=where, what=what)

    monkeypatch.setattr(delta, "scan", spy)
    query(lake, policy.access("partner"), "select count(*) from entities where type = 'drug'")

    columns, where = next((columns, where) for name, columns, where in seen if name == "entities")
    assert set(columns) == {"row_id", "type"}  # the engine counts by the first column
    handle = lake.handle("entities")
    assert len(handle.file_uris(file_pruning_predicate=where)) == 1 < len(handle.file_uris())


def test_a_store_that_fails_while_a_query_runs_is_the_lakes_failure(lake, policy, monkeypatch):
    import pyarrow as pa

    class Broken:
        schema = pa.schema([])

        def __arrow_c_stream__(self, requested_schema=None):
            raise OSError("disk gone: /secret/path")

    import deltalake

    real = deltalake.DeltaTable.scan
    monkeypatch.setattr(
        deltalake.DeltaTable,
        "scan",
        lambda self, **options: Broken() if "entities" in self.table_uri else real(self, **options),
    )
    with pytest.raises(LakeError) as caught:
        query(lake, policy.access("steward"), "select count(*) from entities")
    assert "secret" not in str(caught.value)


def test_a_lake_that_is_not_there_is_an_error_and_not_an_empty_answer(tmp_path, policy):
    with pytest.raises(LakeError, match="no lake"):
        query(Lake(str(tmp_path / "typo"), settings()), policy.access("steward"), "select 1")


def test_the_connection_reads_no_file_and_keeps_its_settings(tmp_path):
    import duckdb

    (tmp_path / "x.csv").write_text("a\n1\n")
    door = connection(QueryLimits())
    for sql in (
        f"from '{tmp_path}/x.csv'",
        f"copy (select 1) to '{tmp_path}/y.csv'",
        "set enable_external_access=true",
    ):
        with pytest.raises(duckdb.Error):
            door.execute(sql)
    assert door.execute("select value from duckdb_settings() where name = 'allowed_paths'").fetchall() == [
        ("[]",)
    ]
