"""A trace per document: one span from delivery to commit, and below it one per stage.

A stage's duration comes back with the outcome, from another process. Its start
is reconstructed: stages end where the outcome came and follow one another in
the order of the pipeline. Durations are exact, starts are as good as that; in
particular the OCR of all pages is drawn as one span after reading, while the
two take turns. Attributes are ids, codes and numbers. Without tracing, nothing
is imported and nothing is recorded.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

from extractor.errors import MissingToolError
from extractor.telemetry.values import as_code, as_id, as_ids

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer as OtelTracer

STAGES = ("read", "ocr", "extract", "tables")
"""Stages of the pipeline in their order; the commit follows them, after a wait for its batch."""

_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_CLOSE_S = 5.0


class Trace:
    """The trace of one document on its way; made by :meth:`Tracer.start`, ended once by :meth:`finish`."""

    __slots__ = ("_span", "_started_s", "_tracer", "trace_id")

    def __init__(
        self, *, trace_id: str, started_s: float, tracer: OtelTracer | None = None, span: Span | None = None
    ) -> None:
        self.trace_id = trace_id
        """32 hexadecimal digits for the log's ``trace_id``; empty where there is no trace."""
        self._started_s = started_s
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """This document's place in its trace, as W3C trace context, for whoever goes on with it."""
        if self._span is None:
            return None
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def finish(
        self,
        *,
        status: str,
        doc_id: str | None = None,
        code: str | None = None,
        pages: int | None = None,
        pipeline_version: str | None = None,
        stage_s: Mapping[str, float] | None = None,
        processed_s: float | None = None,
        commit_s: float | None = None,
        ended_s: float | None = None,
    ) -> None:
        """The document is done with: committed, given up or handed back.

        ``processed_s`` is when its outcome came, ``ended_s`` when it was done with
        (both seconds since 1970; now where not told); ``commit_s`` is how long the
        commit took that ended then. A quarantined document's span is an error.
        """
        if self._span is None or self._tracer is None:
            return
        from opentelemetry.trace import Status, StatusCode

        ended_s = time.time() if ended_s is None else ended_s
        if processed_s is None:
            processed_s = ended_s - (commit_s or 0.0)
        self._stages(stage_s or {}, processed_s)
        if commit_s is not None:
            self._child("commit", ended_s - commit_s, ended_s)
        told: dict[str, str | int] = {"status": as_code(status), **as_ids({"doc_id": doc_id})}
        if code is not None:
            told["code"] = as_code(code)
        if pages is not None:
            told["pages"] = pages
        if pipeline_version is not None:
            told["pipeline_version"] = as_id(pipeline_version)
        self._span.set_attributes(told)
        if status == "quarantined":
            self._span.set_status(Status(StatusCode.ERROR, as_code(code) if code else None))
        self._span.end(end_time=_ns(ended_s))
        self._span = None

    def _stages(self, stage_s: Mapping[str, float], processed_s: float) -> None:
        names = [
            *(name for name in STAGES if name in stage_s),
            *(name for name in stage_s if name not in STAGES),
        ]
        start_s = max(processed_s - sum(stage_s.values()), self._started_s)
        for name in names:
            self._child(as_code(name), start_s, start_s + stage_s[name])
            start_s += stage_s[name]

    def _child(self, name: str, start_s: float, end_s: float) -> None:
        from opentelemetry.trace import set_span_in_context

        assert self._tracer is not None
        assert self._span is not None
        child = self._tracer.start_span(
            name, context=set_span_in_context(self._span), start_time=_ns(start_s)
        )
        child.end(end_time=_ns(end_s))


class Tracer:
    """Starts traces and sends them to ``processor``; without one it records nothing and imports nothing.

    Sampling, the service's name and its resource follow OpenTelemetry's own
    environment variables (``OTEL_TRACES_SAMPLER``, ``OTEL_SERVICE_NAME``,
    ``OTEL_RESOURCE_ATTRIBUTES``).
    """

    def __init__(self, processor: SpanProcessor | None = None, *, code_version: str = "") -> None:
        self._provider: Any = None
        self._tracer: OtelTracer | None = None
        if processor is None:
            return
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        about = {"service.version": code_version} if code_version else {}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            about["service.name"] = "extractor"
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("extractor", code_version or None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(
        self,
        *,
        job_id: str | None = None,
        run_id: str | None = None,
        traceparent: str | None = None,
        started_s: float | None = None,
    ) -> Trace:
        """A document arrived (at ``started_s`` since 1970; now where not told).

        ``traceparent`` continues its sender's trace (W3C trace context), and with
        it the sender's choice whether to record; one that cannot be read is
        passed over and a new trace begins.
        """
        started_s = time.time() if started_s is None else started_s
        if self._tracer is None:
            return Trace(trace_id=trace_id_of(traceparent), started_s=started_s)
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = Context()
        if traceparent:
            context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context)
        span = self._tracer.start_span(
            "document",
            context=context,
            kind=SpanKind.CONSUMER,
            attributes=as_ids({"job_id": job_id, "run_id": run_id}),
            start_time=_ns(started_s),
        )
        number = span.get_span_context().trace_id
        return Trace(
            trace_id=f"{number:032x}" if number else "", started_s=started_s, tracer=self._tracer, span=span
        )

    def close(self, *, timeout_s: float = _CLOSE_S) -> None:
        """Send what waits, for at most ``timeout_s``: a collector that is away must not hold up the worker's end."""
        if self._provider is None:
            return
        last = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        last.start()
        last.join(timeout_s)
        self._provider = self._tracer = None


def open_tracer(
    traces: Literal["none", "console", "otlp"], *, code_version: str = "", stream: TextIO | None = None
) -> Tracer:
    """The tracer that ``telemetry.traces`` names; ``console`` writes one JSON object a line to ``stream`` (stderr).

    ``otlp`` sends in the background, over HTTP, to ``OTEL_EXPORTER_OTLP_ENDPOINT``.

    Raises:
        MissingToolError: the OpenTelemetry SDK, or its exporter for OTLP, is not installed.
    """
    if traces == "none":
        return Tracer()
    try:
        from opentelemetry.sdk.trace.export import (
            BatchSpanProcessor,
            ConsoleSpanExporter,
            SimpleSpanProcessor,
        )
    except ImportError as error:
        raise MissingToolError(
            f"telemetry.traces is {traces}, and the OpenTelemetry SDK is not installed",
            hint="Operator: install the extra: pip install 'lifescience-extractor[telemetry]'; "
            "or set telemetry.traces to none.",
        ) from error
    if traces == "console":
        exporter: SpanExporter = ConsoleSpanExporter(
            out=stream or sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n"
        )
        return Tracer(SimpleSpanProcessor(exporter), code_version=code_version)
    try:
        module = importlib.import_module(_EXPORTER)
    except ImportError as error:
        raise MissingToolError(
            "telemetry.traces is otlp, and OpenTelemetry's exporter for OTLP over HTTP is not installed",
            hint="Operator: pip install opentelemetry-exporter-otlp-proto-http; "
            "or set telemetry.traces to console or none.",
        ) from error
    return Tracer(BatchSpanProcessor(module.OTLPSpanExporter()), code_version=code_version)


def trace_id_of(traceparent: str | None) -> str:
    """The trace that a W3C ``traceparent`` names; empty where it cannot be read."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found.group(1) if found and set(found.group(1)) != {"0"} else ""


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
