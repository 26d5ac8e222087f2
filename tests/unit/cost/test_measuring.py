"""The metrics that are read from the stack's log lines."""

from __future__ import annotations

import json

from tools.cost.measuring import metrics_in


def test_a_metric_is_billed_for_each_combination_of_its_dimensions() -> None:
    document = {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "Millrace",
                    "Dimensions": [["stage", "service"]],
                    "Metrics": [{"Name": "A"}, {"Name": "B"}],
                }
            ]
        },
        "service": "millrace",
        "stage": "generate",
        "A": [1.0],
        "B": [2.0],
    }
    assert list(metrics_in(json.dumps(document).encode())) == [
        "Millrace/A{service=millrace,stage=generate}",
        "Millrace/B{service=millrace,stage=generate}",
    ]


def test_other_log_lines_contain_no_metrics() -> None:
    assert list(metrics_in(b'{"level": "INFO", "message": "job created"}')) == []
    assert list(metrics_in(b"not even JSON")) == []
