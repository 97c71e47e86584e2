"""A span for each look, its verbs below it; nothing at all where nothing is configured."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from canary_operator import reconcile
from canary_operator.cluster import kinds
from canary_operator.errors import ClusterUnavailable, ConfigurationError
from canary_operator.model.rollout import RolloutRef
from canary_operator.settings import Tracing
from canary_operator.telemetry import tracing
from canary_operator.wiring import _cycle
from tests.builders import NAME, NAMESPACE, at_a_pause
from tests.test_reconcile import Stage

REF = RolloutRef(NAMESPACE, NAME)
VERBS = ["snapshot", "plan", "fetch", "decide", "apply", "record"]


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


async def look(stage, exporter, sample_ratio=1.0):
    provider = tracing._provider(sample_ratio)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return await _cycle(stage.world, tracing.Traces(provider))(REF)


async def test_a_look_is_a_span_with_its_verbs_in_their_order_below_it(exporter):
    await look(Stage(at_a_pause()), exporter)

    *verbs, top = exporter.get_finished_spans()
    assert (top.name, top.parent) == ("look", None)
    assert [span.name for span in verbs] == VERBS
    assert {span.parent.span_id for span in verbs} == {top.context.span_id}
    assert {span.context.trace_id for span in verbs} == {top.context.trace_id}


async def test_the_look_says_which_rollout_and_what_its_gate_says(exporter):
    await look(Stage(at_a_pause()), exporter)

    top = exporter.get_finished_spans()[-1]
    assert dict(top.attributes) == {
        "namespace": NAMESPACE,
        "rollout": NAME,
        "verdict": "Hold",
        "reason": "Collecting",
        "phase": "Judging",
    }
    assert top.resource.attributes["service.name"] == "canary-operator"


async def test_a_look_that_fails_is_an_error_and_fails_all_the_same(exporter):
    stage = Stage(at_a_pause())
    stage.api.broken = {"create_gate"}

    with pytest.raises(ClusterUnavailable):
        await look(stage, exporter)

    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert not spans["look"].status.is_ok
    assert [event.name for event in spans["look"].events] == ["exception"]
    assert "verdict" not in spans["look"].attributes


async def test_a_rollout_that_is_gone_is_a_look_too(exporter):
    stage = Stage(at_a_pause())
    stage.store.remove(kinds.ROLLOUTS, stage.api.objects["rollouts"][NAME])

    await look(stage, exporter)

    assert [span.name for span in exporter.get_finished_spans()] == ["snapshot", "look"]


async def test_a_look_that_is_not_sampled_leaves_no_span_and_is_done_all_the_same(exporter):
    stage = Stage(at_a_pause())

    await look(stage, exporter, sample_ratio=1e-12)

    assert exporter.get_finished_spans() == ()
    assert stage.status.verdict == "Hold"


async def test_where_nothing_is_configured_the_verbs_are_the_functions_themselves():
    stage = Stage(at_a_pause())

    assert tracing.begin(Tracing()) is None
    assert _cycle(stage.world, None).func is reconcile.reconcile
    assert stage.world.verbs is reconcile.VERBS


def test_where_nothing_is_configured_opentelemetry_is_not_even_imported():
    program = (
        "import sys; from canary_operator import wiring; from canary_operator.settings import Tracing; "
        "from canary_operator.telemetry import tracing; assert tracing.begin(Tracing()) is None; "
        "sys.exit('opentelemetry' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_the_extra_the_mistake_is_named(monkeypatch):
    for name in ("opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ConfigurationError, match=r"tracing\.endpoint: .* install canary-operator\[otel\]"):
        tracing.begin(Tracing(endpoint="http://127.0.0.1:4318/v1/traces"))


class Receiver:
    """What an OpenTelemetry collector is to the operator: a socket that takes OTLP over HTTP."""

    def __init__(self):
        self.requests = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def spans(self):
        return [
            span
            for _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


async def test_a_receiver_gets_every_span_before_the_program_ends(monkeypatch):
    # Nobody stands between the operator and what is configured.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stage = Stage(at_a_pause())
    with Receiver() as receiver:
        traces = tracing.begin(Tracing(endpoint=receiver.url))
        await _cycle(stage.world, traces)(REF)
        traces.close(30.0)

    assert [path for path, _ in receiver.requests] == ["/v1/traces"]
    assert [span.name for span in receiver.spans()] == [*VERBS, "look"]
    top = receiver.spans()[-1]
    said = {each.key: each.value.string_value for each in top.attributes}
    assert (said["namespace"], said["rollout"], said["verdict"]) == (NAMESPACE, NAME, "Hold")
    assert {span.parent_span_id for span in receiver.spans()[:-1]} == {top.span_id}


async def test_a_receiver_that_is_away_changes_nothing_and_keeps_nobody(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_SEND_SECONDS", 0.2)
    stage = Stage(at_a_pause())
    with Receiver() as receiver:
        gone = receiver.url
    traces = tracing.begin(Tracing(endpoint=gone))

    await _cycle(stage.world, traces)(REF)
    traces.close(0.0)

    assert stage.status.verdict == "Hold"
    (sending,) = (thread for thread in threading.enumerate() if thread.name == "traces")
    sending.join(30)
    assert "Failed to export spans" in caplog.text
