"""The bill for an idle month, from the resources of the template."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from local.stack import ROOT
from local.template.template import Template
from shared.jobs.aws_prices import PriceList
from tools.cost.__main__ import report_of
from tools.cost.bill import total
from tools.cost.configurations import DEFAULT, PRODUCTION, configurations
from tools.cost.counts import SweepCounts
from tools.cost.deployed import Deployed
from tools.cost.idle import bill_for_a_month_in_use, bill_for_an_idle_month
from tools.cost.measured import Measured

PRICES = PriceList.load()
PARAMETERS = configurations()
SWEEP = SweepCounts(milliseconds=100, read_units=4, log_bytes=500, metrics=("OldestPendingJobSeconds",))
DEPLOYED = Deployed(
    alarm_metrics=40,
    dashboards=1,
    secrets=2,
    snapshot_gb={"create_job": 1.0, "get_job": 0.5},
    routes=10,
    routes_have_metrics=True,
    sweeps=8760,
    sweep_gb=0.5,
    request_rate=200,
    queues=2,
)


def test_the_bill_for_an_idle_month_matches_the_figures_computed_by_hand() -> None:
    usd = {
        line.what.partition(":")[2] or line.what: line.usd for line in bill_for_an_idle_month(DEPLOYED, SWEEP, PRICES)
    }
    assert usd["alarms"] == pytest.approx(4.0)
    assert usd["dashboards"] == pytest.approx(3.0)
    assert usd["secrets"] == pytest.approx(0.8)
    # One and a half gigabytes for 2,628,000 seconds.
    assert usd["SnapStart snapshots of 2 functions, 1.5 GB"] == pytest.approx(5.93113, abs=1e-4)
    assert usd[" Lambda, 100 ms each"] == pytest.approx(438 * 0.0000166667)
    # Two queues, each asked five times in 20 seconds.
    assert usd[" requests for messages"] == pytest.approx(2 * 657_000 * 0.4e-6)
    assert usd[" DynamoDB reads"] == pytest.approx(35_040 * 0.125e-6)


@pytest.mark.parametrize(("detailed", "usd"), [(True, 0.3 * (1 + 2 * 6)), (False, 0.3)])
def test_a_month_in_use_adds_the_metrics_that_the_sweep_does_not_write(detailed: bool, usd: float) -> None:
    deployed = dataclasses.replace(DEPLOYED, routes_have_metrics=detailed)
    lines = bill_for_a_month_in_use(
        deployed, SWEEP, ["JobsCreated", "OldestPendingJobSeconds"], ["POST /jobs", "GET /jobs"], PRICES
    )
    assert sum(line.usd for line in lines) == pytest.approx(usd)


def test_alarms_snapshots_and_sweeps_come_from_the_template(tmp_path: Path) -> None:
    text = (ROOT / "template.yaml").read_text()
    before = Deployed.of(ROOT / "template.yaml", PARAMETERS[PRODUCTION])
    changed = tmp_path / "template.yaml"
    one_alarm_more = """
  FurtherAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - { Id: share, Expression: failed / all }
        - { Id: failed, MetricStat: { Stat: Sum } }
        - { Id: all, MetricStat: { Stat: Sum } }
"""
    changed.write_text(text.replace("\nResources:\n", f"\nResources:{one_alarm_more}", 1))
    after = Deployed.of(changed, PARAMETERS[PRODUCTION])
    assert before.alarm_metrics > 0
    assert after.alarm_metrics == before.alarm_metrics + 2
    assert before.snapshot_gb.keys() >= {"create_job", "get_job"}
    assert "generate_suggestions" not in before.snapshot_gb
    assert before.sweeps == pytest.approx(2 * 8760 + 2 * 730)  # of jobs and deliveries, and of sessions and projects


def test_an_idle_month_of_the_default_configuration_costs_at_most_five_dollars() -> None:
    assert total(report_of(Measured.load()).idle(DEFAULT)) <= 5


def test_the_default_configuration_has_no_snapshots_no_dashboard_and_fewer_alarms() -> None:
    default, production = (Deployed.of(ROOT / "template.yaml", PARAMETERS[name]) for name in (DEFAULT, PRODUCTION))
    assert (default.snapshot_gb, default.dashboards) == ({}, 0)
    assert (len(production.snapshot_gb), production.dashboards) == (5, 1)
    assert 0 < default.alarm_metrics < production.alarm_metrics


def test_the_default_configuration_is_the_template_without_parameters() -> None:
    assert Deployed.of(ROOT / "template.yaml") == Deployed.of(ROOT / "template.yaml", PARAMETERS[DEFAULT])


def test_every_configuration_sets_parameters_that_the_template_has() -> None:
    declared = Template.parameter_defaults(ROOT / "template.yaml")
    assert all(parameters.keys() <= declared.keys() for parameters in PARAMETERS.values())
