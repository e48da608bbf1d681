"""Exports spans with the real OpenTelemetry SDK and both of its exporters.

Usage: sdk.py GRPC_ENDPOINT HTTP_ENDPOINT. Prints the trace ids, one a line.
"""

import sys

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

grpc, http = sys.argv[1:3]
for exporter in (GrpcExporter(endpoint=grpc, insecure=True), HttpExporter(endpoint=f"{http}/v1/traces")):
    provider = TracerProvider(resource=Resource.create({"service.name": "sdk"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("sdk-test").start_as_current_span("outer") as outer:
        with provider.get_tracer("sdk-test").start_as_current_span("chat gpt-4.1-mini") as chat:
            chat.set_attribute("gen_ai.operation.name", "chat")
            chat.set_attribute("gen_ai.provider.name", "openai")
            chat.set_attribute("gen_ai.request.model", "gpt-4.1-mini")
            chat.set_attribute("gen_ai.usage.input_tokens", 120)
            chat.set_attribute("gen_ai.usage.output_tokens", 30)
            chat.set_attribute(
                "gen_ai.input.messages",
                '[{"role": "user", "parts": [{"type": "text", "content": "Which shelf?"}]}]',
            )
    print(f"{outer.get_span_context().trace_id:032x}")
    if not provider.force_flush(10_000):
        sys.exit("the exporter did not finish")
    provider.shutdown()
