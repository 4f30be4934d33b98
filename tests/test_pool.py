import hashlib
import logging

import pytest

from extractor.config import load_config
from extractor.errors import MissingToolError
from extractor.governance.inventory import Entry
from extractor.pipeline import Job
from extractor.pool import Pool

FAULTY = {"readers": {"text/plain": "tests.faults.readers:FaultyReader"}, "plugins": ["tests"]}
FAST = {"page_time_s": 1, "document_time_s": 30, "worker_memory_mb": 1024}


def job(text):
    content = text.encode()
    return Job(
        doc_id=hashlib.sha256(content).hexdigest(),
        content=content,
        entry=Entry(classification="PHI", consent_scope="none"),
        want_rows=False,
    )


@pytest.fixture(scope="module")
def process():
    config = load_config(overrides={**FAULTY, "limits": FAST, "extractors": [{"name": "measurement"}]})
    with Pool(config, size=1) as pool:

        def one(text):
            pool.submit(job(text))
            return next(iter(pool.collect()))

        yield one


@pytest.mark.parametrize(
    ("fault", "code"), [("CRASH", "input.crashed"), ("HANG", "limit.time"), ("EAT", "limit.memory")]
)
def test_a_page_that_takes_its_worker_along_is_named_and_the_others_are_read(process, fault, code):
    outcome = process(f"first page\f{fault}\fthird page")

    assert (outcome.status, outcome.code) == ("partial", code)
    assert [(failure.page_no, failure.code) for failure in outcome.failures] == [(2, code)]
    assert [page.text.split() for page in outcome.document.pages] == [
        ["first", "page"],
        [],
        ["third", "page"],
    ]


def test_a_page_read_in_part_keeps_its_words_is_poor_and_is_named(process):
    outcome = process("whole page\fPARTLY read")

    assert (outcome.status, outcome.code, outcome.pages_ok, outcome.pages_poor) == (
        "partial",
        "input.page_damaged",
        1,
        0,
    )
    assert [(len(page.words), page.quality) for page in outcome.document.pages] == [(2, "good"), (2, "poor")]
    assert process("PARTLY only").status == "partial"


def test_what_a_library_prints_about_a_document_is_dropped(capfd):
    config = load_config(overrides={**FAULTY, "extractors": [{"name": "measurement"}], "log_level": "debug"})
    with Pool(config, size=1) as pool:
        pool.submit(job("SHOUT Jane Doe"))
        assert next(iter(pool.collect())).status == "extracted"
    out, err = capfd.readouterr()
    assert "Jane" not in out + err


def test_the_next_document_is_read_after_a_crash(process):
    process("CRASH")

    assert process("all is well").status == "extracted"


def test_a_document_whose_pages_keep_crashing_is_given_up(process):
    outcome = process("\f".join(["CRASH"] * 6))

    assert (outcome.status, outcome.code) == ("quarantined", "input.crashed")


def test_a_refused_page_makes_the_document_partial_and_a_document_of_refused_pages_quarantined(process):
    assert process("good\fREFUSE").status == "partial"
    assert process("REFUSE\fREFUSE").status == "quarantined"


def test_a_bug_is_an_outcome_and_its_message_is_not_kept(process):
    outcome = process("RAISE Jane Roe")

    assert (outcome.status, outcome.is_bug, outcome.code) == ("quarantined", True, "bug.RuntimeError")
    assert "Jane" not in repr(outcome)


def test_workers_are_replaced_after_so_many_documents():
    config = load_config(
        overrides={**FAULTY, "limits": {"documents_per_worker": 2}, "extractors": [{"name": "measurement"}]}
    )
    with Pool(config, size=1) as pool:
        for number in range(5):
            pool.submit(job(f"document {number}"))
            assert [outcome.status for outcome in pool.collect()] == ["extracted"]

        assert pool.statistics.recycled == 2


def test_a_missing_model_stops_the_pool_before_any_document(monkeypatch, tmp_path):
    config = load_config()
    monkeypatch.setenv("EXTRACTOR_MODELS", str(tmp_path))

    with pytest.raises(MissingToolError), Pool(config, size=1):
        pass


def test_logs_name_documents_by_id_only(process, caplog):
    caplog.set_level(logging.DEBUG)

    process("Jane Roe\fCRASH")

    assert "Jane" not in caplog.text
