"""What contributed to a snapshot: told again byte for byte, and every changed byte shows."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from extractor.errors import AccessDeniedError, LakeError, VerifyError
from extractor.lake import contributed as module
from extractor.lake.commit import Batch, append_run, commit
from extractor.lake.contributed import (
    body_bytes,
    check_against_lake,
    check_manifest,
    contributed,
    manifest_bytes,
)
from extractor.lake.maintain import maintain
from extractor.lake.retag import Tags, retag
from extractor.lake.snapshots import create_snapshot, drop_snapshot
from extractor.lake.store import Lake
from extractor.lake.work import Work
from extractor.tables.catalogue import table_named
from tests.lake.factory import doc_id, extraction_id, make_batch, run_row, settings

A, B, C = (doc_id(name) for name in "abc")
PIPELINE = "1.0+aaaaaaaaaaaa"
NEW = {"run_id": "run-2", "pipeline": "2.0+bbbbbbbbbbbb"}
TAGS = Tags(study_id="S-9", subject_id=None, classification="PHI", consent_scope="none")


@pytest.fixture
def steward(policy):
    return policy.access("steward")


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


def with_model(batch):
    """The batch, its drugs made by a model."""
    rows = [
        {**row, "model": "ner", "model_version": "1.0.0", "model_sha256": "f" * 64}
        if row["type"] == "drug"
        else row
        for row in batch.tables["entities"].to_pylist()
    ]
    tables = {**batch.tables, "entities": table_named("entities").to_arrow(rows)}
    return Batch(run_id=batch.run_id, extractions=batch.extractions, tables=tables)


@pytest.fixture
def named(lake):
    """A lake of two documents with a snapshot, one replaced since."""
    commit(lake, with_model(make_batch([A, B])))
    append_run(lake, run_row("run-1"))
    append_run(lake, run_row("run-of-nothing"))
    create_snapshot(lake, "first", by="steward", note="for the test")
    commit(lake, make_batch([B, C], **NEW))
    return lake


def test_it_tells_documents_models_runs_and_versions(named, steward):
    body = contributed(named, steward, "first")

    assert body["snapshot"]["name"] == "first"
    assert body["documents"] == [
        {
            "doc_id": one,
            "extraction_id": extraction_id(one, PIPELINE),
            "classification": "PHI",
            "status": "extracted",
        }
        for one in sorted((A, B))
    ]
    assert (body["classes"], body["studies"], body["pipelines"]) == ({"PHI": 2}, {"S-1": 2}, {PIPELINE: 2})
    assert body["models"] == [
        {"extractor": "made@1", "model": None, "model_version": None, "model_sha256": None, "rows": 8},
        {
            "extractor": "made@1",
            "model": "ner",
            "model_version": "1.0.0",
            "model_sha256": "f" * 64,
            "rows": 4,
        },
    ]
    assert [run["run_id"] for run in body["runs"]] == ["run-1"]
    assert (body["code_versions"], body["config_sha256"]) == (["1.0"], ["0" * 64])
    assert (body["runs_without_end"], body["hidden_documents"]) == ([], [])
    assert body["tables"]["entities"]["rows"] == 12
    assert body["tables"]["entities"]["version"] == named.at("first").version("entities")


def test_the_digest_of_a_table_is_that_of_its_sorted_row_ids(named, steward):
    row_ids = sorted(named.at("first").read("entities").column("row_id").to_pylist())

    body = contributed(named, steward, "first")

    text = "".join(f"{one}\n" for one in row_ids)
    assert body["tables"]["entities"]["keys_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_is_the_same_however_large_the_parts_are(named, steward, monkeypatch):
    whole = contributed(named, steward, "first")
    monkeypatch.setattr(module, "SORTED_AT_ONCE", 5)

    assert contributed(named, steward, "first") == whole


def test_the_same_snapshot_gives_the_same_bytes_whatever_became_of_the_lake(tmp_path, steward, keys):
    lake = Lake(str(tmp_path / "lake"), settings(vacuum_hours=0))
    for number in range(5):
        commit(lake, make_batch([doc_id(number)], run_id=f"run-{number}"))
    create_snapshot(lake, "first", by="steward")
    before = manifest_bytes(contributed(lake, steward, "first"), key=keys[0])

    commit(lake, make_batch([doc_id(0)], run_id="again", pipeline="2.0+bbbbbbbbbbbb"))
    commit(lake, make_batch([doc_id(1)], statuses={doc_id(1): "withdrawn"}, run_id="again-2"))
    retag(lake, {doc_id(2): TAGS}, run_id="run-r")
    create_snapshot(lake, "second", by="steward")
    maintain(lake, run_id="run-m")

    again = Lake(lake.uri, settings())
    assert manifest_bytes(contributed(again, steward, "first"), key=keys[0]) == before
    assert contributed(again, steward, "second") != contributed(again, steward, "first")


def test_documents_that_a_writer_was_at_are_named_and_not_counted(lake, steward, monkeypatch):
    commit(lake, make_batch([A, B]))

    def die(_work):
        raise LakeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError, match="power cut"):
            commit(lake, make_batch([B], **NEW))
    create_snapshot(lake, "first", by="steward")

    body = contributed(lake, steward, "first")

    assert [one["doc_id"] for one in body["documents"]] == [A]
    assert body["hidden_documents"] == [B]
    assert body["tables"]["entities"]["rows"] == 6
    assert body["runs_without_end"] == ["run-1"]


@pytest.mark.parametrize("principal", ["clinician", "analyst", "manufacturing", "partner"])
def test_who_may_not_see_everything_gets_no_manifest(named, policy, principal):
    with pytest.raises(AccessDeniedError):
        contributed(named, policy.access(principal), "first")


def test_a_steward_of_some_tables_or_some_rows_gets_no_manifest(named, policy):
    for change in (
        {"tables": ("documents", "entities")},
        {"minimum_consent": "research_only"},
        {"restricted": False},
    ):
        role = policy.roles["steward"].model_copy(update=change)
        partly = policy.model_copy(update={"roles": {"half": role}, "principals": {"h": ("half",)}})
        with pytest.raises(AccessDeniedError):
            contributed(named, partly.access("h"), "first")


def test_nothing_that_a_document_says_is_in_it(named, steward):
    text = body_bytes(contributed(named, steward, "first")).decode()

    for word in ("aspirin", "7.20", "jane", "SUBJ-1", "/in/", "for the test"):
        assert word not in text


# -- signed, changed, compared


def test_a_signed_manifest_is_accepted_and_one_without_a_key_says_that_nobody_signed(named, steward, keys):
    body = contributed(named, steward, "first")

    found, signature = check_manifest(manifest_bytes(body, key=keys[0]), public_key=keys[1])
    assert found == body
    assert signature is not None
    assert check_manifest(manifest_bytes(body, key=None), public_key=None) == (body, None)
    with pytest.raises(VerifyError) as caught:
        check_manifest(manifest_bytes(body, key=None), public_key=keys[1])
    assert caught.value.code == "signature.missing"


def test_any_changed_byte_shows(named, steward, keys):
    content = manifest_bytes(contributed(named, steward, "first"), key=keys[0])
    codes = set()

    for index in range(len(content)):
        for change in (content[index] ^ 1, content[index] ^ 32):
            altered = content[:index] + bytes([change]) + content[index + 1 :]
            with pytest.raises(VerifyError) as caught:
                check_manifest(altered, public_key=keys[1])
            codes.add(caught.value.code)

    assert codes == {"manifest.changed", "signature.wrong"}


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content + b"\n",
        lambda content: content[:-1],
        lambda content: content.replace(b'":', b'": ', 1),
        lambda content: json.dumps(json.loads(content), indent=1).encode(),
        lambda content: content.replace(b'{"body":', b'{"body":{},"body":', 1),
        lambda content: b"",
        lambda content: b"[]",
        lambda content: b'{"body":{},\n"signature":null}\n',
        lambda content: b"[" * 100_000,
    ],
    ids=["added", "cut", "spaced", "reprinted", "twice", "empty", "list", "bare", "nested"],
)
def test_a_file_in_another_form_is_refused_without_a_key_too(named, steward, change):
    content = manifest_bytes(contributed(named, steward, "first"), key=None)

    with pytest.raises(VerifyError) as caught:
        check_manifest(change(content), public_key=None)
    assert caught.value.code == "manifest.changed"


def test_the_lake_is_held_against_it(named, steward):
    body = contributed(named, steward, "first")

    check_against_lake(named, steward, body)

    other = {**body, "documents": body["documents"][:1], "classes": {"PHI": 1}}
    with pytest.raises(VerifyError, match="classes, documents") as caught:
        check_against_lake(named, steward, other)
    assert caught.value.code == "manifest.differs"


def test_rows_that_were_taken_out_of_the_files_show(lake, steward, tmp_path):
    import pyarrow.parquet as pq

    commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    body = contributed(lake, steward, "first")
    (path,) = (tmp_path / "lake/governed/entities").glob("class*/*/*.parquet")
    rows, size = pq.ParquetFile(path).read(), path.stat().st_size
    pq.write_table(rows.slice(1), path)
    for log in (tmp_path / "lake/governed/entities/_delta_log").glob("*.json"):
        log.write_text(log.read_text().replace(f'"size":{size}', f'"size":{path.stat().st_size}'))

    with pytest.raises(VerifyError, match="tables"):
        check_against_lake(Lake(lake.uri, settings()), steward, body)


def test_another_snapshot_of_the_same_name_is_another_one(named, steward):
    body = contributed(named, steward, "first")
    drop_snapshot(named, "first", by="steward")
    create_snapshot(named, "first", by="steward")

    with pytest.raises(VerifyError, match="snapshot"):
        check_against_lake(named, steward, body)
