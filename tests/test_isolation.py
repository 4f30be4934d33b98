"""Work in a process of its own ends in an answer or a named error."""

import os
import signal
import time

import pytest

from extractor.errors import CorruptError, CrashError, MemoryLimitError, TimeLimitError
from extractor.isolation import iter_isolated


def counting(limit):
    os.write(1, b"words of a document")
    os.write(2, b"words of a document")
    yield from range(limit)


def hanging():
    yield 1
    time.sleep(60)


def dying():
    yield 1
    os.kill(os.getpid(), signal.SIGSEGV)


def hungry():
    yield len(bytearray(4 * 1024**3))


def refusing():
    raise CorruptError("no page", page_no=3)
    yield


def faulty():
    yield 1 // 0


def drain(make, *arguments, item_time_s=30.0):
    found = []
    error = None
    try:
        found.extend(iter_isolated(make, *arguments, item_time_s=item_time_s, memory_mb=512))
    except (CrashError, TimeLimitError, MemoryLimitError, CorruptError) as caught:
        error = caught
    return found, error


def test_items_come_back_in_order_and_prints_are_dropped(capfd):
    assert drain(counting, 3) == ([0, 1, 2], None)
    assert capfd.readouterr() == ("", "")


def test_a_child_that_hangs_is_stopped_and_what_it_gave_is_kept():
    found, error = drain(hanging, item_time_s=0.5)

    assert found == [1]
    assert isinstance(error, TimeLimitError)


@pytest.mark.parametrize("make", [dying, faulty])
def test_a_child_that_dies_is_a_crash_without_its_message(make, capfd):
    _, error = drain(make)

    assert isinstance(error, CrashError)
    assert "division" not in str(error)
    assert capfd.readouterr().err == ""


def test_a_child_that_wants_more_memory_than_allowed_is_refused():
    found, error = drain(hungry)

    assert (found, type(error)) == ([], MemoryLimitError)


def test_an_expected_error_arrives_as_it_was_raised():
    _, error = drain(refusing)

    assert (type(error), error.page_no) == (CorruptError, 3)
