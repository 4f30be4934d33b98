import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from extractor.delivery import PRIORITIES, QueuedJob
from extractor.errors import ConfigError, QueueError, QueueRefusedError
from extractor.queues import sqlite, sqlite_file
from extractor.queues.sqlite import SqliteQueue
from tests.queues.contract import LONG_S, LeaseTableContract, ids, jobs_named


class TestSqliteQueue(LeaseTableContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    def put_raw(self, url, body):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(
                "INSERT INTO jobs (job_id, priority, tenant, enqueued_at, body) VALUES ('raw', 1, 'default', ?, ?)",
                (time.time(), body),
            )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db"


@pytest.fixture
def queue(path):
    opened = SqliteQueue(f"sqlite:///{path}")
    yield opened
    opened.close()


def test_only_the_owner_may_read_the_file_and_its_log(queue, path):
    queue.put(jobs_named("one"))

    files = sorted(path.parent.glob("jobs.db*"))
    assert [file.name for file in files] == ["jobs.db", "jobs.db-shm", "jobs.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_every_commit_reaches_the_disk(queue):
    queue.status()

    assert queue._open.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert queue._open.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_relative_path_has_three_slashes_and_may_be_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    queue = SqliteQueue("sqlite:///some%20jobs%3F.db")
    queue.put(jobs_named("one"))
    queue.close()

    assert (tmp_path / "some jobs?.db").exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://host/jobs.db", "sqlite:///jobs.db?queue=two", "sqlite:///jobs.db#part"],
)  # fmt: skip
def test_a_url_that_cannot_be_meant_is_refused(url):
    with pytest.raises(ConfigError):
        SqliteQueue(url)


def test_neither_repr_nor_errors_tell_the_path(tmp_path):
    queue = SqliteQueue(f"sqlite:///{tmp_path}/no-such-folder/jane.db")

    with pytest.raises(QueueRefusedError) as caught:
        queue.put(jobs_named("one"))

    assert not caught.value.retryable
    for said in (str(caught.value), repr(caught.value), repr(queue)):
        assert "jane" not in said


def test_a_damaged_file_is_refused_for_good(queue, path):
    queue.put(jobs_named(*(f"job-{number}" for number in range(200))))
    queue.close()
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 2048] = os.urandom(2048)
    path.write_bytes(content)

    with pytest.raises(QueueRefusedError) as caught:
        queue.receive_batch(5, lease_s=LONG_S)

    assert not caught.value.retryable
    assert "SQLITE_CORRUPT" in str(caught.value)


def test_a_file_that_is_no_database_is_refused_for_good(queue, path):
    path.write_bytes(b"%PDF-1.7 and so on " * 100)

    with pytest.raises(QueueRefusedError, match="SQLITE_NOTADB"):
        queue.status()


def test_the_database_of_another_program_is_left_as_it_is(queue, path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE jobs (name TEXT)")
    before = path.read_bytes()

    with pytest.raises(QueueRefusedError, match="not a queue"):
        queue.put(jobs_named("one"))

    assert path.read_bytes() == before


def test_a_file_of_another_release_is_refused(queue, path):
    queue.put(jobs_named("one"))
    queue._open.execute("PRAGMA user_version = 99")
    queue.close()

    with pytest.raises(QueueRefusedError, match="layout 99"):
        queue.status()


def test_a_file_that_others_keep_locked_is_an_error_that_may_pass(queue, path, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    queue.put(jobs_named("one"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(QueueError) as caught:
            queue.receive_batch(1, lease_s=LONG_S)
        assert caught.value.retryable
        assert "SQLITE_BUSY" in str(caught.value)
        other.execute("ROLLBACK")

    assert ids(queue.receive_batch(1, lease_s=LONG_S)) == ["one"]


def test_a_full_disk_is_an_error_that_may_pass_and_leaves_whole_transactions(queue, monkeypatch):
    monkeypatch.setattr(sqlite, "PUT_ROWS", 50)
    names = [f"job-{number:04d}" for number in range(2_000)]
    queue.status()
    queue._open.execute("PRAGMA max_page_count = 60")  # what SQLite says is what it says of a disk

    with pytest.raises(QueueError, match="SQLITE_FULL") as caught:
        queue.put(jobs_named(*names))

    assert caught.value.retryable
    added = queue.status().ready
    assert 0 < added < 2_000
    assert added % 50 == 0
    queue._open.execute("PRAGMA max_page_count = 1000000")
    assert queue.put(jobs_named(*names)) == 2_000 - added
    assert ids(queue.receive_batch(2_000, lease_s=LONG_S)) == names


def test_opening_a_second_time_keeps_the_locks_of_the_first(queue, path):
    """POSIX drops all locks of a process on a file when it closes any descriptor of it."""
    queue.put(jobs_named("one"))
    sqlite_file._make(path)
    code = "import sqlite3, sys; one = sqlite3.connect(sys.argv[1]); one.execute('SELECT 1 FROM jobs'); one.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)

    # a process that closes the file as the last one takes its log away
    assert path.with_name("jobs.db-wal").exists()


@pytest.mark.parametrize("tenant_count", [1, 40])
def test_receiving_looks_at_the_rows_it_takes_and_not_at_all_that_wait(queue, tenant_count):
    queue.put(
        QueuedJob(job_id=f"job-{number}", address="/data/one.pdf", tenant=f"t-{number % tenant_count}")
        for number in range(20_000)
    )
    queue.receive_batch(1, lease_s=LONG_S)
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    queue._open.set_progress_handler(count, 100)
    assert len(queue.receive_batch(25, lease_s=LONG_S)) == 25
    queue._open.set_progress_handler(None, 0)

    # a walk over the rows that wait would take more than a step of SQLite's machine for each
    assert steps * 100 < 15_000


class LeaseTable(RuleBasedStateMachine):
    """Any order of calls, held against dictionaries; delays are endless and leases never end."""

    def __init__(self):
        super().__init__()
        self.folder = TemporaryDirectory()
        self.queue = SqliteQueue(f"sqlite:///{self.folder.name}/jobs.db")
        self.ready, self.delayed, self.held, self.dead = {}, {}, {}, []

    def teardown(self):
        self.queue.close()
        self.folder.cleanup()

    @rule(
        names=st.lists(st.sampled_from("abcdefgh"), max_size=4),
        tenant=st.sampled_from(["x", "y"]),
        priority=st.sampled_from(PRIORITIES),
    )
    def put(self, names, tenant, priority):
        known = {*self.ready, *self.delayed, *self.held}
        new = dict.fromkeys(name for name in names if name not in known)
        found = self.queue.put(jobs_named(*names, tenant=tenant, priority=priority))

        assert found == len(new)
        self.ready |= dict.fromkeys(new, (priority, 0))

    @rule(limit=st.integers(1, 4))
    def receive(self, limit):
        found = self.queue.receive_batch(limit, lease_s=LONG_S)

        assert len(found) == min(limit, len(self.ready))
        for one in found:
            name = one.jobs[0].job_id
            priority, tries = self.ready.pop(name)
            assert one.attempt == tries + 1
            assert all(
                PRIORITIES.index(priority) <= PRIORITIES.index(other) for other, _tries in self.left(found)
            )
            self.held[name] = (one, priority)

    def left(self, found):
        taken = {one.jobs[0].job_id for one in found}
        return [value for name, value in self.ready.items() if name not in taken]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), counted=st.booleans(), delay_s=st.sampled_from([0.0, LONG_S]))
    def nack(self, data, counted, delay_s):
        name = data.draw(st.sampled_from(sorted(self.held)))
        one, priority = self.held.pop(name)
        self.queue.nack(one, delay_s=delay_s, code="ocr.failed", counted=counted)
        (self.delayed if delay_s else self.ready)[name] = (priority, one.attempt - (not counted))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def ack(self, data):
        names = data.draw(st.lists(st.sampled_from(sorted(self.held)), unique=True))
        self.queue.ack([self.held.pop(name)[0] for name in names])

    @precondition(lambda self: self.held)
    @rule(data=st.data(), code=st.sampled_from(["input.corrupt", "ocr.failed"]))
    def die(self, data, code):
        name = data.draw(st.sampled_from(sorted(self.held)))
        one, priority = self.held.pop(name)
        self.queue.dead(one, code=code)
        self.dead.append((name, code, priority))

    @rule(code=st.sampled_from([None, "input.corrupt", "ocr.failed"]))
    def retry_dead(self, code):
        added = 0
        for name, why, priority in [one for one in self.dead if code in {None, one[1]}]:
            self.dead.remove((name, why, priority))
            if name not in {*self.ready, *self.delayed, *self.held}:
                self.ready[name] = (priority, 0)
                added += 1

        assert self.queue.retry_dead(code=code) == added

    @rule(dead=st.booleans())
    def purge(self, dead):
        gone = len(self.dead) if dead else len(self.ready) + len(self.delayed)

        assert self.queue.purge(dead=dead) == gone
        if dead:
            self.dead.clear()
        else:
            self.ready.clear()
            self.delayed.clear()

    @rule()
    def close_and_extend(self):
        self.queue.close()

        assert self.queue.extend([one for one, _priority in self.held.values()], lease_s=LONG_S) == []

    @invariant()
    def the_numbers_agree(self):
        status = self.queue.status()

        assert (status.ready, status.delayed) == (len(self.ready), len(self.delayed))
        assert (status.leased, status.dead) == (len(self.held), len(self.dead))
        assert [one.job_id for one in self.queue.dead_letters(99)] == [one[0] for one in reversed(self.dead)]


TestLeaseTable = LeaseTable.TestCase
TestLeaseTable.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
