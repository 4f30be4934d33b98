"""The command line: what it prints where, and with which code it ends."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from extractor import terminal
from extractor.cli import main
from extractor.lake.sql import QueryLimits, connection, time_limit

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
TALLY = ["seen", "done", "partial", "quarantined", "skipped", "bugs", "pages", "rows", "seconds"]
NOTE = FIXTURES / "clinical" / "progress_note.txt"
LETTER = FIXTURES / "regulatory" / "complete_response_letter.pdf"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in ("LAKE", "CONFIG", "PRINCIPAL", "MODELS", "CONFIGS"):
        monkeypatch.delenv(f"EXTRACTOR_{name}", raising=False)


def cli(*words):
    """One command in this process."""
    return CliRunner().invoke(main, [str(word) for word in words])


def command(*words):
    """One command in a process of its own, as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "extractor", *map(str, words)], capture_output=True, check=False, cwd=ROOT
    )


def ask(demo, principal, sql, *options):
    return cli("query", sql, "--lake", demo.lake, "--as", principal, *options)


def column(demo, principal, sql):
    done = ask(demo, principal, sql, "--format", "json")
    assert done.exit_code == 0, done.output
    return [next(iter(row.values())) for row in json.loads(done.stdout)]


def assert_says(done, exit_code, code):
    """One sentence with its code, then who must act; no traceback, nothing on stdout."""
    assert done.exit_code == exit_code, done.output
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith(f"[{code}]")
    assert re.match(r"[A-Z][\w /.]*: ", lines[1]) or lines[1].startswith("See")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A lake of five documents, what the run said, and the folder they came from."""
    base = tmp_path_factory.mktemp("small")
    (base / "inbox").mkdir()
    names = [
        *("clinical/progress_note.txt", "office/lab_results.csv", "office/certificate_mail.eml"),
        *("hostile/one_broken_page.pdf", "hostile/empty.pdf"),
    ]
    for name in names:
        shutil.copy(FIXTURES / name, base / "inbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_LINE_EVERY_S", 0.0)
        done = cli("run", base / "inbox", "--lake", base / "lake", "--workers", 1, "--json")
    return base, done


# -- run


def test_a_run_prints_its_tally_as_json_and_progress_on_stderr_only(small):
    _, done = small
    assert done.exit_code == 0, done.output

    tally = json.loads(done.stdout)

    assert list(tally) == TALLY
    assert [tally[name] for name in TALLY[:7]] == [7, 5, 1, 1, 0, 0, 7]
    assert tally["rows"]["documents"] == tally["rows"]["sources"] == 7
    assert tally["seen"] == sum(tally[name] for name in TALLY[1:6])
    lines = done.stderr.strip().splitlines()
    assert lines
    assert all(
        re.fullmatch(r"\d+/\d+ documents, [\d.]+ pages/s(, about \d+ s left)?", line) for line in lines
    )


def test_running_again_adds_nothing(small):
    base, _ = small
    before = sorted((base / "lake").rglob("*"))

    done = cli("run", base / "inbox", "--lake", base / "lake", "--workers", 1, "--json")

    tally = json.loads(done.stdout)
    assert (tally["skipped"], tally["done"], tally["rows"]) == (5, 0, {})
    assert sorted((base / "lake").rglob("*")) == before


def test_sources_may_come_from_stdin(small, tmp_path):
    base, _ = small
    addresses = f"{base / 'inbox' / 'lab_results.csv'}\n\n"

    done = CliRunner().invoke(
        main, ["run", "-", "--lake", str(tmp_path / "lake"), "--workers", "1"], input=addresses
    )

    assert done.exit_code == 0, done.output
    assert re.search(r"seen +done.*\n.*\n +1 +1 +0 +0 +0 +0", done.stdout)
    assert re.search(r"documents +1\n", done.stdout)


@pytest.mark.parametrize(
    ("manifest", "code", "words"),
    [
        (
            "path,clasification\na,PHI\n",
            "config.invalid",
            "line 2: unknown column 'clasification'; did you mean classification?",
        ),
        ("path,classification\na,PHI\nb,secret\n", "config.invalid", "line 3: the policy declares no class"),
        ("path,received_at\na,yesterday\n", "config.invalid", "line 2: received_at is no ISO 8601 date"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_line(manifest, code, words, tmp_path):
    (tmp_path / "manifest.csv").write_text(manifest)

    done = cli("run", NOTE, "--lake", tmp_path / "lake", "--manifest", tmp_path / "manifest.csv")

    assert_says(done, 2, code)
    assert words in done.stderr
    assert not (tmp_path / "lake").exists()


def test_manifest_lines_that_match_no_source_are_counted_on_stderr(tmp_path):
    (tmp_path / "a.txt").write_text("Given 40 mg.")
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,study_id\na.txt,S1\nb.txt,S2\nc.txt,S3\n")

    done = cli("run", tmp_path / "a.txt", "--lake", tmp_path / "lake", "--manifest", manifest, "--json")

    assert (done.exit_code, list(json.loads(done.stdout))) == (0, TALLY)
    assert done.stderr.splitlines()[-1] == "2 lines of the manifest match no source: 3, 4"


def test_a_bug_ends_with_70_and_tells_its_place_but_not_its_words(monkeypatch, tmp_path):
    def broken(*_, **__):
        raise ValueError("subject 1234 had a headache")

    monkeypatch.setattr("extractor.config.load_config", broken)

    done = cli("maintain", "--lake", tmp_path)

    assert done.exit_code == 70
    assert done.stderr.startswith("[bug.ValueError] ValueError in broken:")
    assert done.stderr.splitlines()[1].startswith("Developer: ")
    assert "headache" not in done.output
    assert "Traceback" not in done.stderr


def test_nobody_works_with_no_workers(tmp_path):
    done = cli("run", NOTE, "--lake", tmp_path / "lake", "--workers", 0)

    assert done.exit_code == 2
    assert "--workers" in done.stderr


def test_a_source_that_does_not_exist_is_named_by_its_place(tmp_path):
    done = cli("run", NOTE, tmp_path / "Jane Roe.pdf", "--lake", tmp_path / "lake")

    assert_says(done, 2, "config.invalid")
    assert "source 2 of 2 does not exist" in done.stderr
    assert "Jane" not in done.stderr


def test_a_setting_that_does_not_exist_is_refused_with_its_neighbour(tmp_path):
    (tmp_path / "my.yaml").write_text("limits: {page_times: 3}\n")

    done = cli("text", NOTE, "--config", tmp_path / "my.yaml")

    assert_says(done, 2, "config.invalid")
    assert "unknown setting limits.page_times; did you mean limits.page_time_s?" in done.stderr


# -- text and preview


def test_text_prints_the_canonical_text_and_nothing_else():
    done = command("text", NOTE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == NOTE.read_bytes()


def test_text_as_json_has_pages_words_and_tables():
    done = cli("text", FIXTURES / "office" / "lab_results.csv", "--json")

    document = json.loads(done.stdout)
    (page,) = document["pages"]
    assert (document["media_type"], document["status"]) == ("text/csv", "extracted")
    assert re.fullmatch(r"[0-9a-f]{64}", document["doc_id"])
    assert {"page_no", "width_pt", "height_pt", "source", "text", "words", "tables", "confidence"} <= set(
        page
    )
    assert all(page["text"][word["start"] : word["end"]] == word["text"] for word in page["words"])
    (table,) = page["tables"]
    assert (table["row_count"], table["column_count"], table["rows"][1][3]) == (7, 10, "99.6")


def test_text_names_the_pages_that_could_not_be_read():
    done = cli("text", FIXTURES / "hostile" / "one_broken_page.pdf")

    assert done.exit_code == 0
    assert done.stdout.count("\f") == 2
    assert done.stderr == "page 2 could not be read: input.corrupt\n"


@pytest.mark.parametrize(
    ("name", "code"), [("encrypted.pdf", "input.encrypted"), ("unknown_type.lsb", "input.unsupported")]
)
def test_a_document_that_cannot_be_read_ends_with_4_and_its_code(name, code):
    done = cli("text", FIXTURES / "hostile" / name)

    assert_says(done, 4, code)
    assert name not in done.stderr


def test_a_file_that_does_not_exist_is_not_named(tmp_path):
    assert_says(cli("text", tmp_path / "Jane Roe.pdf"), 4, "input.unreadable")


def test_preview_marks_findings_in_the_text():
    done = cli("preview", NOTE)

    assert done.exit_code == 0, done.output
    assert "[Bisoprolol|drug] [5 mg|dose] [PO|route] [once daily|frequency]" in done.stdout


def test_preview_writes_one_page_of_html(tmp_path):
    done = cli("preview", LETTER, "--html", tmp_path / "letter.html")

    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    page = (tmp_path / "letter.html").read_text()
    assert "liver injury" in page
    assert not re.search(r"(src|href)=[\"']https?:", page)


# -- query


def test_an_analyst_sees_no_row_of_the_strictest_class_and_a_steward_sees_all(demo):
    sql = "select distinct classification from entities order by 1"

    assert column(demo, "analyst", sql) == ["de-identified", "non-human", "public"]
    assert column(demo, "steward", sql) == ["PHI", "de-identified", "non-human", "public"]


def test_csv_json_and_parquet_hold_the_same_rows_in_full(demo, tmp_path):
    sql = "select row_id, text, value from entities where type = 'measurement' order by row_id limit 3"

    rows = json.loads(ask(demo, "manufacturing", sql, "--format", "json").stdout)
    lines = list(csv.DictReader(io.StringIO(ask(demo, "manufacturing", sql, "--format", "csv").stdout)))
    binary = pq.read_table(
        io.BytesIO(ask(demo, "manufacturing", sql, "--format", "parquet").stdout_bytes)
    ).to_pylist()
    written = ask(demo, "manufacturing", sql, "--format", "parquet", "--output", tmp_path / "rows.parquet")

    assert len(rows) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["row_id"]) for row in rows)
    assert lines == rows
    assert [(row["row_id"], row["text"]) for row in binary] == [(row["row_id"], row["text"]) for row in rows]
    assert (written.exit_code, written.stdout) == (0, "")
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == binary


def test_a_table_for_people_has_short_ids_that_show_takes(demo):
    sql = "select row_id from entities where type = 'lot_no' order by row_id limit 1"
    done = ask(demo, "manufacturing", sql)
    short = re.search(r"^[0-9a-f]{12}$", done.stdout, re.MULTILINE)

    chain = cli("show", short.group(), "--lake", demo.lake, "--as", "manufacturing", "--json")

    assert "1 row; ids shortened, in full with --format csv" in done.stdout
    assert [json.loads(chain.stdout)["row_id"]] == column(demo, "manufacturing", sql)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select * from page_text", "policy.denied"),
        ("select * from read_csv('/etc/passwd')", "query.refused"),
        ("copy entities to 'stolen.csv'", "query.refused"),
        ("select * from 'configs/policy.yaml'", "query.invalid"),
        ("select * from entities; drop table entities", "query.refused"),
        ("attach 'other.db'", "query.refused"),
        ("select nothing from entities", "query.invalid"),
    ],
)
def test_a_query_cannot_leave_what_the_principal_may_see(demo, sql, code):
    assert_says(ask(demo, "analyst", sql), 8, code)


def test_a_principal_that_the_policy_does_not_know_sees_nothing(demo):
    assert_says(ask(demo, "mallory", "select 1"), 8, "policy.denied")


def test_an_answer_that_cannot_be_written_is_the_callers_to_mend(demo, tmp_path):
    done = ask(
        demo, "analyst", "select 1 as one", "--format", "csv", "--output", tmp_path / "no" / "rows.csv"
    )

    assert_says(done, 2, "config.invalid")


def test_a_lake_that_is_not_there_is_said_to_be_not_there(tmp_path):
    assert_says(cli("documents", "--lake", tmp_path / "none", "--as", "steward"), 7, "lake.failed")


def test_no_library_speaks_when_a_query_ends(demo):
    done = command("query", "select count(*) as n from entities", "--lake", demo.lake, "--as", "analyst")

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_log_lines_of_the_lake_s_library_are_off(demo, monkeypatch):
    monkeypatch.delenv("RUST_LOG", raising=False)
    assert ask(demo, "analyst", "select 1 as one").exit_code == 0

    assert os.environ["RUST_LOG"] == "off"


def test_no_thread_outlives_the_time_limit_of_a_query():
    """A thread that lives at exit holds the connection, and DuckDB then reports leaked objects on stderr."""
    before = threading.active_count()
    door = connection(QueryLimits())
    with time_limit(door, 60):
        door.execute("select 1").fetchall()
    door.close()

    assert threading.active_count() == before


# -- show


def drug_row(demo, where):
    sql = f"select row_id from entities where type = 'drug' and {where} order by row_id limit 1"
    return column(demo, "steward", sql)[0]


def test_show_follows_a_row_to_the_paper_and_crops_it(demo, tmp_path):
    row_id = drug_row(demo, "classification = 'non-human' and len(boxes) > 0")

    done = cli(
        "show",
        row_id,
        "--lake",
        demo.lake,
        "--as",
        "manufacturing",
        "--crop",
        tmp_path / "crop.png",
        "--json",
    )

    chain = json.loads(done.stdout)
    assert chain["row_id"] == row_id
    assert {"values", "evidence", "governance", "document", "maker", "run", "commits"} <= set(chain)
    assert (tmp_path / "crop.png").read_bytes().startswith(b"\x89PNG")


def test_show_gives_no_picture_to_roles_without_pictures(demo, tmp_path):
    row_id = drug_row(demo, "classification = 'non-human' and len(boxes) > 0")
    crop = tmp_path / "crop.png"

    assert cli("show", row_id, "--lake", demo.lake, "--as", "analyst").exit_code == 0
    assert_says(
        cli("show", row_id, "--lake", demo.lake, "--as", "analyst", "--crop", crop), 8, "policy.denied"
    )
    assert not crop.exists()


def test_a_hidden_row_looks_like_a_row_that_does_not_exist(demo):
    hidden = cli("show", drug_row(demo, "classification = 'PHI'"), "--lake", demo.lake, "--as", "analyst")
    absent = cli("show", "0" * 64, "--lake", demo.lake, "--as", "analyst")

    assert (hidden.exit_code, hidden.stderr) == (absent.exit_code, absent.stderr) == (8, absent.stderr)


# -- lists


def test_documents_are_listed_by_status(demo):
    base = ("documents", "--lake", demo.lake, "--as", "steward")

    refused = json.loads(cli(*base, "--status", "quarantined", "--json").stdout)
    shown = cli(*base, "--limit", 3)

    assert {row["status"] for row in refused} == {"quarantined"}
    assert len(refused) == 11
    assert "3 rows; ids shortened, in full with --json" in shown.stdout


def test_tables_are_listed_with_and_without_a_lake(demo):
    without = json.loads(cli("tables", "--json").stdout)
    seen = json.loads(cli("tables", "--lake", demo.lake, "--as", "analyst", "--json").stdout)

    assert {entry["table"] for entry in without} >= {"documents", "entities", "page_text", "quarantine"}
    assert all("rows" not in entry and entry["columns"] for entry in without)
    assert {entry["table"] for entry in seen} == {"documents", "entities", "relations", "quarantine", "runs"}
    assert {entry["table"]: entry["rows"] for entry in seen}["entities"] > 100
    assert "what it holds" in cli("tables").stdout


def test_the_quarantine_lists_codes_and_says_once_who_must_act(demo):
    base = ("quarantine", "list", "--lake", demo.lake, "--as", "steward")

    rows = json.loads(cli(*base, "--code", "input.encrypted", "--json").stdout)
    shown = cli(*base).stdout

    assert [(row["scope"], row["code"]) for row in rows] == [("document", "input.encrypted")] * 2
    assert shown.count("supply an unlocked copy") == 1


def test_retry_tries_refused_documents_again(small, tmp_path):
    base, _ = small
    shutil.copytree(base / "lake", tmp_path / "lake")

    base_words = ("quarantine", "retry", "--lake", tmp_path / "lake", "--workers", 1, "--json")
    nothing = json.loads(cli(*base_words).stdout)
    everything = json.loads(cli(*base_words, "--all").stdout)

    assert nothing["seen"] == 0
    assert [everything[name] for name in TALLY[:6]] == [2, 0, 1, 1, 0, 0]


# -- check, verify, maintain


def test_check_is_content_with_a_complete_installation(demo):
    done = cli("check", "--lake", demo.lake, "--json")

    findings = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert {finding["ok"] for finding in findings} == {True}
    assert {"configuration", "policy", "extractors and OCR", "lake"} <= {item["subject"] for item in findings}


def test_check_ends_with_2_when_the_settings_are_wrong(tmp_path):
    (tmp_path / "my.yaml").write_text("limits: {page_time_s: soon}\n")

    done = cli("check", "--config", tmp_path / "my.yaml")

    assert done.exit_code == 2
    assert "WRONG  configuration" in done.stdout
    assert "limits.page_time_s" in done.stdout


def test_check_ends_with_3_when_the_models_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("EXTRACTOR_MODELS", str(tmp_path))

    done = command("check")

    assert done.returncode == 3
    assert b"WRONG  extractors and OCR" in done.stdout
    assert done.stderr == b""


def test_verify_finds_nothing_in_a_sound_lake(demo):
    done = cli("verify", "--lake", demo.lake)

    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("clean\n")


def test_verify_ends_with_7_when_rows_are_gone(small, tmp_path):
    from deltalake import DeltaTable

    base, _ = small
    shutil.copytree(base / "lake", tmp_path / "lake")
    DeltaTable(str(tmp_path / "lake" / "governed" / "entities")).delete("type = 'drug'")

    done = cli("verify", "--lake", tmp_path / "lake")
    report = json.loads(cli("verify", "--lake", tmp_path / "lake", "--json").stdout)

    assert done.exit_code == 7
    assert "a document has more or fewer rows than the ledger says" in done.stdout
    assert "[lake.inconsistent]" in done.stderr
    assert {(found["check"], found["table"]) for found in report["findings"]} == {("count", "entities")}


def test_maintain_keeps_a_sound_lake_sound(small, tmp_path):
    base, _ = small
    shutil.copytree(base / "lake", tmp_path / "lake")

    done = cli("maintain", "--lake", tmp_path / "lake", "--json")

    assert {"table", "files_before", "files_after", "version"} <= set(json.loads(done.stdout)[0])
    assert cli("verify", "--lake", tmp_path / "lake").exit_code == 0
