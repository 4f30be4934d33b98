"""What every queue promises, as tests: an adapter's test class inherits :class:`QueueContract`.

A subclass gives the fixture ``url`` (a queue of its own, gone afterwards) and
``put_raw``, and sets to False or raises what its broker cannot do exactly.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extractor.delivery import QueuedJob
from extractor.errors import QueueMessageError
from extractor.queues.opening import open_queue

ROOT = Path(__file__).parents[2]

LONG_S = 60.0
"""A lease that does not end during a test."""

HOLDER = """
import sys, time
from extractor.queues.opening import open_queue
url, count, lease_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
queue, held = open_queue(url), []
while len(held) < count:
    held += queue.receive_batch(count - len(held), lease_s=lease_s, wait_s=1.0)
print(*(one.jobs[0].job_id for one in held), flush=True)
time.sleep(600)
"""

CONSUMER = """
import sys, time
from extractor.queues.opening import open_queue
url, patience_s = sys.argv[1], float(sys.argv[2])
queue = open_queue(url)
print("ready", flush=True)
sys.stdin.readline()
last = time.monotonic()
while time.monotonic() - last < patience_s:
    held = queue.receive_batch(7, lease_s=60.0, wait_s=0.5)
    if held:
        queue.ack(held)
        print(*(one.jobs[0].job_id for one in held), flush=True)
        last = time.monotonic()
queue.close()
"""

SENDER = """
import sys
from extractor.delivery import QueuedJob
from extractor.queues.opening import open_queue
queue = open_queue(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(queue.put([QueuedJob(job_id=sys.argv[2], address="/data/one.pdf")]))
queue.close()
"""

CREATED = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": "2026-01-02T03:04:05.678Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "intake"},
                "object": {"key": f"scans/{name}", "size": 5, "eTag": f"tag-of-{name}"},
            },
        }
        for name in ("one.pdf", "two+words.pdf")
    ]
}
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "intake"}


def jobs_named(*names, **fields):
    """Jobs in the order given, each enqueued a second after the one before."""
    start = datetime.now(UTC) - timedelta(seconds=600)
    return [
        QueuedJob(
            job_id=name, address=f"/data/{name}.pdf", enqueued_at=start + timedelta(seconds=number), **fields
        )
        for number, name in enumerate(names)
    ]


def ids(deliveries):
    return [job.job_id for one in deliveries for job in one.jobs]


class QueueContract:
    """The promises of :class:`extractor.ports.Queue`, each as a test."""

    exact_fairness = True
    """Tenants take turns one message at a time, and order holds inside a batch."""
    honours_full_tenants = True
    knows_leased = True
    knows_delayed = True
    knows_tenants = True
    knows_oldest = True
    dedupes = True
    leases_expire = True
    """A lease ends by time. False: it ends with the holder's connection alone."""
    exact_attempts = True
    """``attempt`` grows by exactly one with each counted try."""
    purge_keeps_leased = True
    lease_s = 0.4
    """The shortest lease and delay worth testing with."""
    slack_s = 5.0
    """How long after its time a message may take to come, on a busy machine."""

    @pytest.fixture
    def url(self):
        raise NotImplementedError

    def put_raw(self, url, body):
        """Put these bytes into the queue, which is there already, as a sender of another kind would."""
        raise NotImplementedError

    @pytest.fixture
    def open_again(self, url):
        """Opens the queue once more: another consumer."""
        opened = []

        def opening():
            opened.append(open_queue(url))
            return opened[-1]

        yield opening
        for one in opened:
            one.close()

    @pytest.fixture
    def queue(self, open_again):
        return open_again()

    @pytest.fixture
    def start(self, url):
        """Starts a script in a process of its own with the queue's URL and the arguments."""
        running = []

        def starting(script, *arguments):
            running.append(
                subprocess.Popen(
                    [sys.executable, "-c", script, url, *map(str, arguments)],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            return running[-1]

        yield starting
        for process in running:
            process.kill()
            process.communicate()

    def take(self, queue, count, *, lease_s=LONG_S, within_s=None, **options):
        """``count`` deliveries, however many calls that takes; fewer after ``within_s``."""
        deadline = time.monotonic() + (self.slack_s if within_s is None else within_s)
        held = []
        while len(held) < count and time.monotonic() < deadline:
            held += queue.receive_batch(count - len(held), lease_s=lease_s, wait_s=0.2, **options)
        return held

    def let_go(self, processes):
        """All at once, when the last of them is ready."""
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    def is_empty(self, queue):
        return queue.receive_batch(10, lease_s=LONG_S) == []

    def attempts_are(self, deliveries, attempt):
        found = [one.attempt for one in deliveries]
        if self.exact_attempts:
            return found == [attempt] * len(found)
        return all(one >= min(attempt, 2) for one in found)

    def needs(self, *abilities):
        for ability in abilities:
            if not getattr(self, ability):
                pytest.skip(f"this broker lacks {ability}")

    # -- what travels

    def test_a_job_comes_out_as_it_went_in(self, queue):
        job = QueuedJob(
            job_id="a" * 64,
            address="s3://bucket/Ä ordner/brief + anlage.pdf",
            byte_count=12_345,
            tenant="clinic-7",
            priority="backfill",
            entry={"study_id": "ST-1", "owner": "Größe 'x' \"y\"\n"},
            enqueued_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        )

        assert queue.put([job]) == 1
        (delivery,) = self.take(queue, 1)

        assert delivery.jobs == (job,)
        assert delivery.attempt == 1

    def test_work_on_stored_documents_comes_out_as_it_went_in(self, queue):
        job = QueuedJob(job_id="again-1", kind="reprocess", doc_ids=("d" * 64, "e" * 64), priority="urgent")

        queue.put([job])

        assert [one.jobs for one in self.take(queue, 1)] == [(job,)]

    def test_jobs_may_come_from_a_generator_and_none_is_no_error(self, queue):
        assert queue.put([]) == 0
        assert queue.put(job for job in jobs_named("a", "b", "c")) == 3
        assert sorted(ids(self.take(queue, 3))) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "wrong",
        [{"job_id": "no spaces please"}, {"priority": "immediate"}, {"tenant": ""}, {"kind": "delete"}],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_a_job_that_no_receiver_would_understand_is_not_put(self, queue, wrong):
        with pytest.raises(QueueMessageError) as caught:
            queue.put([QueuedJob(**{"job_id": "one", "address": "/data/Jane Doe.pdf", **wrong})])

        assert "Jane" not in str(caught.value)
        assert self.is_empty(queue)

    def test_an_event_of_an_object_store_is_work(self, queue, url):
        queue.status()
        self.put_raw(url, json.dumps(CREATED).encode())
        (delivery,) = self.take(queue, 1)
        queue.ack([delivery])

        assert [job.address for job in delivery.jobs] == [
            "s3://intake/scans/one.pdf",
            "s3://intake/scans/two words.pdf",
        ]
        assert self.is_empty(queue)

    def test_a_message_that_asks_for_nothing_is_delivered_without_jobs(self, queue, url):
        queue.status()
        self.put_raw(url, json.dumps(TEST_EVENT).encode())
        (delivery,) = self.take(queue, 1)
        queue.ack([delivery])

        assert delivery.jobs == ()
        assert self.is_empty(queue)

    @pytest.mark.parametrize(
        "body", [b"{", b'{"format": "extractor.job", "version": 99}', b'{"name": "Jane Doe"}'],
        ids=["broken", "of-another-version", "of-somebody-else"],
    )  # fmt: skip
    def test_a_message_that_cannot_be_understood_becomes_a_dead_letter(self, queue, url, body):
        queue.status()
        self.put_raw(url, body)
        queue.put(jobs_named("good"))

        assert ids(self.take(queue, 1)) == ["good"]
        assert self.is_empty(queue)
        (letter,) = queue.dead_letters(10)
        assert letter.code == "queue.message"
        assert "Jane" not in repr(letter)
        assert queue.status().ready == 0

    # -- in which order

    def test_urgent_work_comes_before_normal_and_backfill(self, queue):
        for priority in ("backfill", "normal", "urgent"):
            queue.put(jobs_named(f"{priority}-1", f"{priority}-2", priority=priority))

        assert ids(queue.receive_batch(6, lease_s=LONG_S, wait_s=2.0)) == [
            f"{priority}-{number}" for priority in ("urgent", "normal", "backfill") for number in (1, 2)
        ]

    def test_the_oldest_of_a_tenant_comes_first(self, queue):
        self.needs("exact_fairness")
        names = [f"job-{number:02d}" for number in range(20)]
        queue.put(jobs_named(*names))

        assert ids(self.take(queue, 20)) == names

    def test_tenants_take_turns_however_much_one_has_put(self, queue):
        self.needs("exact_fairness")
        queue.put(jobs_named(*(f"big-{number}" for number in range(30)), tenant="big"))
        queue.put(jobs_named("small-0", "small-1", tenant="small"))
        queue.put(jobs_named("tiny-0", tenant="tiny"))

        found = ids(queue.receive_batch(9, lease_s=LONG_S))

        assert sorted(found[:3]) == ["big-0", "small-0", "tiny-0"]
        assert sorted(found[3:5]) == ["big-1", "small-1"]
        assert found[5:] == ["big-2", "big-3", "big-4", "big-5"]

    def test_tenants_take_turns_from_one_call_to_the_next(self, queue):
        self.needs("exact_fairness")
        queue.put(jobs_named(*(f"big-{number}" for number in range(30)), tenant="big"))
        queue.put(jobs_named(*(f"small-{number}" for number in range(3)), tenant="small"))

        found = []
        for _call in range(6):
            (held,) = queue.receive_batch(1, lease_s=LONG_S)
            queue.ack([held])
            found += [held.jobs[0].tenant]

        assert Counter(found) == {"big": 3, "small": 3}
        assert all(one != other for one, other in itertools.pairwise(found))

    def test_tenants_that_are_full_wait_and_come_later(self, queue):
        self.needs("honours_full_tenants")
        queue.put(jobs_named("a-0", "a-1", tenant="a", priority="urgent"))
        queue.put(jobs_named("b-0", tenant="b"))

        assert ids(self.take(queue, 1, full_tenants={"a"})) == ["b-0"]
        assert queue.receive_batch(5, lease_s=LONG_S, full_tenants=["a", "b"]) == []
        assert ids(self.take(queue, 2)) == ["a-0", "a-1"]

    # -- waiting

    def test_an_empty_queue_gives_an_empty_list_when_the_wait_is_over(self, queue):
        started = time.monotonic()

        assert queue.receive_batch(5, lease_s=LONG_S, wait_s=1.0) == []
        assert 0.9 <= time.monotonic() - started < 1.0 + self.slack_s

    def test_a_message_that_arrives_during_the_wait_ends_it(self, queue, url):
        def put_soon():
            time.sleep(0.3)
            other = open_queue(url)
            other.put(jobs_named("late"))
            other.close()

        sender = threading.Thread(target=put_soon)
        sender.start()
        started = time.monotonic()
        found = queue.receive_batch(5, lease_s=LONG_S, wait_s=15.0)
        sender.join()

        assert ids(found) == ["late"]
        assert time.monotonic() - started < 0.3 + self.slack_s

    # -- leases

    def test_two_consumers_never_hold_the_same_message(self, queue, open_again):
        other = open_again()
        queue.put(jobs_named(*(f"job-{number}" for number in range(20))))

        found = []
        for _turn in range(5):
            found += self.take(queue, 2) + self.take(other, 2)

        assert sorted(ids(found)) == sorted(f"job-{number}" for number in range(20))
        assert self.is_empty(queue)
        assert self.is_empty(other)

    def test_a_lease_that_ends_gives_the_message_to_the_next(self, queue, open_again):
        self.needs("leases_expire")
        queue.put(jobs_named("one"))
        held = self.take(queue, 1, lease_s=self.lease_s)
        other = open_again()
        again = self.take(other, 1, within_s=self.lease_s + self.slack_s)

        assert ids(again) == ids(held) == ["one"]
        assert self.attempts_are(held, 1)
        assert self.attempts_are(again, 2)

    def test_a_lease_that_is_renewed_does_not_end(self, queue, open_again):
        self.needs("leases_expire")
        queue.put(jobs_named("one"))
        held = self.take(queue, 1, lease_s=2 * self.lease_s)
        other = open_again()

        assert queue.extend(held, lease_s=LONG_S) == []
        time.sleep(2.5 * self.lease_s)
        assert self.is_empty(other)
        queue.ack(held)
        assert self.is_empty(other)

    def test_a_lost_lease_changes_nothing_for_its_new_holder(self, queue, open_again):
        self.needs("leases_expire")
        queue.put(jobs_named("one", "two"))
        lost = self.take(queue, 2, lease_s=self.lease_s)
        other = open_again()
        again = self.take(other, 2, within_s=self.lease_s + self.slack_s)
        first, second = lost

        assert ids(queue.extend(lost, lease_s=LONG_S)) == ids(lost)
        queue.ack([first])
        queue.nack(second, delay_s=0.0, code="ocr.failed")
        queue.dead(first, code="input.corrupt")

        assert self.is_empty(queue)
        assert queue.dead_letters(10) == []
        assert other.extend(again, lease_s=self.lease_s) == []
        assert len(self.take(queue, 2, within_s=self.lease_s + self.slack_s)) == 2

    def test_what_was_acknowledged_never_comes_again(self, queue):
        queue.put(jobs_named("one", "two"))
        held = self.take(queue, 2, lease_s=self.lease_s)
        queue.ack(held)
        queue.ack(held)
        queue.ack([])
        time.sleep(1.5 * self.lease_s)

        assert self.is_empty(queue)
        assert queue.extend([], lease_s=LONG_S) == []

    def test_a_message_handed_back_waits_its_delay_and_counts_its_try(self, queue):
        queue.put(jobs_named("one"))
        (held,) = self.take(queue, 1)
        started = time.monotonic()
        queue.nack(held, delay_s=2 * self.lease_s, code="ocr.failed")

        assert self.is_empty(queue)
        again = self.take(queue, 1, within_s=2 * self.lease_s + self.slack_s)
        assert ids(again) == ["one"]
        assert time.monotonic() - started >= 2 * self.lease_s - 0.05
        assert self.attempts_are(again, 2)

    def test_a_message_handed_back_without_delay_comes_at_once(self, queue):
        queue.put(jobs_named("one"))
        (held,) = self.take(queue, 1)
        queue.nack(held, delay_s=0.0, code="lake.conflict")

        assert ids(self.take(queue, 1)) == ["one"]

    def test_a_try_that_does_not_count_leaves_the_attempt(self, queue):
        self.needs("exact_attempts")
        queue.put(jobs_named("one"))
        for _time in range(3):
            (held,) = self.take(queue, 1)
            assert held.attempt == 1
            queue.nack(held, delay_s=0.0, code="worker.drained", counted=False)
        (held,) = self.take(queue, 1)
        queue.nack(held, delay_s=0.0, code="ocr.failed")

        assert [one.attempt for one in self.take(queue, 1)] == [2]

    # -- dead letters

    def test_a_message_given_up_is_a_dead_letter_and_stays_one(self, queue, open_again):
        queue.put(jobs_named("bad", tenant="clinic", priority="urgent"))
        (held,) = self.take(queue, 1)
        queue.nack(held, delay_s=0.0, code="ocr.failed")
        (held,) = self.take(queue, 1)
        before = datetime.now(UTC)
        queue.dead(held, code="ocr.failed")

        assert self.is_empty(queue)
        for reader in (queue, open_again()):
            (letter,) = reader.dead_letters(10)
            assert (letter.job_id, letter.tenant, letter.priority) == ("bad", "clinic", "urgent")
            assert letter.code == "ocr.failed"
            assert letter.attempts == 2 or not self.exact_attempts
            assert abs(letter.died_at - before) < timedelta(seconds=30)
        assert queue.status().dead == 1

    def test_the_newest_dead_letters_are_listed(self, queue):
        queue.put(jobs_named("a", "b", "c"))
        held = {one.jobs[0].job_id: one for one in self.take(queue, 3)}
        for name in ("a", "b", "c"):
            queue.dead(held[name], code="input.corrupt")

        assert [one.job_id for one in queue.dead_letters(2)] == ["c", "b"]
        assert queue.status().dead == 3

    def test_dead_letters_are_new_work_when_retried(self, queue):
        queue.put(jobs_named("a", "b", "c"))
        codes = {"a": "input.corrupt", "b": "ocr.failed", "c": "ocr.failed"}
        for one in self.take(queue, 3):
            queue.dead(one, code=codes[one.jobs[0].job_id])

        assert queue.retry_dead(code="no.such") == 0
        assert queue.retry_dead(code="ocr.failed") == 2
        again = self.take(queue, 2)
        assert sorted(ids(again)) == ["b", "c"]
        assert [one.attempt for one in again] == [1, 1]
        assert [one.job_id for one in queue.dead_letters(10)] == ["a"]
        assert queue.retry_dead() == 1
        assert ids(self.take(queue, 1)) == ["a"]
        assert queue.dead_letters(10) == []

    def test_dead_letters_are_purged_alone(self, queue):
        queue.put(jobs_named("a", "b"))
        held = self.take(queue, 1)
        queue.dead(held[0], code="input.corrupt")

        assert queue.purge(dead=True) == 1
        assert queue.dead_letters(10) == []
        assert len(self.take(queue, 1)) == 1

    def test_a_purge_leaves_what_is_leased(self, queue):
        self.needs("purge_keeps_leased")
        queue.put(jobs_named("a", "b", "c", "d"))
        held, delayed = self.take(queue, 2)
        queue.nack(delayed, delay_s=LONG_S, code="ocr.failed")

        removed = queue.purge()

        assert removed == 3 if self.knows_delayed else removed >= 2
        assert self.is_empty(queue)
        assert queue.extend([held], lease_s=LONG_S) == []
        queue.nack(held, delay_s=0.0, code="ocr.failed")
        assert ids(self.take(queue, 1)) == ids([held])

    # -- numbers

    def test_the_status_counts_every_state(self, queue):
        assert (queue.status().ready, queue.status().dead) == (0, 0)
        queue.put(jobs_named("a", "b", "c", tenant="big"))
        queue.put(jobs_named("d", "e", tenant="small"))
        held = self.take(queue, 3)
        queue.nack(held[0], delay_s=LONG_S, code="ocr.failed")
        queue.dead(held[1], code="input.corrupt")

        status = queue.status()

        assert (status.ready, status.dead) == (2, 1)
        assert status.leased == (1 if self.knows_leased else None)
        assert status.delayed == (1 if self.knows_delayed else None)
        if self.knows_oldest:
            assert 590 <= status.oldest_s <= 660
        if self.knows_tenants:
            assert sum(status.tenants.values()) == 2
            assert set(status.tenants) <= {"big", "small"}

    # -- equal jobs

    def test_a_job_that_already_waits_or_is_held_is_not_put_again(self, queue):
        self.needs("dedupes")
        assert queue.put(jobs_named("one", "one", "two")) == 2
        assert queue.put(jobs_named("one")) == 0
        held = self.take(queue, 2)
        assert queue.put(jobs_named("one", "two")) == 0
        queue.nack(held[0], delay_s=LONG_S, code="ocr.failed")
        assert queue.put(jobs_named("one", "two")) == 0
        assert self.is_empty(queue)

    def test_a_job_that_is_done_or_dead_may_be_put_again(self, queue):
        queue.put(jobs_named("one", "two"))
        held = {one.jobs[0].job_id: one for one in self.take(queue, 2)}
        queue.ack([held["one"]])
        queue.dead(held["two"], code="input.corrupt")

        assert queue.put(jobs_named("one", "two")) == 2
        assert sorted(ids(self.take(queue, 2))) == ["one", "two"]
        assert [one.job_id for one in queue.dead_letters(10)] == ["two"]

    # -- crashes and closing

    def test_everything_is_there_after_closing_and_opening_again(self, queue, open_again):
        queue.put(jobs_named("a", "b", "c"))
        held = self.take(queue, 2)
        queue.dead(held[0], code="input.corrupt")
        queue.nack(held[1], delay_s=self.lease_s, code="ocr.failed")
        queue.close()
        queue.close()

        other = open_again()
        again = self.take(other, 2, within_s=self.lease_s + self.slack_s)

        assert sorted([*ids(again), *ids([held[0]])]) == ["a", "b", "c"]
        assert [one.job_id for one in other.dead_letters(10)] == ids([held[0]])

    def test_a_process_that_is_killed_gives_its_messages_back(self, queue, start):
        names = [f"job-{number}" for number in range(6)]
        queue.put(jobs_named(*names))
        lease_s = max(3.0, 2 * self.lease_s)
        holder = start(HOLDER, 4, lease_s)
        held = holder.stdout.readline().split()
        assert len(held) == 4
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

        found = self.take(queue, 6, within_s=lease_s + self.slack_s)

        assert sorted(ids(found)) == names
        assert all(one.attempt >= 2 for one in found if one.jobs[0].job_id in held)
        assert self.attempts_are([one for one in found if one.jobs[0].job_id in held], 2)

    def test_processes_that_come_together_make_one_queue(self, start, open_again):
        senders = [start(SENDER, f"job-{number}") for number in range(4)]
        self.let_go(senders)

        assert [sender.communicate(timeout=60)[0] for sender in senders] == ["1\n"] * 4
        assert sorted(ids(self.take(open_again(), 4))) == [f"job-{number}" for number in range(4)]

    def test_nothing_is_lost_or_doubled_among_four_processes(self, queue, start):
        names = [f"job-{number:03d}" for number in range(300)]
        consumers = [start(CONSUMER, 2.0) for _process in range(4)]
        queue.put(jobs_named(*names[:100], tenant="first"))
        self.let_go(consumers)
        queue.put(jobs_named(*names[100:200], tenant="second"))
        queue.put(jobs_named(*names[200:], priority="urgent"))
        found = " ".join(consumer.communicate(timeout=90)[0] for consumer in consumers).split()

        assert [consumer.returncode for consumer in consumers] == [0] * 4
        assert sorted(found) == names
        status = queue.status()
        assert (status.ready, status.dead) == (0, 0)


class LeaseTableContract(QueueContract):
    """What a queue in tables promises beyond: it knows everything about each message."""

    def test_a_holder_who_is_late_may_finish_while_nobody_else_has_the_message(self, queue, open_again):
        queue.put(jobs_named("one", "two", "three"))
        held = {one.jobs[0].job_id: one for one in self.take(queue, 3, lease_s=self.lease_s)}
        time.sleep(1.5 * self.lease_s)
        other = open_again()
        assert other.status().ready == 3
        assert (
            other.receive_batch(1, lease_s=LONG_S, full_tenants=["default"]) == []
        )  # sees that leases ended

        queue.ack([held["one"]])
        assert queue.extend([held["two"]], lease_s=LONG_S) == []
        queue.nack(held["three"], delay_s=LONG_S, code="ocr.failed")

        assert self.is_empty(other)
        status = other.status()
        assert (status.ready, status.delayed, status.leased) == (0, 1, 1)

    def test_a_message_handed_back_is_no_longer_its_former_holder_s(self, queue):
        queue.put(jobs_named("one"))
        (held,) = self.take(queue, 1)
        queue.nack(held, delay_s=0.0, code="ocr.failed")
        queue.ack([held])
        queue.dead(held, code="ocr.failed")

        assert ids(queue.extend([held], lease_s=LONG_S)) == ["one"]
        assert queue.status().ready == 1
        assert queue.status().dead == 0

    def test_ended_leases_come_before_newer_work_of_their_tenant(self, queue):
        queue.put(jobs_named("a", "b"))
        self.take(queue, 2, lease_s=self.lease_s)
        queue.put(jobs_named("c"))
        time.sleep(1.5 * self.lease_s)

        assert ids(queue.receive_batch(3, lease_s=LONG_S)) == ["a", "b", "c"]

    def test_a_dead_letter_whose_job_waits_again_is_not_doubled_by_a_retry(self, queue):
        queue.put(jobs_named("one"))
        queue.dead(self.take(queue, 1)[0], code="input.corrupt")
        queue.put(jobs_named("one"))

        assert queue.retry_dead() == 0
        assert queue.dead_letters(10) == []
        assert queue.status().ready == 1

    def test_a_damaged_message_costs_its_neighbours_nothing(self, queue, url):
        queue.status()
        self.put_raw(url, b"{")
        queue.put(jobs_named("a", "b"))

        assert ids(queue.receive_batch(1, lease_s=LONG_S)) == ["a"]
        assert [one.attempt for one in queue.receive_batch(1, lease_s=LONG_S)] == [1]

    def test_more_jobs_than_one_transaction_takes_keep_their_order(self, queue):
        names = [f"job-{number:05d}" for number in range(4_500)]

        assert queue.put(jobs_named(*names)) == 4_500
        assert ids(queue.receive_batch(4_500, lease_s=LONG_S)) == names
