"""Stored documents through a better model: nothing is opened, nothing is lost, and it can be taken back."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from extractor.config import load_config
from extractor.delivery import QueuedJob
from extractor.errors import ConfigError, LakeError
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.changes import compare_rows
from extractor.lake.retag import Tags, retag
from extractor.lake.selection import Which
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.pool import Pool
from extractor.queues.opening import open_queue
from extractor.reprocess import (
    documents as documents_module,
    enqueue_reprocess,
    pipeline_of,
    reprocess,
    reprocess_documents,
    reread,
    roll_back,
    try_out,
)
from extractor.reprocess.trial import spread
from extractor.resources import folder
from extractor.run import run
from extractor.sources import find_sources

CHECKOUT = Path(__file__).parents[1]
POLICY = load_policy(folder("configs") / "policy.yaml")
EVERYTHING = Which()
TEXTS = {
    "one": "Patient one had aspirin 40 mg and ibuprofen. Mail jane@example.org.",
    "two": "Patient two had aspirin.\fPage two says ibuprofen 7.20 mL.",
    "three": "Patient three had naproxen 1 g.",
    "four": "Patient four says STUMBLE and aspirin 2 mg.",
    "five": "Patient five says FALL and aspirin 3 mg.",
    "six": "Patient six had aspirin 6 mg.\fREFUSE",
    "seven": "Patient seven says BAD and aspirin 9 mg.",
    "eight": "REFUSE",
}
OLD = ["aspirin"]
NEW = ["aspirin", "ibuprofen", "naproxen"]
TABLES = ("entities", "relations", "page_text", "documents", "quarantine")


def settings(words=NEW, *, version="2.0", score=0.9, faults=False, relator="1.0", **more):
    options = {"words": words, "version": version, "score": score, "faults": faults}
    return load_config(
        overrides={
            "readers": {"text/plain": "tests.faults.extractors:WordsReader"},
            "plugins": ["tests"],
            "extractors": [
                {"name": "tests.faults.extractors:WordExtractor", "options": options},
                {"name": "measurement"},
                {"name": "identifier"},
            ],
            "refiners": [],
            "relators": [
                {"name": "tests.faults.extractors:NeighbourRelator", "options": {"version": relator}}
            ],
            "ocr": {"second_engine": None},
            **more,
        }
    )


class House:
    """A lake that an earlier model wrote, and short words for looking at it."""

    def __init__(self, base):
        self.base = base
        self.inbox = base / "inbox"
        self.uri = str(base / "lake")

    @property
    def lake(self):
        return Lake(self.uri, settings().lake)

    def run(self, config, uri=None):
        tally, _ = run(
            find_sources([str(self.inbox)]),
            Lake(uri or self.uri, config.lake),
            config=config,
            inventory=load_inventory(POLICY),
            workers=1,
        )
        return tally

    def reprocess(self, config, **more):
        return reprocess(self.lake, config=config, which=more.pop("which", EVERYTHING), workers=1, **more)

    def rows(self, table, **options):
        return self.lake.read(table, **options).to_pylist()

    def doc_id(self, name):
        """The document whose text begins so."""
        (row,) = [row for row in self.rows("page_text") if row["text"].startswith(f"Patient {name}")]
        return row["doc_id"]

    def said(self, **options):
        return {(row["text"], row["score"], row["model_version"]) for row in self.rows("entities", **options)}

    def versions(self):
        return {row["model_version"] for row in self.rows("entities", where="model = 'word-list'")}

    def tables(self):
        return {table: self.lake.read(table) for table in TABLES}

    def files(self):
        return {path: path.stat().st_mtime_ns for path in self.base.rglob("*") if path.is_file()}

    def assert_clean(self):
        assert verify(self.lake, class_order=POLICY.classes, scope_order=POLICY.consent_scopes).findings == ()


def differing(before, after):
    return {table for table in before if not compare_rows(table, before[table], after[table]).is_empty}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("filled"))
    house.inbox.mkdir()
    for name, text in TEXTS.items():
        (house.inbox / f"{name}.txt").write_text(text)
    house.run(settings(OLD, version="1.0", score=0.5))
    return house


@pytest.fixture
def house(filled, tmp_path):
    """The lake and nothing else: the documents themselves are not there."""
    shutil.copytree(filled.base / "lake", tmp_path / "lake")
    return House(tmp_path)


@pytest.fixture(scope="module")
def pool():
    with Pool(settings(), size=1) as found:
        yield found


def again(house, pool, doc_ids=None, *, run_id="run-2", **more):
    pipeline = pipeline_of(settings(), pool.models, more.get("tables", ("entities", "relations")))
    chosen = house.lake.current() if doc_ids is None else doc_ids
    return reprocess_documents(house.lake, list(chosen), pool=pool, pipeline=pipeline, run_id=run_id, **more)


def test_the_rows_are_those_of_a_run_with_the_new_model_and_no_document_is_opened(filled, house):
    config = settings()
    filled.run(config, uri=str(house.base / "fresh"))
    before = house.tables()

    report = house.reprocess(config)

    found = report.found
    assert (found.done, found.partial, found.without_text, found.failures) == (6, 1, 1, ())
    assert (report.tally.seen, report.tally.skipped, report.tally.pages) == (8, 1, 8)
    assert ("ibuprofen", 0.9, "2.0") in house.said()
    fresh = Lake(str(house.base / "fresh"), config.lake)
    for table in ("entities", "relations"):
        difference = compare_rows(table, house.lake.read(table), fresh.read(table))
        assert difference.is_empty
        assert difference.total.after > 0
    after = house.tables()
    assert differing(before, after) == {"entities", "relations"}
    for row in house.rows("documents", where="status <> 'quarantined'"):
        assert row["run_id"] == report.run_id != row["text_run_id"]
        assert row["extraction_id"] == fresh.current()[row["doc_id"]].extraction_id
    assert report.rewrites == {1: 1}
    house.assert_clean()


def test_a_run_over_the_same_documents_then_finds_them_current(filled, house, pool):
    again(house, pool)

    tally = filled.run(settings(), uri=house.uri)

    assert (tally.seen, tally.skipped, tally.quarantined) == (8, 7, 1)
    house.assert_clean()


def test_a_second_call_writes_nothing_to_the_byte(house):
    config = settings()
    house.reprocess(config)
    before = house.files()

    report = house.reprocess(config)

    assert (report.tally.done, report.found.current, report.tally.rows) == (0, 7, {})
    assert house.files() == before


def test_a_document_on_which_the_model_fails_keeps_its_rows_and_is_named(house):
    pages = house.lake.read("page_text").num_rows
    failed = {house.doc_id("four"): "bug.RuntimeError", house.doc_id("five"): "input.crashed"}

    report = house.reprocess(settings(faults=True))

    assert {one.doc_id: one.code for one in report.found.failures} == failed
    assert (report.tally.done, report.tally.partial, report.tally.bugs, report.tally.quarantined) == (
        4,
        1,
        1,
        0,
    )
    assert {(text, score) for text, score, _ in house.said(doc_ids=failed)} == {
        ("aspirin", 0.5), ("2 mg", None), ("3 mg", None),
    }  # fmt: skip
    assert {row["status"] for row in house.rows("documents", doc_ids=failed)} == {"extracted"}
    refused = house.rows("quarantine", where="scope = 'row'")
    assert {(row["code"], row["table_name"]) for row in refused} == {("entities.numbers", "entities")}
    assert {row["doc_id"] for row in refused} == {house.doc_id("seven")}
    assert "STUMBLE" not in str(report.as_dict())
    assert house.lake.read("page_text").num_rows == pages
    house.assert_clean()


def test_refused_rows_of_an_earlier_model_go_and_refused_pages_stay(house, pool):
    house.reprocess(settings(faults=True))
    assert house.rows("quarantine", where="scope = 'row'")

    again(house, pool)

    assert house.rows("quarantine", where="scope = 'row'") == []
    (page,) = house.rows("quarantine", where="scope = 'page' AND page_no = 2")
    (document,) = house.rows("documents", where="status = 'partial'")
    assert (page["doc_id"], page["run_id"]) == (document["doc_id"], "run-2")
    assert (document["failed_pages"], document["pages_ok"]) == ([2], 1)
    house.assert_clean()


def test_governance_is_that_of_today(house, pool):
    one = house.doc_id("one")
    tags = Tags(
        study_id="S-9", subject_id="P-1", classification="de-identified", consent_scope="research_only"
    )
    retag(house.lake, {one: tags}, run_id="tags")

    again(house, pool)

    for table in ("entities", "page_text", "documents"):
        (found,) = {
            (row["study_id"], row["subject_id"], row["classification"], row["consent_scope"])
            for row in house.rows(table, doc_ids=[one])
        }
        assert found == ("S-9", "P-1", "de-identified", "research_only")
    house.assert_clean()


def test_a_document_that_changes_while_the_model_runs_is_not_overwritten(house, pool):
    one, two = house.doc_id("one"), house.doc_id("two")
    strict = Tags(study_id=None, subject_id=None, classification="PHI", consent_scope="research_only")
    other = house.lake
    waited = []

    def meanwhile(_documents, _pages):
        if not waited:
            retag(other, {one: strict}, run_id="tags")
        waited.append(True)

    found = again(house, pool, [one, two], on_wait=meanwhile)

    assert (found.done, found.changed) == (1, 1)
    assert house.said(doc_ids=[one]) & house.said(doc_ids=[two]) == set()
    assert {row["consent_scope"] for row in house.rows("entities", doc_ids=[one])} == {"research_only"}
    assert again(house, pool, [one, two]).done == 1  # the next call takes it
    house.assert_clean()


def test_what_people_decided_outlives_the_model(house, pool):
    one = house.doc_id("one")
    where = f"doc_id = '{one}' AND text = 'aspirin'"
    house.lake.handle("entities").update(
        {"review_status": "'corrected'", "code": "'D001241'"}, predicate=where
    )

    found = again(house, pool)

    (row,) = house.rows("entities", where=where)
    assert (row["code"], row["score"], row["model_version"], row["run_id"]) == (
        "D001241",
        0.5,
        "1.0",
        "run-2",
    )
    assert found.reviews["entities"].kept == 1
    assert {
        row["head_code"]
        for row in house.rows("relations", where=f"doc_id = '{one}' AND head_text = 'aspirin'")
    } == {"D001241"}
    house.assert_clean()


def test_only_some_documents_by_model_and_no_more_than_the_limit(house):
    assert house.reprocess(settings(), which=Which(model="word-list@3.0")).tally.seen == 0

    report = house.reprocess(settings(), which=Which(model="word-list@1.0"), limit=2)

    assert (report.tally.seen, report.tally.done + report.tally.partial) == (2, 2)
    assert len({row["doc_id"] for row in house.rows("entities", where="model_version = '2.0'")}) == 2


@pytest.mark.parametrize("table", ["entities", "relations"])
def test_one_table_without_the_other_keeps_links_and_mentions_together(house, table):
    report = house.reprocess(settings(relator="2.0"), tables=[table])

    assert report.tally.done == 6
    versions = house.versions()
    makers = {row["extractor"] for row in house.rows("relations")}
    assert versions == ({"2.0"} if table == "entities" else {"1.0"})
    assert makers == ({"neighbours@2.0"} if table == "relations" else {"neighbours@1.0"})
    standing = {row["row_id"] for row in house.rows("entities")}
    assert {row[f"{end}_row_id"] for row in house.rows("relations") for end in ("head", "tail")} <= standing
    house.assert_clean()
    current = {row["extraction_id"] for row in house.rows("documents")}
    whole = house.reprocess(settings(relator="2.0"))
    assert whole.tally.done == 6  # a document that is half of each pipeline is not current for a whole one
    assert not current & {
        row["extraction_id"] for row in house.rows("documents", where="status = 'extracted'")
    }


@pytest.mark.parametrize("tables", [["page_text"], ["entities", "nonsense"], []])
def test_a_table_that_is_not_made_from_stored_text_is_refused(house, tables):
    with pytest.raises(ConfigError, match="--tables"):
        house.reprocess(settings(), tables=tables)


def test_an_interrupted_call_is_gone_on_with_by_the_next(house, monkeypatch):
    config = settings(reprocess={"batch_documents": 2, "batch_rows": 1000})
    real = documents_module.commit
    calls = []

    def commit(lake, batch):
        calls.append(batch)
        if len(calls) == 3:
            raise LakeError("power cut")
        return real(lake, batch)

    with monkeypatch.context() as patch:
        patch.setattr(documents_module, "commit", commit)
        with pytest.raises(LakeError):
            house.reprocess(config)
    house.assert_clean()

    report = house.reprocess(config)

    assert (report.found.current, report.tally.done + report.tally.partial) == (4, 3)
    assert house.versions() == {"2.0"}
    house.assert_clean()


@pytest.mark.parametrize(("when", "number"), [("after", 1), ("before", 5)])
def test_a_reprocess_that_is_killed_is_completed_by_the_next(house, when, number):
    script = (
        "import sys; from tests.faults.lake import die_at_commit; from tests.test_reprocess import *\n"
        f"if __name__ == '__main__':\n"
        f"    die_at_commit({number}, after={when == 'after'})\n"
        f"    reprocess(Lake(sys.argv[1], settings().lake), config=settings(), which=EVERYTHING, workers=1)\n"
    )
    program = house.base / "killed.py"
    program.write_text(f"import sys; sys.path.insert(0, {str(CHECKOUT)!r})\n{script}")
    killed = subprocess.run(
        [sys.executable, str(program), house.uri], cwd=CHECKOUT, check=False, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]
    hidden = 8 - len(house.lake.current())
    assert hidden == 7

    report = house.reprocess(
        settings(), which=Which(model="word-list@1.0")
    )  # whatever is asked, the rest is finished

    assert report.tally.done + report.tally.partial == 7
    assert len(house.lake.current()) == 8
    assert house.versions() == {"2.0"}
    house.assert_clean()


def test_it_ends_when_told_to_and_keeps_what_it_has(house, pool):
    told = []

    def stop():
        told.append(True)
        return len(told) > 3

    found = again(house, pool, stop=stop)

    assert found.done + found.partial == 3
    assert len(found.left) == 4
    assert found.seen == 8
    assert again(house, pool).current == 3
    house.assert_clean()


def test_documents_that_are_not_there_or_have_no_pages_are_counted(house, pool):
    one = house.doc_id("one")
    house.lake.handle("page_text").delete(f"doc_id = '{one}'")

    found = again(house, pool, [one, "0" * 64])

    assert [(failure.doc_id, failure.code) for failure in found.failures] == [(one, "lake.page_text")]
    assert (found.without_text, found.seen) == (1, 2)
    assert house.said(doc_ids=[one])


def test_a_dry_run_shows_what_would_change_and_writes_nothing(house):
    before = house.files()

    trial = try_out(
        house.lake,
        config=settings(),
        which=EVERYTHING,
        workers=1,
        examples=2,
        access=POLICY.access("steward"),
    )

    assert house.files() == before
    entities = trial.difference.tables["entities"]
    assert (trial.selected, trial.tried, trial.current, trial.failures) == (7, 7, 0, ())
    assert entities.kinds["drug"].added == 3
    assert entities.kinds["drug"].changed == 6
    assert entities.fields["score"] == 6
    assert entities.kinds["measurement"].changed == 0
    assert trial.difference.tables["relations"].total.added > 0
    assert {one.act for one in entities.examples} == {"added", "changed"}
    report = house.reprocess(settings())
    assert report.tally.rows["entities"] == entities.total.after


def test_a_dry_run_shows_rows_only_to_those_who_may_see_them_and_counts_a_sample(house):
    trial = try_out(
        house.lake,
        config=settings(),
        which=EVERYTHING,
        workers=1,
        sample=3,
        examples=5,
        access=POLICY.access("partner"),
    )

    assert trial.tried == 3
    assert trial.difference.tables["entities"].total.before > 0
    assert not any(table.examples for table in trial.difference.tables.values())


def test_a_dry_run_minds_what_people_decided(house):
    house.lake.handle("entities").update({"review_status": "'accepted'"}, predicate="text = 'aspirin'")

    trial = try_out(house.lake, config=settings(), which=EVERYTHING, workers=1)

    assert trial.difference.tables["entities"].kinds["drug"].changed == 0


@pytest.mark.parametrize(
    ("count", "sample", "expected"),
    [
        (5, 0, [0, 1, 2, 3, 4]),
        (5, 9, [0, 1, 2, 3, 4]),
        (10, 5, [0, 2, 4, 6, 8]),
        (7, 3, [0, 2, 4]),
        (0, 3, []),
    ],
)
def test_a_sample_is_spread_over_the_selection(count, sample, expected):
    assert spread(range(count), sample) == expected


def test_a_run_is_taken_back_and_noted(house, pool):
    before = house.tables()
    report = house.reprocess(settings())
    assert differing(before, house.tables()) == {"entities", "relations"}

    done, own = roll_back(house.lake, report.run_id, config=settings())

    assert (done.restored, done.seen) == (7, 7)
    assert differing(before, house.tables()) == set()
    runs = {row["run_id"]: row for row in house.rows("runs")}
    assert {row["kind"] for row in runs.values()} == {"run", "reprocess", "rollback"}
    assert (runs[own.run_id]["done"], runs[own.run_id]["seen"]) == (7, 7)
    house.assert_clean()


def test_reading_again_replaces_the_text_where_the_document_still_is(house, pool):
    again(house, pool)
    gone = house.doc_id("three")
    uris = {row["doc_id"]: row["uri"] for row in house.rows("sources")}
    kept = Path(uris[gone])
    hidden = kept.rename(kept.with_suffix(".away"))
    try:
        found = reread(house.lake, config=settings(), policy=POLICY, which=EVERYTHING, workers=1)
    finally:
        hidden.rename(kept)

    assert (found.selected, found.unreachable) == (7, 1)
    assert (found.tally.done, found.tally.partial) == (5, 1)
    texts = {row["doc_id"]: row["text_extraction_id"] for row in house.rows("documents")}
    assert {doc_id for doc_id, text in texts.items() if text is not None} == {gone}
    house.assert_clean()
    back = reread(house.lake, config=settings(), policy=POLICY, which=EVERYTHING, workers=1)
    assert (back.tally.done, back.tally.skipped, back.unreachable) == (1, 6, 0)
    house.assert_clean()


def test_groups_wait_in_a_queue_and_whoever_takes_one_reprocesses_it(house, pool):
    config = settings(reprocess={"batch_documents": 3, "batch_rows": 1000})
    queue = open_queue(f"sqlite:///{house.base}/queue.db")
    try:
        assert enqueue_reprocess(house.lake, queue, config=config, which=EVERYTHING) == (7, 3)
        assert (
            enqueue_reprocess(house.lake, queue, config=config, which=EVERYTHING)[1] == 0
        )  # they wait already
        deliveries = queue.receive_batch(10, lease_s=60)
        jobs = [job for delivery in deliveries for job in delivery.jobs]
        assert {(job.kind, job.priority, len(job.doc_ids) <= 3) for job in jobs} == {
            ("reprocess", "backfill", True)
        }
        assert all(isinstance(job, QueuedJob) for job in jobs)
        done = [again(house, pool, job.doc_ids, run_id=f"run-{number}") for number, job in enumerate(jobs)]
        queue.ack(deliveries)
    finally:
        queue.close()

    assert sum(one.done + one.partial for one in done) == 7
    assert again(house, pool).current == 7
    house.assert_clean()
