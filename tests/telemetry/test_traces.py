import importlib.util
import io
import json
import subprocess
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from extractor.errors import MissingToolError
from extractor.telemetry.traces import Tracer, open_tracer, trace_id_of

sdk = pytest.importorskip("opentelemetry.sdk.trace.export", reason="needs the extra telemetry")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

SENDER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
STARTED_S = 1_800_000_000.0


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in (
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
        "OTEL_SDK_DISABLED",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def exporter():
    return memory.InMemorySpanExporter()


@pytest.fixture
def tracer(exporter):
    with Tracer(sdk.SimpleSpanProcessor(exporter), code_version="0.1.0") as running:
        yield running


def finish(trace, **changes):
    """Delivered at 0 s, its outcome at 10 s, committed from 14 to 15 s."""
    told = {
        "status": "extracted",
        "doc_id": "d" * 64,
        "pages": 3,
        "pipeline_version": "0.1.0+0123456789ab",
        "stage_s": {"read": 1.0, "ocr": 4.0, "extract": 2.0, "tables": 0.5},
        "processed_s": STARTED_S + 10,
        "commit_s": 1.0,
        "ended_s": STARTED_S + 15,
    }
    trace.finish(**told | changes)


def spans_of(exporter):
    return {span.name: span for span in exporter.get_finished_spans()}


def seconds(span):
    """Start and end since the document was delivered."""
    return (
        pytest.approx(span.start_time / 1e9 - STARTED_S, abs=1e-3),
        pytest.approx(span.end_time / 1e9 - STARTED_S, abs=1e-3),
    )


def test_a_document_is_one_span_with_one_below_it_per_stage(tracer, exporter):
    finish(tracer.start(job_id="j1", run_id="r1", started_s=STARTED_S))
    spans = spans_of(exporter)

    assert list(spans) == ["read", "ocr", "extract", "tables", "commit", "document"]
    document = spans.pop("document")
    assert document.parent is None
    assert {span.parent.span_id for span in spans.values()} == {document.context.span_id}
    assert {span.context.trace_id for span in spans.values()} == {document.context.trace_id}


def test_starts_are_reconstructed_from_durations_and_the_moment_of_the_outcome(tracer, exporter):
    finish(tracer.start(started_s=STARTED_S))
    spans = spans_of(exporter)

    assert seconds(spans["document"]) == (0, 15)
    assert seconds(spans["read"]) == (2.5, 3.5)
    assert seconds(spans["ocr"]) == (3.5, 7.5)
    assert seconds(spans["extract"]) == (7.5, 9.5)
    assert seconds(spans["tables"]) == (9.5, 10)
    assert seconds(spans["commit"]) == (14, 15)


def test_no_stage_begins_before_its_document(tracer, exporter):
    finish(tracer.start(started_s=STARTED_S), stage_s={"read": 11.0}, commit_s=None)
    spans = spans_of(exporter)

    assert seconds(spans["read"]) == (0, 11)
    assert "commit" not in spans


def test_attributes_are_ids_codes_and_numbers(tracer, exporter):
    finish(tracer.start(job_id="j1", run_id="r1", started_s=STARTED_S), status="partial", code="limit.time")
    document = spans_of(exporter)["document"]

    assert dict(document.attributes) == {
        "job_id": "j1",
        "run_id": "r1",
        "doc_id": "d" * 64,
        "status": "partial",
        "code": "limit.time",
        "pages": 3,
        "pipeline_version": "0.1.0+0123456789ab",
    }
    assert dict(document.resource.attributes)["service.name"] == "extractor"
    assert dict(document.resource.attributes)["service.version"] == "0.1.0"
    assert document.status.is_unset


def test_a_quarantined_document_is_an_error_with_its_code(tracer, exporter):
    finish(tracer.start(started_s=STARTED_S), status="quarantined", code="input.encrypted")
    status = spans_of(exporter)["document"].status

    assert not status.is_ok
    assert status.description == "input.encrypted"


def test_a_planted_name_does_not_reach_a_span():
    stream = io.StringIO()
    with open_tracer("console", stream=stream) as tracer:
        trace = tracer.start(job_id="Jane Doe", run_id="/inbox/Jane.pdf", traceparent="Jane Doe")
        finish(
            trace,
            status="quarantined",
            code="Jane Doe",
            doc_id="Jane Doe",
            pipeline_version="Jane Doe",
            stage_s={"Jane Doe": 1.0},
        )

    assert stream.getvalue().count("\n") == 3
    assert "Jane" not in stream.getvalue()


def test_a_senders_trace_goes_on(tracer, exporter):
    trace = tracer.start(traceparent=SENDER, started_s=STARTED_S)
    assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    finish(trace)
    document = spans_of(exporter)["document"]

    assert f"{document.context.trace_id:032x}" == trace.trace_id
    assert f"{document.parent.span_id:016x}" == "00f067aa0ba902b7"


def test_a_sender_that_does_not_record_is_followed(tracer, exporter):
    trace = tracer.start(traceparent=NOT_SAMPLED, started_s=STARTED_S)
    finish(trace)

    assert exporter.get_finished_spans() == ()
    assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "garbage",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "ff" + SENDER[2:],
        SENDER.upper(),
        "x" * 10_000,
    ],
    ids=["empty", "garbage", "zeros", "version", "capitals", "long"],
)
def test_a_traceparent_that_cannot_be_read_begins_a_new_trace(tracer, exporter, traceparent):
    trace = tracer.start(traceparent=traceparent, started_s=STARTED_S)
    finish(trace)

    assert spans_of(exporter)["document"].parent is None
    assert len(trace.trace_id) == 32


def test_a_trace_can_be_handed_on(tracer):
    first = tracer.start(traceparent=SENDER)
    second = tracer.start(traceparent=first.traceparent)

    assert first.traceparent != SENDER
    assert second.trace_id == first.trace_id
    finish(first)
    finish(second)


def test_two_documents_are_two_traces(tracer):
    first, second = tracer.start(), tracer.start()

    assert first.trace_id != second.trace_id
    finish(first)
    finish(second)


def test_a_trace_ends_once(tracer, exporter):
    trace = tracer.start(started_s=STARTED_S)
    finish(trace)
    finish(trace)

    assert len(exporter.get_finished_spans()) == 6


def test_times_that_are_not_told_are_now(tracer, exporter):
    before_s = time.time()
    tracer.start().finish(status="extracted", stage_s={"read": 0.0})
    span = spans_of(exporter)["document"]

    assert before_s - 1 <= span.start_time / 1e9 <= span.end_time / 1e9 <= time.time() + 1


def test_the_console_writes_one_json_object_a_line_to_the_stream(capfd):
    stream = io.StringIO()
    with open_tracer("console", code_version="0.1.0", stream=stream) as tracer:
        finish(tracer.start(job_id="j1", started_s=STARTED_S))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert [line["name"] for line in lines] == ["read", "ocr", "extract", "tables", "commit", "document"]
    assert lines[-1]["attributes"]["job_id"] == "j1"
    assert capfd.readouterr().out == ""


def test_without_tracing_nothing_is_imported_and_the_senders_trace_is_still_known():
    code = (
        "import sys\nfrom extractor.telemetry.traces import open_tracer\n"
        "with open_tracer('none') as tracer:\n"
        f"    trace = tracer.start(job_id='j', traceparent='{SENDER}')\n"
        "    trace.finish(status='extracted', stage_s={'read': 1.0}, commit_s=1.0)\n"
        "    print(trace.trace_id, trace.traceparent)\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split("\n")[:2] == ["4bf92f3577b34da6a3ce929d0e0e4736 None", "[]"]


@pytest.mark.parametrize("value", [None, "", "garbage", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_a_sender_without_a_trace_has_no_trace_id(value):
    assert trace_id_of(value) == ""


@pytest.mark.parametrize("traces", ["console", "otlp"])
def test_without_the_sdk_the_error_names_the_extra(monkeypatch, traces):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)

    with pytest.raises(MissingToolError) as raised:
        open_tracer(traces)
    assert "lifescience-extractor[telemetry]" in raised.value.hint


def test_without_the_exporter_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, OTLP, None)

    with pytest.raises(MissingToolError) as raised:
        open_tracer("otlp")
    assert "opentelemetry-exporter-otlp-proto-http" in raised.value.hint


def planted_exporter(monkeypatch, exporter):
    """The exporter's package in name only: what is tested is that its spans come in the background, and all of them."""
    packages = OTLP.split(".")
    for depth in range(3, len(packages) + 1):
        monkeypatch.setitem(sys.modules, ".".join(packages[:depth]), types.ModuleType("planted"))
    monkeypatch.setattr(sys.modules[OTLP], "OTLPSpanExporter", lambda: exporter, raising=False)


def test_otlp_sends_what_waits_before_the_worker_ends(monkeypatch, exporter):
    planted_exporter(monkeypatch, exporter)
    with open_tracer("otlp") as tracer:
        finish(tracer.start(started_s=STARTED_S))

    assert len(exporter.get_finished_spans()) == 6


def test_a_collector_that_is_away_does_not_hold_up_the_end(monkeypatch):
    let_go = threading.Event()

    class Away(sdk.SpanExporter):
        def export(self, spans):
            let_go.wait(30)
            return sdk.SpanExportResult.FAILURE

    planted_exporter(monkeypatch, Away())
    tracer = open_tracer("otlp")
    finish(tracer.start(started_s=STARTED_S))
    started_s = time.monotonic()
    tracer.close(timeout_s=0.2)
    spent_s = time.monotonic() - started_s
    let_go.set()

    assert spent_s < 5


@pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry.exporter") is None,
    reason="opentelemetry-exporter-otlp-proto-http is not installed",
)
def test_otlp_reaches_a_collector_over_http(monkeypatch):
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        with open_tracer("otlp") as tracer:
            finish(tracer.start(job_id="j1", started_s=STARTED_S))
        server.shutdown()

    assert [path for path, _ in received] == ["/v1/traces"]
    assert b"extract" in received[0][1]
