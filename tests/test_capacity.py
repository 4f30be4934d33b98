"""The arithmetic of capacity: right on round numbers, and the page shows what the script prints."""

import importlib.util
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "capacity.py"


@pytest.fixture(scope="module")
def capacity():
    spec = importlib.util.spec_from_file_location("capacity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["capacity"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["capacity"]


@pytest.fixture
def round_numbers(capacity):
    return capacity.Inputs(
        documents=1_000_000, pages_per_document=10, scanned_share=0.5, retried_share=0, digital_page_s=0.1,
        scanned_page_s=1.1, core_yield=1.0, cores=100, processes_per_worker=4, entities_per_page=20,
        relations_per_page=0, quarantine_per_document=0, page_text_row_bytes=1000, entity_row_bytes=100,
        document_row_bytes=100, source_row_bytes=100, ledger_document_bytes=100, sent_document_bytes=1_000_000,
        batch_documents=100, partitions_per_batch=1, file_overhead_bytes=1000, log_entry_bytes=1000, commit_s=0.5,
        commit_tries=1, target_file_mb=100, kept_share=0, extends_per_document=1, queue_batch=10, message_bytes=1000,
        claimed_bytes=100, claimed_peak_bytes=200, claimed_read_us=1, price_core_hour=1, price_gb_month=1,
        price_1000_puts=1, price_1000_queue_calls=1,
    )  # fmt: skip


def results(capacity, inputs):
    return {line.name: line.value for lines in capacity.capacity(inputs).values() for line in lines}


def test_round_numbers_give_what_one_works_out_by_hand(capacity, round_numbers):
    found = results(capacity, round_numbers)

    assert found["pages"] == 10_000_000
    assert found["page_s"] == pytest.approx(0.6)
    assert found["core_hours"] == pytest.approx(10_000_000 * 0.6 / 3600)
    assert found["days"] == pytest.approx(found["core_hours"] / 100 / 24)
    assert found["workers"] == 25
    assert found["page_text size"] == pytest.approx(10)
    assert found["entities rows"] == 200_000_000
    assert found["entities size"] == pytest.approx(20)
    assert found["lake size"] == pytest.approx(10 + 20 + 0.1 + 0.1 + 0.1)
    assert found["lake to sent"] == pytest.approx(30.3 / 1000)
    assert found["batches"] == 10_000
    assert found["commits"] == 80_000
    assert found["new files"] == 10_000 * (5 + 1 + 2)
    assert found["compacted files"] == 100 + 200 + 1 + 1 + 1 + 1
    assert found["ledger days"] == pytest.approx(10_000 * 2 * 0.5 / 86_400)
    assert found["claimed peak"] == 200
    assert found["operations"] == 4_000_000
    assert found["calls"] == 400_000
    assert found["lake a month"] == pytest.approx(30.3)
    assert found["store writes"] == pytest.approx((80_000 + 80_000) / 1000)
    assert found["per 1,000 documents"] == pytest.approx(found["core_hours"] / 1000)


def test_twice_the_documents_take_twice_the_work_and_twice_the_cores_half_the_days(capacity, round_numbers):
    once = results(capacity, round_numbers)
    twice = results(capacity, replace(round_numbers, documents=2_000_000))
    wide = results(capacity, replace(round_numbers, cores=200))

    for name in ("core_hours", "days", "lake size", "batches", "ledger days", "operations", "claimed peak"):
        assert twice[name] == pytest.approx(2 * once[name])
    assert wide["days"] == pytest.approx(once["days"] / 2)
    assert wide["ledger days"] == once["ledger days"]


def test_more_cores_than_the_ledger_bears_would_wait_for_it(capacity, round_numbers):
    bound = results(capacity, round_numbers)["most cores"]
    there = results(capacity, replace(round_numbers, cores=round(bound)))

    assert there["days"] == pytest.approx(there["ledger days"], rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scanned_share": 1.5}, "at most 1"),
        ({"cores": 0}, "more than 0"),
        ({"documents": -1}, "more than 0"),
        ({"pages_per_document": 0}, "more than 0"),
        ({"commit_s": float("nan")}, "more than 0"),
        ({"price_core_hour": -1}, "at least 0"),
    ],
    ids=["share", "cores", "documents", "pages", "nan", "price"],
)
def test_inputs_that_mean_nothing_are_refused(capacity, wrong, said):
    with pytest.raises(ValueError, match=said):
        capacity.Inputs(**wrong)


def test_no_scans_no_retries_and_no_price_are_fine(capacity):
    found = results(
        capacity, capacity.Inputs(scanned_share=0, retried_share=0, price_core_hour=0, price_gb_month=0)
    )

    assert found["cores"] == 0
    assert found["page_s"] == capacity.Inputs().digital_page_s


def test_every_word_of_a_formula_is_an_input_or_a_result(capacity):
    names = {one.name for one in fields(capacity.Inputs)}
    for lines in capacity.capacity(capacity.Inputs()).values():
        for line in lines:
            for word in (
                line.formula.replace("(", " ").replace(")", " ").replace(",", " ").replace(":", " ").split()
            ):
                assert "_" not in word or word in names | {"core_hours", "page_s", "page_text"}, (
                    line.name,
                    word,
                )


def test_the_page_shows_what_the_script_prints(capacity):
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    inputs = capacity.Inputs()

    assert capacity.inputs_table(inputs) in page
    for section in capacity.capacity(inputs):
        assert capacity.results_table(inputs, section) in page, "run benchmarks/capacity.py again"


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_every_input_is_a_flag(capacity):
    done = run("--help")

    for one in fields(capacity.Inputs):
        assert f"--{one.name.replace('_', '-')} " in done.stdout


def test_a_flag_changes_the_result_and_a_wrong_one_is_a_sentence():
    done, wrong = run("--documents", "1000", "--pages-per-document", "2"), run("--scanned-share", "2")

    assert "| pages | 2,000 |" in done.stdout
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    assert "scanned_share is a part" in wrong.stderr
