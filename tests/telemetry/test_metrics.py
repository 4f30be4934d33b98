import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from extractor import errors
from extractor.telemetry.metrics import MOST_VALUES, Metrics


def samples(metrics):
    """Every series as rendered: (name, labels) -> value."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def labels_of(metrics, name):
    return {labels for found, labels in samples(metrics) if found == name}


def everything(metrics):
    """Uses each method once, so that every metric has a series."""
    metrics.state(alive=True, ready=True)
    metrics.pipeline("0.1.0+abc", "0.1.0", [("ner@2", "f" * 64)])
    metrics.document(
        status="partial", code="limit.time", seconds=2.0, pages=3, pages_poor=1, pages_failed=1,
        stage_s={"read": 0.5, "ocr": 1.0}, ocr_confidence=0.91, byte_count=1000,
    )  # fmt: skip
    metrics.skipped()
    metrics.entities({"drug": 2})
    metrics.relations({"drug_dose": 1})
    metrics.rows("entities", 2)
    metrics.committed(0.3, conflicts=1)
    metrics.retried("lake.conflict")
    metrics.died("queue.message")
    metrics.leases_lost()
    metrics.in_flight(documents=2, pages=7, byte_count=99)
    metrics.queue(ready=5, delayed=1, leased=2, dead=0, oldest_s=12.5)
    metrics.pool(crashed=1, stopped=0, recycled=0, peak_worker_bytes=5_000_000)
    return metrics


def test_a_document_is_counted_with_status_code_pages_bytes_and_times():
    metrics = everything(Metrics())

    assert value(metrics, "extractor_documents_total", status="partial", code="limit.time") == 1
    assert [
        value(metrics, "extractor_pages_total", result=result) for result in ("good", "poor", "failed")
    ] == [
        2,
        1,
        1,
    ]
    assert value(metrics, "extractor_bytes_total") == 1000
    assert value(metrics, "extractor_document_seconds_sum") == 2.0
    assert value(metrics, "extractor_stage_seconds_sum", stage="ocr") == 1.0
    assert value(metrics, "extractor_ocr_confidence_sum") == 0.91


def test_a_document_without_ocr_does_not_enter_the_confidence():
    metrics = Metrics()
    metrics.document(status="extracted", seconds=0.1, pages=1)

    assert value(metrics, "extractor_ocr_confidence_count") == 0
    assert value(metrics, "extractor_documents_total", status="extracted", code="none") == 1


def test_a_skipped_document_has_no_duration():
    metrics = Metrics()
    metrics.skipped()

    assert value(metrics, "extractor_documents_total", status="skipped", code="none") == 1
    assert value(metrics, "extractor_document_seconds_count") == 0


def test_findings_rows_and_commits_are_counted():
    metrics = everything(Metrics())

    assert value(metrics, "extractor_entities_total", type="drug") == 2
    assert value(metrics, "extractor_relations_total", type="drug_dose") == 1
    assert value(metrics, "extractor_rows_total", table="entities") == 2
    assert value(metrics, "extractor_commit_seconds_count") == 1
    assert value(metrics, "extractor_commit_conflicts_total") == 1
    assert value(metrics, "extractor_retries_total", code="lake.conflict") == 1
    assert value(metrics, "extractor_dead_letters_total", code="queue.message") == 1
    assert value(metrics, "extractor_leases_lost_total") == 1
    assert value(metrics, "extractor_in_flight", what="bytes") == 99


def test_a_bug_is_counted_as_one_beside_its_code():
    metrics = Metrics()
    metrics.document(status="quarantined", code="bug.KeyError", seconds=0.1)
    metrics.document(status="quarantined", code="input.corrupt", seconds=0.1)

    assert value(metrics, "extractor_bugs_total") == 1
    assert value(metrics, "extractor_documents_total", status="quarantined", code="bug.KeyError") == 1


def test_a_number_that_the_broker_cannot_tell_is_absent_and_comes_back():
    metrics = Metrics()
    metrics.queue(ready=5, delayed=None, leased=2, dead=0, oldest_s=None)
    assert labels_of(metrics, "extractor_queue_messages") == {
        (("state", "ready"),),
        (("state", "leased"),),
        (("state", "dead"),),
    }
    assert math.isnan(value(metrics, "extractor_queue_oldest_seconds"))

    metrics.queue()
    assert labels_of(metrics, "extractor_queue_messages") == set()

    metrics.queue(ready=0, delayed=3, leased=0, dead=1)
    assert value(metrics, "extractor_queue_messages", state="delayed") == 3
    assert value(metrics, "extractor_queue_oldest_seconds") == 0


def test_the_queue_is_unknown_until_somebody_asked_it():
    metrics = Metrics()

    assert labels_of(metrics, "extractor_queue_messages") == set()
    assert math.isnan(value(metrics, "extractor_queue_oldest_seconds"))


def test_events_of_the_pool_are_differences_and_a_new_pool_starts_again():
    metrics = Metrics()
    metrics.pool(crashed=2, stopped=1, recycled=0, peak_worker_bytes=10)
    metrics.pool(crashed=3, stopped=1, recycled=4, peak_worker_bytes=20)
    metrics.pool(crashed=1, stopped=0, recycled=0, peak_worker_bytes=5)

    assert value(metrics, "extractor_pool_events_total", event="crashed") == 4
    assert value(metrics, "extractor_pool_events_total", event="stopped") == 1
    assert value(metrics, "extractor_pool_events_total", event="recycled") == 4
    assert value(metrics, "extractor_worker_memory_bytes") == 5


def test_a_new_pipeline_replaces_the_old_one_and_its_models():
    metrics = Metrics()
    metrics.pipeline("0.1.0+aaa", "0.1.0", [("ner@1", "1" * 64), ("date@3", "")])
    metrics.pipeline("0.1.0+bbb", "0.1.0", [("org/ner@2", "2" * 64)])

    assert labels_of(metrics, "extractor_pipeline_info") == {
        (("code_version", "0.1.0"), ("pipeline_version", "0.1.0+bbb"))
    }
    assert labels_of(metrics, "extractor_model_info") == {
        (("model", "org/ner"), ("sha256", "2" * 64), ("version", "2"))
    }


@pytest.mark.parametrize("kind", ["extractor_retries_total", "extractor_dead_letters_total"])
def test_every_code_of_an_error_starts_at_zero_so_that_its_first_event_is_a_rise(kind):
    metrics = Metrics()
    known = {kind.code for kind in vars(errors).values() if isinstance(kind, type)} - {None}

    assert known <= {dict(labels)["code"] for labels in labels_of(metrics, kind)}
    assert value(metrics, kind, code="lake.conflict") == 0


def test_a_planted_name_never_becomes_a_label():
    metrics = Metrics()
    name = "Jane Doe"
    metrics.document(status=name, code=name, seconds=1.0, stage_s={name: 1.0})
    metrics.entities({name: 1})
    metrics.relations({name: 1})
    metrics.rows(name, 1)
    metrics.retried(f"/inbox/{name}.pdf")
    metrics.died(name)
    metrics.pipeline(name, name, [(f"{name}@{name}", name), (f"/home/{name}/model@1", "")])

    text = metrics.render().decode()
    assert "Jane" not in text
    assert "Doe" not in text
    assert value(metrics, "extractor_documents_total", status="other", code="other") == 1


def test_more_values_than_expected_are_counted_together():
    metrics = Metrics()
    metrics.entities({f"type_{number}": 1 for number in range(MOST_VALUES + 50)})

    found = labels_of(metrics, "extractor_entities_total")
    assert len(found) == MOST_VALUES + 1
    assert value(metrics, "extractor_entities_total", type="other") == 50


def test_metrics_have_a_registry_of_their_own():
    first, second = Metrics(), Metrics()
    first.leases_lost(3)

    assert value(second, "extractor_leases_lost_total") == 0
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("extractor")]


def test_counts_from_many_threads_all_arrive():
    metrics = Metrics()
    with ThreadPoolExecutor(4) as threads:
        for _ in range(400):
            threads.submit(metrics.document, status="extracted", seconds=0.1, pages=2)

    assert value(metrics, "extractor_documents_total", status="extracted", code="none") == 400
    assert value(metrics, "extractor_pages_total", result="good") == 800


def test_everything_that_is_described_is_rendered_with_the_labels_described():
    metrics = everything(Metrics())
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}

    assert len(families) == len(metrics.described)
    for one in metrics.described:
        family = families[one.name.removesuffix("_total")]
        assert family.type == one.kind
        assert {name for sample in family.samples for name in sample.labels} - {"le"} == set(one.labels)


def test_names_follow_the_conventions_of_prometheus():
    for one in Metrics().described:
        assert one.name.startswith("extractor_")
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert not one.name.endswith(("_ms", "_mb", "_minutes"))
        assert "tenant" not in one.labels


def test_the_format_is_the_one_that_the_content_type_names():
    metrics = Metrics()

    assert metrics.content_type.startswith("text/plain; version=0.0.4")
    assert b"_created" not in metrics.render()
    assert metrics.render().endswith(b"\n")


def test_importing_logs_and_endpoint_loads_no_library_of_metrics_or_traces():
    code = (
        "import sys, extractor.telemetry.logs, extractor.telemetry.endpoint, extractor.telemetry.traces\n"
        "print(sorted(m for m in sys.modules if m in ('prometheus_client', 'opentelemetry')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
