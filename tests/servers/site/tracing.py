"""For gunicorn: the site with OpenTelemetry, which writes each span into the log."""

from __future__ import annotations

import json
import os

from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import set_tracer_provider


def line(span: ReadableSpan) -> str:
    return f"span: {json.dumps(json.loads(span.to_json()))}\n"


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line)))
set_tracer_provider(provider)
commenter = "SITE_COMMENTER" in os.environ
DjangoInstrumentor().instrument(is_sql_commentor_enabled=commenter)
PsycopgInstrumentor().instrument(enable_commenter=commenter, enable_attribute_commenter=commenter)

from .wsgi import application as application  # noqa: E402  (instrumented before it is loaded)
