"""The capacity units that DynamoDB charges."""

from __future__ import annotations

from collections import Counter

import pytest

from local.aws.capacity import ABSENT, CapacityMeter, Consumed, ItemFootprint, read_units, write_units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (4096, 4)])
def test_a_write_costs_one_unit_per_started_kilobyte(size: int, units: int) -> None:
    assert write_units(ABSENT, ItemFootprint(size, {})) == units


def test_a_write_that_shrinks_an_item_costs_its_earlier_size() -> None:
    assert write_units(ItemFootprint(3000, {}), ItemFootprint(10, {})) == 3


@pytest.mark.parametrize(
    ("before", "after", "index_units"),
    [
        ({}, {"I": ("k", "a", 10)}, 1),
        ({"I": ("k", "a", 10)}, {"I": ("k", "a", 10)}, 0),
        ({"I": ("k", "a", 10)}, {"I": ("k", "b", 2000)}, 2),
        ({"I": ("k", "a", 10)}, {"I": ("other", "a", 10)}, 2),
        ({"I": ("k", "a", 10)}, {}, 1),
    ],
)
def test_an_index_costs_only_when_its_entry_changes(
    before: dict[str, tuple[str, str, int]], after: dict[str, tuple[str, str, int]], index_units: int
) -> None:
    assert write_units(ItemFootprint(10, before), ItemFootprint(10, after)) == 1 + index_units


@pytest.mark.parametrize(("size", "units"), [(0, 0.5), (4096, 0.5), (4097, 1.0)])
def test_a_read_costs_half_a_unit_per_started_four_kilobytes_and_twice_that_if_consistent(
    size: int, units: float
) -> None:
    assert read_units(size, consistent=False) == units
    assert read_units(size, consistent=True) == 2 * units


def test_the_costs_of_partitions_add_up_to_those_of_tables_and_indexes() -> None:
    meter = CapacityMeter()
    meter.charge("Jobs", "JOB#1", Consumed(3.0, requests=1, index_units=Counter({"ByOwner": 1, "LiveJobs": 1})))
    meter.charge("Jobs", "JOB#2", Consumed(2.0, 0.5, requests=2, index_units=Counter({"LiveJobs": 1})))
    meter.charge("Durable", "JOB#1", Consumed(4.0, requests=1))
    jobs = {"writeUnits": 5.0, "readUnits": 0.5, "requests": 3, "indexUnits": {"ByOwner": 1, "LiveJobs": 2}}
    assert meter.tables_as_json()["Jobs"] == jobs
    assert meter.of("JOB#1").write_units == 7.0
    assert meter.total().write_units == 9.0
