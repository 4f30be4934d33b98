"""The lake on an S3-compatible store, with conditional writes and nothing else."""

from extractor.lake.commit import commit
from extractor.lake.maintain import maintain
from extractor.lake.query import query
from extractor.lake.retag import retag
from extractor.lake.store import Lake
from tests.lake.factory import doc_id, make_batch, settings

A, B, C = (doc_id(name) for name in "abc")


def test_batches_are_committed_replaced_retagged_maintained_and_read_on_an_object_store(s3, policy, findings):
    s3.put("bucket/keep", b"")
    options = settings(storage_options=s3.lake_options)
    lake = Lake("s3://bucket/some/lake", options)
    assert not lake.exists()

    commit(lake, make_batch([A, B]))
    other = commit(
        Lake("s3://bucket/some/lake", options),
        make_batch([B, C], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"),
    )
    retag(lake, {A: {"classification": "public", "consent_scope": "none"}}, run_id="run-3")
    maintain(lake, run_id="run-m")

    assert other.yielded == frozenset()
    assert {doc: one.run_id for doc, one in lake.current().items()} == {A: "run-1", B: "run-2", C: "run-2"}
    answer = query(
        lake, policy.access("partner"), "select distinct doc_id from entities where text = 'aspirin'"
    )
    assert answer.rows.column("doc_id").to_pylist() == [A]
    assert findings(lake) == {}
