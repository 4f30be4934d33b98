"""The commands around states of the lake: snapshots, reading as of one, differences, manifests."""

import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from extractor.cli import main
from extractor.config import load_config
from extractor.errors import AccessDeniedError, LakeError
from extractor.evidence_chain import evidence_chain
from extractor.evidence_image import evidence_image
from extractor.governance.policy import Policy
from extractor.lake.commit import commit
from extractor.lake.retag import Tags, retag
from extractor.lake.snapshots import create_snapshot
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests import test_evidence as made
from tests.lake.factory import doc_id, make_batch, settings

A, B = doc_id("a"), doc_id("b")
NEW = {"run_id": "run-2", "pipeline": "2.0+bbbbbbbbbbbb"}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in ("LAKE", "CONFIG", "PRINCIPAL", "MODELS", "CONFIGS", "SIGNING_KEY"):
        monkeypatch.delenv(f"EXTRACTOR_{name}", raising=False)


def cli(*words, **environment):
    return CliRunner().invoke(main, [str(word) for word in words], env=environment)


def assert_says(done, exit_code, code):
    assert done.exit_code == exit_code, done.output
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith(f"[{code}]")
    assert re.match(r"[A-Z][\w /.]*: ", lines[1])
    assert done.stdout == ""


@pytest.fixture
def lake(tmp_path):
    """Two documents, a public and a secret one; a snapshot; the public one has a page less since."""
    lake = Lake(str(tmp_path / "lake"), settings())
    commit(lake, make_batch([A], classification="public", statuses={A: "partial"}))
    commit(lake, make_batch([B], classification="PHI"))
    done = cli("snapshot", "create", "first", "--lake", lake.uri, "--as", "steward", "--note", "for the test")
    assert done.exit_code == 0, done.output
    commit(lake, make_batch([A], classification="public", pages=1, **NEW))
    return lake


# -- snapshot


def test_a_snapshot_is_created_listed_and_dropped(lake):
    where = ("--lake", lake.uri, "--as", "steward")

    listed = cli("snapshot", "list", *where, "--json")
    (found,) = json.loads(listed.stdout)
    assert (found["name"], found["by"], found["note"]) == ("first", "steward", "for the test")
    assert found["rows"]["documents"] == 2
    assert found["ledger_version"] == found["versions"]["ledger"]
    assert "for the test" in cli("snapshot", "list", *where).stdout

    assert_says(cli("snapshot", "create", "first", *where), 7, "lake.snapshot_exists")
    done = cli("snapshot", "drop", "first", *where)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "snapshot first is dropped\n")
    assert json.loads(cli("snapshot", "list", *where, "--json").stdout) == []
    assert_says(cli("snapshot", "drop", "first", *where), 7, "lake.no_snapshot")


@pytest.mark.parametrize(
    "words", [("create", "second"), ("drop", "first"), ("list",)], ids=lambda words: words[0]
)
def test_only_who_is_granted_the_table_of_snapshots_handles_them(lake, words):
    assert_says(cli("snapshot", *words, "--lake", lake.uri, "--as", "analyst"), 8, "policy.denied")


def test_a_name_that_is_none_is_refused(lake):
    assert_says(
        cli("snapshot", "create", "No Name", "--lake", lake.uri, "--as", "steward"), 2, "config.invalid"
    )


# -- reading as of a snapshot


def test_every_read_command_takes_a_snapshot(lake):
    where = ("--lake", lake.uri, "--as", "steward")
    then = (*where, "--snapshot", "first")

    counted = "select count(*) as n from entities"
    assert json.loads(cli("query", counted, *then, "--format", "json").stdout) == [{"n": 12}]
    assert json.loads(cli("query", counted, *where, "--format", "json").stdout) == [{"n": 9}]

    listed = {row["doc_id"]: row["status"] for row in json.loads(cli("documents", *then, "--json").stdout)}
    assert listed == {A: "partial", B: "extracted"}
    assert [row["doc_id"] for row in json.loads(cli("quarantine", "list", *then, "--json").stdout)] == [A]
    assert json.loads(cli("quarantine", "list", *where, "--json").stdout) == []

    rows = {one["table"]: one.get("rows") for one in json.loads(cli("tables", *then, "--json").stdout)}
    assert (rows["entities"], rows["page_text"]) == (12, 4)
    verified = cli("verify", "--lake", lake.uri, "--snapshot", "first", "--json")
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["rows"]["entities"] == 12

    second_page = [
        row for row in lake.at("first").read("entities", doc_ids=[A]).to_pylist() if row["page_no"] == 2
    ]
    row_id = second_page[0]["row_id"]
    shown = json.loads(cli("show", row_id, *then, "--json").stdout)
    assert (shown["row_id"], shown["run"]["run_id"], shown["document"]["status"]) == (
        row_id,
        "run-1",
        "partial",
    )
    assert_says(cli("show", row_id, *where), 8, "policy.denied")


def test_a_snapshot_that_is_not_there_is_told(lake):
    for command in (("query", "select 1"), ("documents",), ("verify",)):
        who = () if command == ("verify",) else ("--as", "steward")
        assert_says(cli(*command, "--lake", lake.uri, *who, "--snapshot", "none"), 7, "lake.no_snapshot")
    assert cli("tables", "--snapshot", "first").exit_code == 2


def test_documents_that_are_left_out_are_told(lake, monkeypatch):
    def die(_work):
        raise LakeError("power cut")

    where = ("--lake", lake.uri, "--as", "steward")
    assert cli("query", "select 1 from entities", *where, "--snapshot", "first").stderr == ""
    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError, match="power cut"):
            commit(lake, make_batch([B], classification="PHI", **NEW))

    asked = cli("query", "select 1 from entities", *where, "--snapshot", "first").stderr
    assert asked == "1 documents are left out: a writer is at them, or was when the snapshot was made\n"
    assert "1 documents are left out" in cli("diff", "--from", "first", *where).stdout


# -- evidence of a snapshot


def test_a_picture_of_a_snapshots_row_needs_todays_class_too(tmp_path):
    lake = Lake(str(tmp_path / "lake"), settings())
    (tmp_path / "page.pdf").write_bytes(made.made_pdf(*made.LINES))
    document = made.document_of((tmp_path / "page.pdf").read_bytes())
    row_ids, _ = made.put(lake, document, uri=str(tmp_path / "page.pdf"), classification="non-human")
    create_snapshot(lake, "first", by="steward")
    role = {"description": "d", "minimum_consent": "none", "tables": ["entities"]}
    pictures = {**role, "classes": ["non-human"], "evidence_images": True}
    policy = Policy.model_validate(
        {
            **made.POLICY.model_dump(),
            "roles": {"pictures": pictures, "rows": {**role, "classes": ["non-human", "PHI"]}},
            "principals": {"both": ["pictures", "rows"]},
        }
    )
    access, config = policy.access("both"), load_config()
    then = lake.at("first")
    chain = evidence_chain(then, access, row_ids["drug"])
    with Image.open(io.BytesIO(evidence_image(then, access, chain, config=config))) as image:
        assert np.asarray(image).size > 0

    stricter = Tags(study_id=None, subject_id=None, classification="PHI", consent_scope="none")
    retag(lake, {document.doc_id: stricter}, run_id="run-3")

    chain = evidence_chain(then, access, row_ids["drug"])
    assert chain.classification == "non-human"
    with pytest.raises(AccessDeniedError, match="pictures"):
        evidence_image(then, access, chain, config=config)


# -- diff


def test_a_difference_is_printed_for_people_and_as_json(lake):
    where = ("--lake", lake.uri, "--as", "steward")

    found = json.loads(cli("diff", "--from", "first", *where, "--examples", 1, "--json").stdout)
    tables = {one["table"]: one for one in found["tables"]}
    assert tables["entities"]["removed"] == 3
    assert tables["entities"]["kinds"]["drug"] == {
        **dict.fromkeys(("added", "changed", "remade"), 0), "before": 4, "after": 3, "removed": 1
    }  # fmt: skip
    assert tables["documents"]["fields"]["status"] == 1
    assert [one["act"] for one in tables["entities"]["examples"]] == ["removed"]

    shown = cli("diff", "--from", "first", "--to", "now", *where, "--examples", 1)
    assert shown.exit_code == 0, shown.output
    assert "documents: fields that differ: " in shown.stdout
    for word in ("entities", "drug", "removed", "1 row"):
        assert word in shown.stdout


def test_a_difference_of_some_tables_and_nothing(lake):
    done = cli("diff", "--from", "now", "--lake", lake.uri, "--as", "partner", "--table", "entities")

    assert "nothing differs" in done.stdout
    assert "documents" not in done.stdout
    assert_says(
        cli("diff", "--from", "now", "--lake", lake.uri, "--as", "partner", "--table", "page_text"),
        8,
        "policy.denied",
    )
    assert_says(cli("diff", "--from", "Nothing!", "--lake", lake.uri, "--as", "steward"), 2, "config.invalid")


def test_a_principal_is_told_of_differences_in_its_own_rows_only(lake):
    commit(lake, make_batch([B], classification="PHI", pages=1, **NEW))

    done = cli("diff", "--from", "first", "--lake", lake.uri, "--as", "partner", "--examples", 50, "--json")

    assert B not in done.stdout
    entities = next(one for one in json.loads(done.stdout)["tables"] if one["table"] == "entities")
    assert (entities["before"], entities["removed"], len(entities["examples"])) == (6, 3, 3)


# -- contributed


@pytest.fixture
def keys(tmp_path):
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_manifest_is_written_signed_and_checked_alone_and_against_the_lake(lake, keys, tmp_path):
    private, public = keys
    where = ("--lake", lake.uri, "--as", "steward")
    file = tmp_path / "manifest.json"

    done = cli("contributed", "--snapshot", "first", *where, "--key", private, "--output", file)
    assert (done.exit_code, done.output) == (0, "")
    again = cli("contributed", "--snapshot", "first", *where, EXTRACTOR_SIGNING_KEY=str(private))
    assert again.stdout_bytes == file.read_bytes()

    checked = cli("contributed", "--verify", file, "--public-key", public)
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.startswith("signed by key ")
    compared = cli("contributed", "--verify", file, "--public-key", public, *where)
    assert "the lake tells the same: snapshot first, 2 documents" in compared.stdout
    assert "not checked by whom" in cli("contributed", "--verify", file).stdout


def test_without_a_key_it_says_that_nobody_signed(lake, keys, tmp_path):
    file = tmp_path / "manifest.json"
    done = cli("contributed", "--snapshot", "first", "--lake", lake.uri, "--as", "steward", "--output", file)

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("not signed")
    assert json.loads(file.read_bytes())["signature"] is None
    assert cli("contributed", "--verify", file).stdout.startswith("whole; not signed: snapshot first")
    assert_says(cli("contributed", "--verify", file, "--public-key", keys[1]), 7, "signature.missing")


def test_a_changed_manifest_is_refused(lake, keys, tmp_path):
    file = tmp_path / "manifest.json"
    cli(
        "contributed",
        "--snapshot",
        "first",
        "--lake",
        lake.uri,
        "--as",
        "steward",
        "--key",
        keys[0],
        "--output",
        file,
    )
    content = file.read_bytes()

    file.write_bytes(content.replace(b'"PHI"', b'"PHJ"', 1))
    assert_says(cli("contributed", "--verify", file, "--public-key", keys[1]), 7, "signature.wrong")
    file.write_bytes(content + b" ")
    assert_says(cli("contributed", "--verify", file), 7, "manifest.changed")
    file.write_bytes(content)
    cli("snapshot", "drop", "first", "--lake", lake.uri, "--as", "steward")
    cli("snapshot", "create", "first", "--lake", lake.uri, "--as", "steward")
    where = ("--lake", lake.uri, "--as", "steward")
    assert_says(cli("contributed", "--verify", file, *where), 7, "manifest.differs")


def test_only_who_sees_everything_gets_a_manifest(lake):
    done = cli("contributed", "--snapshot", "first", "--lake", lake.uri, "--as", "clinician")

    assert_says(done, 8, "policy.denied")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--snapshot", "first"),
        ("--snapshot", "first", "--lake", "x", "--as", "steward", "--public-key", "k"),
        ("--verify", "f", "--snapshot", "first"),
        ("--verify", "f", "--lake", "x"),
    ],
    ids=["nothing", "no-lake", "public-key", "both", "no-principal"],
)
def test_options_that_do_not_fit_together_are_refused(words):
    assert cli("contributed", *words).exit_code == 2


def test_files_that_are_not_there_are_told_without_their_names(lake, tmp_path):
    assert_says(cli("contributed", "--verify", tmp_path / "jane.json"), 2, "config.invalid")
    where = ("--snapshot", "first", "--lake", lake.uri, "--as", "steward")
    for words in (("--key", tmp_path / "jane.pem"), ("--output", tmp_path / "no" / "jane.json")):
        done = cli("contributed", *where, *words)
        assert done.exit_code == 2
        assert "jane" not in done.output
