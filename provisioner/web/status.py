"""/healthz, /readyz and /metrics of the admin listener: public, and without a word about tenants."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from provisioner.errors import ProvisionerError
from provisioner.web.health import HEALTH
from provisioner.web.identity import CONTEXT, QUEUE
from provisioner.web.phone.parts import DoorParts

PARTS = web.AppKey("parts", DoorParts)
_REGISTRY = web.AppKey("registry", CollectorRegistry)


async def healthz(_request: web.Request) -> web.Response:
    """The process lives."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """The database answers and no error is found; warnings do not count."""
    try:
        async with request.config_dict[CONTEXT].store.read() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, ProvisionerError, OSError):
        return web.json_response({"status": "no database"}, status=503)
    errors = sum(finding.level == "error" for finding in request.config_dict[HEALTH]())
    return web.json_response({"status": "degraded" if errors else "ready", "errors": errors})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    body = generate_latest(request.config_dict[_REGISTRY])
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


class _Collector:
    """Reads the plain counters of this process when Prometheus asks."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        parts = self._app[PARTS]
        answers = CounterMetricFamily(
            "provisioner_phone_answers", "Answers to phones by reason", labels=["reason"]
        )
        for reason, count in sorted(parts.counters.answers.items()):
            answers.add_metric([reason], count)
        yield answers
        yield CounterMetricFamily(
            "provisioner_phone_shed", "Phone requests refused under load", value=parts.counters.shed
        )
        yield CounterMetricFamily(
            "provisioner_fetches_written", "Provisioning log entries written", value=parts.log.written
        )
        yield CounterMetricFamily(
            "provisioner_fetches_dropped", "Provisioning log entries dropped", value=parts.log.dropped
        )
        yield CounterMetricFamily(
            "provisioner_registration_events", "Registration events applied", value=self._app[QUEUE].applied
        )
        yield GaugeMetricFamily(
            "provisioner_files_bytes", "Rendered files in memory", value=parts.files.bytes_held
        )
        yield GaugeMetricFamily(
            "provisioner_devices_held", "Devices in memory", value=parts.files.devices_held
        )
        findings = GaugeMetricFamily(
            "provisioner_health_findings", "What health complains about", labels=["level"]
        )
        for level in ("error", "warning"):
            findings.add_metric([level], sum(finding.level == level for finding in self._app[HEALTH]()))
        yield findings


def add_status(app: web.Application) -> None:
    """Add the three addresses; HEALTH and PARTS must be set on the application."""
    registry = CollectorRegistry()
    registry.register(_Collector(app))
    app[_REGISTRY] = registry
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
