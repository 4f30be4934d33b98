"""The commands around better models: reprocess, its dry run, its queue, and the way back."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from extractor.cli import main
from extractor.lake.changes import compare_rows
from extractor.lake.commit import commit
from extractor.lake.store import Lake
from extractor.queues.opening import open_queue
from tests.lake.factory import doc_id, make_batch, settings

A, B, C = (doc_id(name) for name in "abc")
WORDS = {"words": ["aspirin", "Page"], "version": "2.0", "score": 0.9}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in ("LAKE", "CONFIG", "PRINCIPAL", "MODELS", "CONFIGS", "QUEUE"):
        monkeypatch.delenv(f"EXTRACTOR_{name}", raising=False)


@pytest.fixture
def lake(tmp_path):
    """Two secret documents and a public one."""
    found = Lake(str(tmp_path / "lake"), settings())
    commit(found, make_batch([A, B]))
    commit(found, make_batch([C], classification="public", study_id="S-2", statuses={C: "partial"}))
    return found


class Settings:
    """A settings file whose extractor finds given words."""

    def __init__(self, path):
        self.path = path
        self.write()

    def write(self, **options):
        words = {"name": "tests.faults.extractors:WordExtractor", "options": WORDS | options}
        found = {
            "plugins": ["tests"],
            "extractors": [words, {"name": "identifier"}],
            "refiners": [],
            "relators": [],
            "ocr": {"second_engine": None},
        }
        self.path.write_text(yaml.safe_dump(found))


@pytest.fixture
def config(tmp_path):
    return Settings(tmp_path / "settings.yaml")


def cli(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def assert_says(done, exit_code, code, *told):
    assert done.exit_code == exit_code, done.output
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith(f"[{code}]")
    assert all(one in lines[0] for one in told)
    assert re.match(r"[A-Z][\w /.]*: ", lines[1])
    assert done.stdout == ""


def test_a_better_model_runs_over_the_lake_and_is_taken_back(lake, config):
    before = lake.read("entities")
    ran = cli("reprocess", "--lake", lake.uri, "--config", config.path, "--workers", 1, "--json")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["seen"], told["done"], told["partial"], told["failed"], told["current"]) == (3, 2, 1, [], 0)
    assert told["files_rewritten"] == {"1": 2}
    assert {row["model_version"] for row in lake.read("entities", where="type = 'drug'").to_pylist()} == {
        "2.0"
    }
    assert cli("verify", "--lake", lake.uri).exit_code == 0

    back = cli("rollback", told["run_id"], "--lake", lake.uri)

    assert back.exit_code == 0, back.output
    assert "3 of 3 documents stand as they were before; this is run " in back.stdout
    assert compare_rows("entities", before, lake.read("entities")).is_empty
    assert cli("verify", "--lake", lake.uri).exit_code == 0
    kinds = [row["kind"] for row in lake.read("runs").to_pylist()]
    assert sorted(kinds) == ["reprocess", "rollback"]
    again = cli("rollback", told["run_id"], "--lake", lake.uri, "--json")
    assert json.loads(again.stdout)["superseded"] == 3


def test_people_are_told_what_was_done_and_why_some_keep_their_rows(lake, config):
    lake.handle("entities").update(
        {"review_status": "'accepted'"}, predicate=f"doc_id = '{A}' AND type = 'drug'"
    )
    shared = ("--lake", lake.uri, "--config", config.path, "--workers", 1)

    some = cli("reprocess", *shared, "--study", "S-2")
    rest = cli("reprocess", *shared)

    assert "pipeline" in some.stdout
    assert "files of entities that were replaced: 1 once" in some.stdout
    assert "1 documents are of this pipeline already" in rest.stdout
    assert "entities: 2 reviewed rows stay, 2 new ones gave way to them" in rest.stdout
    assert (some.exit_code, rest.exit_code) == (0, 0)


def test_a_bug_of_the_new_model_ends_with_its_exit_code_and_names_documents_only(lake, config):
    config.write(words=["aspirin"], score=2.0)  # no score of an entity is that high

    done = cli("reprocess", "--lake", lake.uri, "--config", config.path, "--workers", 1)

    assert done.exit_code == 70
    assert "3 documents failed and keep their rows" in done.stdout
    assert "bug.ValueError" in done.stdout
    assert A[:12] in done.stdout
    assert "aspirin" not in done.stdout + done.stderr
    assert lake.read("entities").num_rows == 18


def test_a_dry_run_tells_what_would_change_and_shows_it_to_who_may_see_it(lake, config):
    version = lake.version("ledger")
    shared = ("reprocess", "--lake", lake.uri, "--config", config.path, "--workers", 1, "--dry-run")

    shown = cli(*shared, "--as", "steward")
    counted = cli(*shared, "--sample", 2, "--json")

    assert (shown.exit_code, counted.exit_code) == (0, 0)
    assert "nothing was written; tried on 3 of 3 documents" in shown.stdout
    assert "aspirin" in shown.stdout
    told = json.loads(counted.stdout)
    assert (told["dry_run"], told["tried"], told["selected"]) == (True, 2, 3)
    assert all(table["examples"] == [] for table in told["tables"])
    assert lake.version("ledger") == version


def test_groups_of_documents_are_put_into_a_queue_for_workers(lake, config, tmp_path):
    url = f"sqlite:///{tmp_path}/queue.db"
    shared = ("--lake", lake.uri, "--config", config.path, "--engine", "queue", "--queue", url)

    done = cli("reprocess", *shared, "--classification", "PHI", "--json")

    assert json.loads(done.stdout) == {"documents": 2, "messages": 1}
    queue = open_queue(url)
    try:
        ((job,),) = [delivery.jobs for delivery in queue.receive_batch(5, lease_s=30)]
    finally:
        queue.close()
    assert (job.kind, set(job.doc_ids)) == ("reprocess", {A, B})
    assert "1 documents in 1 messages added" in cli("reprocess", *shared, "--study", "S-2").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--engine", "queue"],
        ["--engine", "queue", "--queue", "sqlite:///q.db", "--tables", "entities"],
        ["--engine", "queue", "--queue", "sqlite:///q.db", "--model-version", "ner/1"],
        ["--engine", "ray", "--dry-run"],
        ["--engine", "ray", "--ocr"],
        ["--ocr", "--dry-run"],
        ["--ocr", "--tables", "entities"],
        ["--sample", "5"],
        ["--since", "yesterday"],
        ["--until", "2024-13-01"],
        ["--tables", "documents"],
        ["--tables", ","],
        ["--where", "colour = 'red'"],
        ["--model-version", "no-such-model/1.0"],
    ],
    ids=" ".join,
)
def test_what_contradicts_itself_or_names_nothing_is_the_operators_to_mend(lake, config, words):
    version = lake.version("ledger")

    done = cli("reprocess", "--lake", lake.uri, "--config", config.path, *words)

    assert_says(done, 2, "config.invalid")
    assert lake.version("ledger") == version


def test_an_end_given_as_a_day_takes_the_whole_day(lake, tmp_path):
    url = f"sqlite:///{tmp_path}/queue.db"

    def chosen(*words):
        done = cli("reprocess", "--lake", lake.uri, "--engine", "queue", "--queue", url, "--json", *words)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["documents"]

    # the documents were extracted on 17 May 2024 at 08:30 UTC
    assert chosen("--until", "2024-05-17") == 3
    assert chosen("--until", "2024-05-17T08:30:00") == 0
    assert chosen("--since", "2024-05-17") == 3
    assert chosen("--since", "2024-05-17T10:30:01+02:00") == 0
    assert chosen("--since", "2024-05-17T10:30:00+02:00", "--limit", "2") == 2


def test_a_run_that_nobody_knows_and_a_lake_that_is_not_there_are_said_to_be_so(lake, config, tmp_path):
    assert_says(cli("rollback", "no-such-run", "--lake", lake.uri), 2, "config.invalid", "no batch")
    nowhere = tmp_path / "nowhere"
    assert_says(cli("rollback", "run-1", "--lake", nowhere), 7, "lake.failed", "no lake")
    assert_says(cli("reprocess", "--lake", nowhere, "--config", config.path), 7, "lake.failed", "no lake")
    assert not nowhere.exists()


def test_the_earlier_rows_are_there_as_long_as_a_snapshot_holds_them(lake, config):
    assert cli("snapshot", "create", "before", "--lake", lake.uri, "--as", "steward").exit_code == 0
    run = cli("reprocess", "--lake", lake.uri, "--config", config.path, "--workers", 1, "--json")
    at_once = config.path.with_name("at-once.yaml")
    at_once.write_text("lake: {vacuum_hours: 0}\n")
    assert cli("maintain", "--lake", lake.uri, "--config", at_once).exit_code == 0

    back = cli("rollback", json.loads(run.stdout)["run_id"], "--lake", lake.uri, "--json")

    assert json.loads(back.stdout)["restored"] == 3
    assert cli("verify", "--lake", lake.uri).exit_code == 0
