"""Read from template.yaml which resources cost money even if they are not used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.template.event_sources import QueueSource
from local.template.template import Template
from tools.cost.counts import MONTH_SECONDS


def resolved(path: Path, parameters: Mapping[str, str] | None = None) -> Template:
    """Return the template with these parameters, and placeholders for the values that only a deployment knows."""
    given = {"OidcIssuer": "https://issuer.example", "OidcAudience": "millrace", **(parameters or {})}
    bare = Template(path, parameters=given)
    urls = {f"{resource}.FunctionUrl": "https://stream.example" for resource in bare.function_urls}
    return Template(path, parameters=given, attributes=urls)


@dataclass(frozen=True, slots=True)
class Deployed:
    """The resources of a deployment that determine an idle month's bill.

    `alarm_metrics` is the number of metrics of all alarms. `snapshot_gb` is the memory in GB of each function with
    SnapStart. `sweeps` is the number of scheduled invocations per month, each of which counts as a sweep of jobs, and
    `sweep_gb` the largest memory of them in GB. `request_rate` is the HTTP API's throttling limit in requests per
    second. `queues` is the number of queues that Lambda asks for messages.
    """

    alarm_metrics: int
    dashboards: int
    secrets: int
    snapshot_gb: Mapping[str, float]
    routes: int
    routes_have_metrics: bool
    sweeps: float
    sweep_gb: float
    request_rate: float
    queues: int = 0

    @staticmethod
    def of(path: Path, parameters: Mapping[str, str] | None = None) -> Deployed:
        """Return the resources of a template that is deployed with these parameters."""
        template = resolved(path, parameters)
        [api] = template.of_type("AWS::Serverless::HttpApi").values()
        settings = api.get("DefaultRouteSettings", {})
        scheduled = template.schedules
        return Deployed(
            alarm_metrics=sum(map(_metrics_of, template.of_type("AWS::CloudWatch::Alarm").values())),
            dashboards=len(template.of_type("AWS::CloudWatch::Dashboard")),
            secrets=len(template.secrets),
            snapshot_gb=_snapshots(template),
            routes=len(template.routes),
            routes_have_metrics=bool(settings.get("DetailedMetricsEnabled")),
            sweeps=sum(MONTH_SECONDS / each.every_seconds for each in scheduled),
            sweep_gb=max(each.function.memory for each in scheduled) / 1024,
            request_rate=float(settings["ThrottlingRateLimit"]),
            queues=sum(isinstance(each, QueueSource) for each in template.event_sources),
        )


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """Return the number of metrics that are billed for an alarm, which is several if it uses an expression."""
    return sum("MetricStat" in entry for entry in alarm["Metrics"]) if "Metrics" in alarm else 1


def _snapshots(template: Template) -> dict[str, float]:
    """Return the memory in GB of each function that starts from a snapshot."""
    declared = template.of_type("AWS::Serverless::Function")
    return {
        function.folder: function.memory / 1024
        for function in template.functions
        if template.resolve(declared[function.logical_id].get("SnapStart", {})) == {"ApplyOn": "PublishedVersions"}
    }
