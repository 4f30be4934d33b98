import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extractor.errors import ConfigError
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.resources import folder

ROW = {
    "path": "notes/a.txt",
    "study_id": "S1",
    "subject_id": "S1-001",
    "classification": "PHI",
    "consent_scope": "research_only",
    "received_at": "2026-01-02T03:04:05+02:00",
}


@pytest.fixture(scope="module")
def policy():
    return load_policy(folder("configs") / "policy.yaml")


def as_csv(path):
    path.write_text(",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n")


def as_json_lines(path):
    path.write_text("\n" + json.dumps(ROW) + "\n")


def as_parquet(path):
    pq.write_table(pa.Table.from_pylist([ROW]), path)


@pytest.mark.parametrize("write", [as_csv, as_json_lines, as_parquet])
def test_a_manifest_is_read_by_content_in_each_format(policy, tmp_path, write):
    write(tmp_path / "manifest")

    entry = load_inventory(policy, manifest=tmp_path / "manifest").entry(
        str(tmp_path / "notes" / "a.txt"), "0" * 64
    )

    assert (entry.study_id, entry.subject_id, entry.classification) == ("S1", "S1-001", "PHI")
    assert entry.received_at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert entry.source == "manifest"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.txt,secret,none,", "line 3: the policy declares no class"),
        ("a.txt,PHI,perhaps,", "line 3: the policy declares no consent scope"),
        ("a.txt,PHI,none,yesterday", "line 3: received_at"),
        (",PHI,none,", "line 3: neither path nor doc_id"),
        ("ok.txt,PHI,none,", "line 3: the document was named on an earlier line"),
        ("a.txt,PHI", "line 3: 2 values for 4 columns"),
    ],
)
def test_a_faulty_line_is_refused_with_its_number(policy, tmp_path, line, message):
    file = tmp_path / "m.csv"
    file.write_text(f"path,classification,consent_scope,received_at\nok.txt,public,none,\n{line}\n")

    with pytest.raises(ConfigError, match=message):
        load_inventory(policy, manifest=file)


def test_an_unknown_column_is_refused_with_the_nearest_name(policy, tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("path,clasification\na.txt,PHI\n")

    with pytest.raises(ConfigError, match="did you mean classification"):
        load_inventory(policy, manifest=file)


def test_errors_never_quote_the_manifest(policy, tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("path,classification\nJane_Roe.txt,Jane Roe\n")

    with pytest.raises(ConfigError) as caught:
        load_inventory(policy, manifest=file)

    assert "Jane" not in str(caught.value)


def test_nothing_known_means_the_strictest_class_and_no_consent(policy):
    entry = load_inventory(policy).entry("/somewhere/x.pdf", "0" * 64)

    assert (entry.classification, entry.consent_scope, entry.source) == ("PHI", "none", "default")


def test_a_manifest_without_a_class_means_the_strictest(policy, tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("path,study_id\na.txt,S1\n")

    entry = load_inventory(policy, manifest=file).entry(str(tmp_path / "a.txt"), "0" * 64)

    assert (entry.classification, entry.consent_scope) == ("PHI", "none")


def test_the_first_rule_that_matches_the_path_speaks_when_the_manifest_is_silent(policy):
    rules = [("*/gmp/*", {"classification": "non-human"}), ("*", {"classification": "public"})]
    inventory = load_inventory(policy, rules=rules)

    assert inventory.entry("/data/gmp/r.pdf", "0" * 64).classification == "non-human"
    assert inventory.entry("/data/r.pdf", "0" * 64).classification == "public"


def test_the_same_bytes_under_two_entries_take_the_strictest_of_both(policy, tmp_path):
    file = tmp_path / "m.csv"
    file.write_text(
        "path,classification,consent_scope,subject_id,owner\n"
        "a.txt,de-identified,unrestricted,S1-001,lab\nb.txt,non-human,research_only,S1-001,\nc.txt,public,none,S1-002,\n",
    )
    inventory = load_inventory(policy, manifest=file)
    a, b, c = (inventory.entry(str(tmp_path / name), "0" * 64) for name in ("a.txt", "b.txt", "c.txt"))

    agreed, conflict = a.merged(b, policy), a.merged(c, policy)

    assert (agreed.classification, agreed.consent_scope, agreed.subject_id) == (
        "de-identified",
        "research_only",
        "S1-001",
    )
    assert (conflict.classification, conflict.consent_scope, conflict.subject_id) == ("PHI", "none", None)


def test_lines_whose_document_never_came_are_told_by_number(policy, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"path,doc_id\na.txt,\nb.txt,\n,{'f' * 64}\n,{'e' * 64}\nc.txt,{'d' * 64}\n")
    inventory = load_inventory(policy, manifest=manifest)
    assert inventory.unmatched() == (2, 3, 4, 5, 6)

    inventory.entry(str(tmp_path / "a.txt"), "0" * 64)
    inventory.entry("elsewhere", "f" * 64)
    inventory.entry(str(tmp_path / "c.txt"), "1" * 64)  # one of a line's two names is enough
    inventory.entry("elsewhere", "1" * 64)

    assert inventory.unmatched() == (3, 5)
