import io
import json
import logging
import threading
from datetime import UTC, datetime

import pytest

from extractor.errors import CorruptError, LakeError
from extractor.telemetry.logs import ID_FIELDS, bound, bound_ids, configure, frames_of

NAME = "Jane Doe"


@pytest.fixture(autouse=True)
def root_as_it_was():
    root = logging.getLogger()
    level = root.level
    yield
    for handler in list(root.handlers):
        if type(handler).__module__ == configure.__module__:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(params=["text", "json"])
def written(request):
    """Logging as configured, in both formats: a function that gives all that was written."""
    stream = io.StringIO()
    configure("info", request.param, stream)
    return stream.getvalue


def as_text(level="info", **options):
    stream = io.StringIO()
    configure(level, "text", stream, **options)
    return stream.getvalue


def as_json(level="info"):
    stream = io.StringIO()
    configure(level, "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


log = logging.getLogger("extractor.tests")


def fail():
    """An error whose message quotes a document, as a library's would."""
    raise ValueError(f"cannot parse {NAME}")


def look_up():
    """An error that quotes the document as well."""
    raise KeyError(NAME)


def test_a_line_of_text_is_level_logger_and_message_as_before():
    text = as_text()
    log.warning("document %s given up (%s)", "abc", "limit.time")

    assert text() == "WARNING extractor.tests document abc given up (limit.time)\n"


def test_a_line_of_json_has_the_time_in_utc_with_milliseconds():
    lines = as_json()
    before = datetime.now(UTC)
    log.info("committed %d documents", 3)
    (line,) = lines()

    assert line == {
        "time": line["time"],
        "level": "info",
        "logger": "extractor.tests",
        "message": "committed 3 documents",
    }
    assert len(line["time"]) == len("2026-01-01T00:00:00.000Z")
    assert abs((datetime.fromisoformat(line["time"]) - before).total_seconds()) < 5


def test_bound_ids_are_in_every_line_inside_and_in_none_outside():
    lines = as_json()
    with bound(run_id="r1", batch_id="b1"), bound(job_id="j1", doc_id="d1", trace_id="7" * 32):
        log.info("inside")
    log.info("outside")
    inside, outside = lines()

    assert [inside[name] for name in ID_FIELDS] == ["j1", "d1", "r1", "b1", "7" * 32]
    assert set(outside) == {"time", "level", "logger", "message"}


def test_bound_ids_follow_the_message_in_text():
    text = as_text()
    with bound(doc_id="d1", job_id="j1"):
        log.info("committed")

    assert text() == "INFO extractor.tests committed job_id=j1 doc_id=d1\n"


def test_inner_ids_hold_until_the_inner_block_ends_even_by_an_error():
    with bound(job_id="outer", run_id="r"):
        with bound(job_id="inner"):
            assert bound_ids() == {"job_id": "inner", "run_id": "r"}
        with pytest.raises(ValueError), bound(job_id="inner"):
            fail()
        assert bound_ids() == {"job_id": "outer", "run_id": "r"}
    assert bound_ids() == {}


def test_ids_of_one_thread_are_not_those_of_another():
    seen = []
    with bound(job_id="mine"):
        other = threading.Thread(target=lambda: seen.append(bound_ids()))
        other.start()
        other.join()

    assert seen == [{}]


def test_what_is_bound_and_is_no_id_is_not_shown(written):
    with bound(job_id=f"/inbox/{NAME}.pdf"):
        log.info("received")

    assert "Jane" not in written()
    assert "invalid" in written()


def test_a_planted_name_in_an_exception_does_not_reach_the_output(written):
    try:
        fail()
    except ValueError as error:
        log.exception("failed")
        log.log(logging.ERROR, "failed: %s", error)
        log.log(logging.ERROR, "failed: %r", error)
        log.log(logging.ERROR, "failed: %(why)s", {"why": error})
        log.log(logging.ERROR, "failed: %s", [error, error])
        log.log(logging.ERROR, error)
        log.log(logging.ERROR, "failed", exc_info=error, stack_info=True)

    assert "Jane" not in written()
    assert len(written().splitlines()) == 7
    assert "ValueError in fail:" in written()


def test_a_planted_name_in_a_cause_or_a_context_does_not_reach_the_output(written):
    try:
        try:
            fail()
        except ValueError as error:
            raise LakeError(doc_id="d" * 64) from error
    except LakeError:
        log.exception("commit failed")
    try:
        try:
            fail()
        except ValueError:
            look_up()
    except KeyError:
        log.exception("look-up failed")

    assert "Jane" not in written()
    assert "[lake.failed] LakeError in " in written()
    assert written().count(" caused by ValueError in fail:") == 2


def test_a_planted_name_in_extra_fields_does_not_reach_the_output(written):
    log.info("received", extra={"patient": NAME, "address": f"s3://inbox/{NAME}.pdf", "job_id": NAME})

    assert "Jane" not in written()


def test_a_planted_name_in_wrong_arguments_reaches_neither_the_output_nor_stderr(written, capfd, monkeypatch):
    ours = [one for one in logging.getLogger().handlers if type(one).__module__ == configure.__module__]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)  # those of the test runner raise
    log.info("%d documents", NAME)
    log.info("%(documents)d", {"pages": NAME})

    class Unprintable:
        def __str__(self):
            raise RuntimeError(NAME)

    log.info("%s", Unprintable())

    assert written().count("message with wrong arguments at test_logs:") == 2
    assert "Jane" not in written() + "".join(capfd.readouterr())


def test_a_planted_name_in_a_librarys_message_does_not_reach_the_output(written):
    library = logging.getLogger("some_library.parser")
    library.info("parsing %s", NAME)
    library.warning(f"cannot parse {NAME}")
    library.warning("cannot parse %s", NAME)

    assert "Jane" not in written()
    assert written().count("message withheld, at test_logs:") == 2
    assert "some_library.parser" in written()


def test_a_package_whose_name_only_begins_alike_is_a_library():
    text = as_text()
    logging.getLogger("extractor_of_others").warning(NAME)

    assert "message withheld" in text()


def test_a_plugin_that_is_named_speaks_for_itself():
    text = as_text(own=("extractor", "site_readers"))
    logging.getLogger("site_readers.fax").info("page %d", 3)

    assert text() == "INFO site_readers.fax page 3\n"


def test_an_error_of_the_engine_keeps_its_code_and_ids():
    text = as_text()
    log.warning("refused: %s", CorruptError("no end of file mark", doc_id="abcdef0123456789", page_no=2))

    assert (
        text()
        == "WARNING extractor.tests refused: [input.corrupt] document abcdef012345 page 2 no end of file mark\n"
    )


def test_a_line_stays_one_line(written):
    log.info("first\nsecond\r\nthird")

    assert len(written().splitlines()) == 1


def test_lines_below_the_level_are_not_written():
    text = as_text("warning")
    log.info("quiet")
    log.warning("loud")

    assert text() == "WARNING extractor.tests loud\n"


def test_configuring_again_replaces_the_settings_and_leaves_handlers_of_others():
    others = logging.NullHandler()
    logging.getLogger().addHandler(others)
    first = as_text()
    second = as_text()
    log.info("once")

    assert (first(), second()) == ("", "INFO extractor.tests once\n")
    assert others in logging.getLogger().handlers


def test_frames_name_type_and_places_innermost_first():
    with pytest.raises(ValueError) as raised:
        fail()
    told = frames_of(raised.value)

    assert told.startswith("ValueError in fail:")
    assert told.count("(telemetry/test_logs.py)") == 2
    assert " < test_frames_name_type_and_places_innermost_first:" in told
