"""Exports log records with the real OpenTelemetry SDK and both of its exporters, gzipped: an event of a model call
and a record with a structured body, each within a span.

Usage: sdk_logs.py GRPC_ENDPOINT HTTP_ENDPOINT. Prints the trace ids, one a line.
"""

import sys

import grpc
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

grpc_endpoint, http = sys.argv[1:3]
grpc_way = {"endpoint": grpc_endpoint, "insecure": True, "compression": grpc.Compression.Gzip}
gzip = Compression.Gzip
exporters = [
    (GrpcSpans(**grpc_way), GrpcLogs(**grpc_way)),
    (HttpSpans(endpoint=f"{http}/v1/traces", compression=gzip), HttpLogs(endpoint=f"{http}/v1/logs", compression=gzip)),
]
for spans, logs in exporters:
    resource = Resource.create({"service.name": "sdk-logs"})
    tracing, logging = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(spans))
    logging.add_log_record_processor(BatchLogRecordProcessor(logs))
    logger = logging.get_logger("sdk-test", "1.2.3")
    with tracing.get_tracer("sdk-test").start_as_current_span("chat gpt-4.1-mini") as chat:
        chat.set_attribute("gen_ai.operation.name", "chat")
        chat.set_attribute("gen_ai.request.model", "gpt-4.1-mini")
        details = {
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Which shelf?"}]}],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "Shelf 7."}], "finish_reason": "stop"}
            ],
            "gen_ai.conversation.id": "sess-7f3a",
        }
        logger.emit(LogRecord(event_name="gen_ai.client.inference.operation.details", attributes=details))
        logger.emit(
            LogRecord(
                body={"sku": "BL-42", "packets": 42, "shelves": [7, 8]},
                severity_text="WARN",
                severity_number=SeverityNumber.WARN,
                attributes={"app.low": True},
            )
        )
        print(f"{chat.get_span_context().trace_id:032x}")
    for provider in (logging, tracing):
        if not provider.force_flush(10_000):
            sys.exit("the exporter did not finish")
        provider.shutdown()
