"""Spans of OpenTelemetry that `mnistgen serve --traces` creates."""

import pytest
from serve_helpers import DIGIT, start_fixture, wait_until  # noqa: F401 - fixture

pytest.importorskip("opentelemetry.sdk", reason="needs OpenTelemetry's SDK")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def spans():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def test_span_for_each_request(start, spans):
    one = start(("cgan",), traces=True)
    one.get(DIGIT, traceparent=PARENT)
    one.get("/nothing")
    wait_until(lambda: len(spans.get_finished_spans()) == 2)
    digit, missing = spans.get_finished_spans()
    assert digit.name == "GET /v1/{model}/{seed}/{index}.{format}"
    assert f"{digit.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{digit.parent.span_id:016x}" == PARENT.split("-")[2]
    assert dict(digit.attributes)["http.response.status_code"] == 200
    assert (missing.name, missing.attributes["http.response.status_code"]) == ("GET", 404)
    assert "7" not in str(digit.attributes)
