"""A run from files to committed rows, with faults."""

from email.message import EmailMessage

import pytest

from extractor.config import load_config
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.resources import folder
from extractor.retry import retry
from extractor.run import run
from extractor.sources import find_sources

POLICY = load_policy(folder("configs") / "policy.yaml")


class House:
    """A folder of documents, a lake, and short words for running one into the other."""

    def __init__(self, base):
        self.inbox = base / "inbox"
        self.inbox.mkdir()
        self.lake_uri = str(base / "lake")
        self.base = base

    def put(self, name, content):
        (self.inbox / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def config(self, **overrides):
        settings = {"extractors": [{"name": "measurement"}, {"name": "identifier"}], **overrides}
        return load_config(overrides=settings)

    @property
    def lake(self):
        return Lake(self.lake_uri, self.config().lake)

    def run(self, manifest=None, **overrides):
        config = self.config(**overrides)
        inventory = load_inventory(POLICY, manifest=manifest)
        sources = find_sources([str(self.inbox)])
        tally, _ = run(sources, self.lake, config=config, inventory=inventory, workers=1)
        return tally

    def faulty(self, **limits):
        return self.run(
            readers={"text/plain": "tests.faults.readers:FaultyReader"},
            plugins=["tests"],
            limits={"page_time_s": 1, **limits},
        )

    def rows(self, table):
        return self.lake.read(table).to_pylist()

    def assert_clean(self):
        assert verify(self.lake, class_order=POLICY.classes, scope_order=POLICY.consent_scopes).findings == ()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_every_document_ends_in_a_definite_state_and_the_tally_adds_up(house):
    house.put("good.txt", "The dose was 40 mg.")
    house.put("bad.txt", "first\fREFUSE\fthird 7 mL")
    house.put("crash.txt", "CRASH")
    house.put("hang.txt", "HANG")
    house.put("bug.txt", "RAISE Jane Roe")
    house.put("unknown.bin", bytes(range(256)) * 40)
    house.put("empty.pdf", b"")
    house.put("copy.txt", "The dose was 40 mg.")

    tally = house.faulty()

    assert (tally.seen, tally.done, tally.partial, tally.quarantined, tally.skipped, tally.bugs) == (
        8,
        1,
        1,
        4,
        1,
        1,
    )
    documents = {row["status_code"]: row for row in house.rows("documents")}
    assert set(documents) == {
        None,
        "input.corrupt",
        "input.crashed",
        "limit.time",
        "bug.RuntimeError",
        "input.unsupported",
        "input.empty",
    }
    assert documents["input.corrupt"]["failed_pages"] == [2]
    quarantine = house.rows("quarantine")
    assert {row["scope"] for row in quarantine} == {"document", "page"}
    assert all(row["hint"] for row in quarantine)
    assert "Jane" not in str(quarantine)
    house.assert_clean()


def test_a_second_run_adds_nothing(house):
    house.put("a.txt", "Weighed 7.20 kg of lactose.")
    house.run()
    before = {path: path.stat().st_mtime_ns for path in house.base.rglob("*") if path.is_file()}

    tally = house.run()

    assert (tally.seen, tally.skipped, tally.rows) == (1, 1, {})
    assert {path: path.stat().st_mtime_ns for path in house.base.rglob("*") if path.is_file()} == before


def test_rows_keep_digits_and_quote_the_canonical_text(house):
    house.put("a.txt", "Weighed 7.20 kg of lactose.")
    house.run()

    (row,) = [row for row in house.rows("entities") if row["type"] == "measurement"]
    (page,) = house.rows("page_text")

    assert (row["value_text"], str(row["value"].normalize()), row["unit_ucum"]) == ("7.20", "7.2", "kg")
    assert page["text"][row["char_start"] : row["char_end"]] == row["source_text"]


def test_rows_inherit_the_governance_of_their_document(house):
    house.put("a.txt", "Given 40 mg.")
    house.put("b.txt", "Given 50 mg.")
    manifest = house.base / "manifest.csv"
    manifest.write_text(
        "path,study_id,classification,consent_scope\ninbox/a.txt,S1,de-identified,research_only\n"
    )

    house.run(manifest)

    for table in ("entities", "page_text", "documents"):
        found = {(row["study_id"], row["classification"], row["consent_scope"]) for row in house.rows(table)}
        assert found == {("S1", "de-identified", "research_only"), (None, "PHI", "none")}


def test_a_changed_manifest_moves_the_rows_without_reading_again(house):
    house.put("a.txt", "Given 40 mg.")
    house.run()
    manifest = house.base / "manifest.csv"
    manifest.write_text("path,study_id,classification\ninbox/a.txt,S2,de-identified\n")
    (row,) = house.rows("entities")

    tally = house.run(manifest)

    (moved,) = house.rows("entities")
    assert tally.skipped == 1
    assert (moved["row_id"], moved["run_id"]) == (row["row_id"], row["run_id"])
    assert (moved["study_id"], moved["classification"]) == ("S2", "de-identified")
    house.assert_clean()


def test_another_pipeline_replaces_the_rows_of_a_document(house):
    house.put("a.txt", "Given 40 mg, see jane@example.org.")
    house.run()
    first = house.rows("entities")

    tally = house.run(extractors=[{"name": "measurement"}])

    second = house.rows("entities")
    assert tally.done == 1
    assert {row["type"] for row in first} == {"measurement", "email"}
    assert {row["type"] for row in second} == {"measurement"}
    assert len(house.rows("documents")) == 1
    house.assert_clean()


def test_identifiers_are_masked_in_governed_rows_and_kept_in_the_restricted_text(house):
    house.put("a.txt", "Write to jane.roe@example.org today.")
    house.run()

    (row,) = [row for row in house.rows("entities") if row["type"] == "email"]
    (page,) = house.rows("page_text")

    assert (row["text"], row["source_text"], row["normalised"]) == ("[email]", "[email]", None)
    assert page["text"][row["char_start"] : row["char_end"]] == "jane.roe@example.org"


def message(*attachments):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Results"
    mail.set_content("See attached, 5 mg.")
    for name, content in attachments:
        mail.add_attachment(content.encode(), maintype="application", subtype="octet-stream", filename=name)
    return mail


def test_attachments_are_documents_of_their_own_with_the_governance_of_their_carrier(house):
    house.put("m.eml", message(("x.txt", "Given 40 mg."), ("y.txt", "Given 60 mL.")).as_bytes())
    manifest = house.base / "manifest.csv"
    manifest.write_text("path,study_id,classification,consent_scope\ninbox/m.eml,S1,PHI,research_only\n")

    tally = house.run(manifest)

    documents = house.rows("documents")
    carrier = next(row for row in documents if row["media_type"] == "message/rfc822")
    carried = [row for row in documents if row["parent_doc_id"] == carrier["doc_id"]]
    assert (tally.seen, tally.done) == (3, 3)
    assert carrier["attachment_count"] == len(carried) == 2
    assert {(row["study_id"], row["consent_scope"], row["governance_source"]) for row in carried} == {
        ("S1", "research_only", "parent"),
    }
    assert {row["attachment_no"] for row in house.rows("sources")} == {"", "1", "2"}


def test_attachments_beyond_the_depth_are_quarantined_not_lost(house):
    inner = message(("deep.txt", "Given 1 mg."))
    mail = message()
    mail.add_attachment(inner)
    house.put("m.eml", mail.as_bytes())

    tally = house.run(limits={"max_attachment_depth": 1})

    assert (tally.seen, tally.done, tally.quarantined) == (3, 2, 1)
    assert "limit.attachment_depth" in {row["status_code"] for row in house.rows("documents")}


def test_a_retry_extracts_what_was_refused_and_keeps_its_governance(house):
    house.put("a.txt", "RAISE 40 mg")
    manifest = house.base / "manifest.csv"
    manifest.write_text("path,study_id,classification\ninbox/a.txt,S1,non-human\n")
    config = {"readers": {"text/plain": "tests.faults.readers:FaultyReader"}, "plugins": ["tests"]}
    house.run(manifest, **config)
    assert house.rows("documents")[0]["status"] == "quarantined"

    tally, _ = retry(house.lake, config=house.config(), policy=POLICY, code=None, everything=False, workers=1)

    (document,) = house.rows("documents")
    assert tally.done == 1
    assert (document["status"], document["study_id"], document["classification"]) == (
        "extracted",
        "S1",
        "non-human",
    )
    assert house.rows("quarantine") == []
    house.assert_clean()


def test_a_retry_keeps_who_said_what_the_governance_is(house):
    house.put("named.txt", "RAISE 40 mg")
    house.put("unnamed.txt", "RAISE 50 mg")
    house.put("mail.eml", message(("carried.txt", "RAISE 60 mg")).as_bytes())
    manifest = house.base / "manifest.csv"
    manifest.write_text("path,study_id,classification\ninbox/named.txt,S1,non-human\n")
    house.run(manifest, readers={"text/plain": "tests.faults.readers:FaultyReader"}, plugins=["tests"])
    before = {row["doc_id"]: row["governance_source"] for row in house.rows("documents")}

    retry(house.lake, config=house.config(), policy=POLICY, code=None, everything=True, workers=1)

    documents = house.rows("documents")
    assert {row["doc_id"]: row["governance_source"] for row in documents} == before
    assert sorted(before.values()) == ["default", "default", "manifest", "parent"]
    assert {row["status"] for row in documents} == {"extracted"}


def test_a_file_beyond_the_size_limit_is_a_row_too(house):
    house.put("big.txt", "word " * 1000)

    tally = house.run(limits={"max_file_bytes": 100})

    assert tally.quarantined == 1
    assert [row["status_code"] for row in house.rows("documents")] == ["limit.bytes"]


def test_documents_come_from_an_object_store_and_go_to_one(s3):
    s3.put("bucket/notes/a.txt", b"Given 40 mg.")
    config = load_config(
        overrides={
            "extractors": [{"name": "measurement"}],
            "sources": {"storage_options": s3.source_options},
            "lake": {"storage_options": s3.lake_options},
        },
    )
    lake = Lake("s3://bucket/lake", config.lake)
    sources = find_sources(["s3://bucket/notes/"], storage_options=config.sources.storage_options)

    tally, _ = run(sources, lake, config=config, inventory=load_inventory(POLICY), workers=1)
    again, _ = run(sources, lake, config=config, inventory=load_inventory(POLICY), workers=1)

    assert (tally.done, again.skipped) == (1, 1)
    assert [row["uri"] for row in lake.read("sources").to_pylist()] == ["s3://bucket/notes/a.txt"]
    assert lake.read("entities").num_rows == 1


def test_a_run_refuses_a_model_that_the_lake_has_registered_and_not_promoted(house):
    from extractor.errors import PolicyError
    from extractor.lake.models import ModelEvent, append_event

    event = ModelEvent(
        name="ner-biomedical", version="1.0.0", sha256="0" * 64, event="registered", principal="steward",
        intended_use="u", risk_class="r",
    )  # fmt: skip
    append_event(house.lake, lambda _: event)
    house.put("a.txt", "Weighed 7.20 kg of lactose.")

    with pytest.raises(PolicyError, match="no version of it is promoted"):
        house.run(extractors=[{"name": "ner"}])

    assert house.rows("documents") == []
