// Exports as OTLP/JSON with the real JavaScript SDKs: OpenTelemetry's spans and logs, and Langfuse's spans.
//
// Usage: NODE_PATH=node_modules node sdk.cjs HTTP_ENDPOINT. Prints the ids of the two traces, one a line.
"use strict";

const { SpanStatusCode, context, trace } = require("@opentelemetry/api");
const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-http");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { LangfuseSpanProcessor } = require("@langfuse/otel");
const { setLangfuseTracerProvider, startObservation } = require("@langfuse/tracing");

const endpoint = process.argv[2];
const messages = [{ role: "user", parts: [{ type: "text", content: "Grüße 🌱: which shelf?" }] }];

async function openTelemetry() {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, compression: "gzip" });
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  const tracer = provider.getTracer("js-test", "1.2.3");
  const outer = tracer.startSpan("outer");
  const within = trace.setSpan(context.active(), outer);
  const chat = tracer.startSpan("chat gpt-4.1-mini", {}, within);
  chat.setAttributes({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1-mini",
    "gen_ai.request.temperature": 0.25,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
    "gen_ai.conversation.id": "sess-7f3a",
    "gen_ai.input.messages": JSON.stringify(messages),
    // Cut inside a character, as a preview of fixed length is.
    "app.preview": "seeds 🌱".slice(0, 7),
    "app.exact": Number.MAX_SAFE_INTEGER,
  });
  chat.recordException(new TypeError("no such shelf"));
  chat.setStatus({ code: SpanStatusCode.ERROR, message: "no such shelf" });
  const logs = new LoggerProvider({
    processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${endpoint}/v1/logs` }) })],
  });
  logs.getLogger("js-test").emit({
    eventName: "app.stock",
    body: { sku: "BL-42", packets: 42 },
    severityText: "INFO",
    context: trace.setSpan(context.active(), chat),
  });
  chat.end();
  outer.end();
  await logs.forceFlush();
  await provider.forceFlush();
  return outer.spanContext().traceId;
}

async function langfuse() {
  const processor = new LangfuseSpanProcessor({ publicKey: "pk", secretKey: "sk", baseUrl: endpoint });
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  setLangfuseTracerProvider(provider);
  const agent = startObservation("seed agent", { input: { question: "Which shelf?" } }, { asType: "agent" });
  const call = agent.startObservation(
    "house call",
    {
      model: "house-model",
      input: [{ role: "user", content: "Which shelf?" }],
      modelParameters: { temperature: 0.5 },
      usageDetails: { input: 31, output: 12, cache_read_input_tokens: 5 },
    },
    { asType: "generation" },
  );
  call.update({ output: { role: "assistant", content: "Shelf 7." } }).end();
  agent.update({ output: "Shelf 7." }).end();
  await processor.forceFlush();
  return agent.traceId;
}

(async () => {
  console.log(await openTelemetry());
  console.log(await langfuse());
})();
