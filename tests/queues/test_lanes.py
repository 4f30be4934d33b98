import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from extractor.delivery import PRIORITIES
from extractor.queues.chunks import chunks
from extractor.queues.lanes import MAX_LANES, Turns, deal, lane_no


@given(st.text(), st.integers(1, MAX_LANES))
def test_a_tenant_has_one_of_the_lanes_and_always_the_same(tenant, lanes):
    assert 0 <= lane_no(tenant, lanes) < lanes
    assert lane_no(tenant, lanes) == lane_no(tenant, lanes)


def test_a_lane_is_the_same_in_every_process_and_release():
    code = "from extractor.queues.lanes import lane_no; print(lane_no('clinic-7', 8), lane_no('default', 8))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["7", "2"]


def test_tenants_spread_over_the_lanes():
    found = Counter(lane_no(f"tenant-{number}", 8) for number in range(8_000))

    assert all(850 < count < 1_150 for count in found.values())


def test_the_lane_that_was_served_longest_ago_comes_first():
    turns = Turns({priority: ["a", "b", "c"] for priority in PRIORITIES})
    turns.served("normal", "a")
    turns.served("normal", "c")

    assert turns.order("normal") == ["b", "a", "c"]
    assert turns.order("urgent") == ["a", "b", "c"]


def test_lanes_give_in_turns_as_long_as_they_have_any():
    assert deal({"a": 1, "b": 3, "c": 0, "d": 2}, 10) == ["a", "b", "d", "b", "d", "b"]
    assert deal({"a": 5, "b": 5, "c": 5}, 4) == ["a", "b", "c", "a"]
    assert deal({"a": 0}, 4) == deal({"a": 4}, 0) == []


@given(st.lists(st.integers(0, 30)), st.integers(1, 7), st.integers(30, 60))
def test_chunks_keep_order_and_stay_in_their_bounds(sizes, count, total):
    found = list(chunks(sizes, count=count, total=total, size=lambda one: one))

    assert [one for portion in found for one in portion] == sizes
    assert all(0 < len(portion) <= count and sum(portion) <= total for portion in found)


def test_chunks_take_from_their_source_only_as_they_are_asked():
    taken = []

    def source():
        for number in range(10):
            taken.append(number)
            yield number

    portions = chunks(source(), count=3)

    assert next(portions) == [0, 1, 2]
    assert len(taken) <= 4


def test_an_item_that_is_too_large_stands_alone():
    assert list(chunks([1, 99, 1], count=5, total=10, size=lambda one: one)) == [[1], [99], [1]]


@pytest.mark.parametrize("items", [[], ()], ids=["list", "tuple"])
def test_of_nothing_there_are_no_chunks(items):
    assert list(chunks(items, count=3)) == []
