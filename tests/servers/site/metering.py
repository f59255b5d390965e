"""For gunicorn's post_worker_init: OpenTelemetry's SDK, which writes its metrics into the log."""

from __future__ import annotations

import json
import os

from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)

from django_db_geventpool.contrib.opentelemetry import instrument


def line(data: MetricsData) -> str:
    return f"metrics of {os.getpid()}: {json.dumps(json.loads(data.to_json()))}\n"


def begin(milliseconds: int) -> None:
    """Export so often."""
    exporter = ConsoleMetricExporter(formatter=line)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=milliseconds)
    set_meter_provider(MeterProvider([reader]))
    instrument()
