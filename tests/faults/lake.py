"""Faults of the lake: a process that dies at a chosen commit, an answer lost on the way, writers that interleave.

Run as a program it is a writer of its own: ``python -m tests.faults.lake LAKE RUN_ID SEED DOCUMENTS [FAULT N]``
commits made documents in random batches; FAULT ``before`` or ``after`` kills it at its N-th commit.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from contextlib import contextmanager

from extractor.errors import CommitConflictError
from extractor.lake import delta
from extractor.lake.commit import commit
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, settings


def die_at_commit(number, *, after):
    """Kill this process, as a power cut would, just before or just after its n-th commit."""
    real = delta.write
    calls = 0

    def write(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        version = real(*arguments, **options)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return version

    delta.write = write


def lose_answers(monkeypatch, *, every):
    """Each n-th commit lands, but its writer is told that it failed."""
    import deltalake

    real = deltalake.write_deltalake
    calls = 0

    def write(*arguments, **options):
        nonlocal calls
        calls += 1
        real(*arguments, **options)
        if calls % every == 0:
            raise deltalake.exceptions.CommitFailedError("no answer")

    monkeypatch.setattr(deltalake, "write_deltalake", write)


class Interleaving:
    """Lets several writers, each in its thread, run one step at a time in an order drawn from a seed.

    A step ends where the protocol could be disturbed: before a handle is
    taken, after the ledger was read, before each commit.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.turn = threading.Condition()
        self.running = []
        self.chosen = None
        self.failures = []

    def run(self, *writers):
        threads = [threading.Thread(target=self._live, args=(writer,)) for writer in writers]
        self.running = list(threads)
        self.chosen = self.random.choice(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        if self.failures:
            raise self.failures[0]

    def step(self):
        me = threading.current_thread()
        with self.turn:
            if me not in self.running:
                return
            self.chosen = self.random.choice(self.running)
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.chosen is me)

    def _live(self, writer):
        me = threading.current_thread()
        with self.turn:
            self.turn.wait_for(lambda: self.chosen is me)
        try:
            writer()
        except BaseException as error:  # noqa: BLE001  # told to the test
            self.failures.append(error)
        finally:
            with self.turn:
                self.running.remove(me)
                self.chosen = self.random.choice(self.running) if self.running else None
                self.turn.notify_all()

    @contextmanager
    def hooks(self, monkeypatch):
        real_write, real_handle = delta.write, Work._handle

        def write(*arguments, **options):
            self.step()
            return real_write(*arguments, **options)

        def handle(*arguments, **options):
            self.step()
            found = real_handle(*arguments, **options)
            self.step()
            return found

        with monkeypatch.context() as patch:
            patch.setattr(delta, "write", write)
            patch.setattr(Work, "_handle", handle)
            patch.setattr("time.sleep", lambda _: None)
            yield self


def write_randomly(uri, run_id, seed, documents):
    """Commit every document once, in batches of one to five, in an order drawn from the seed."""
    lake = Lake(uri, settings())
    order = [doc_id(number) for number in range(documents)]
    chance = random.Random(seed)
    chance.shuffle(order)
    while order:
        size = chance.randint(1, 5)
        batch = make_batch(order[:size], run_id=run_id)
        while True:
            try:
                commit(lake, batch)
                break
            except CommitConflictError:
                continue
        order = order[size:]


if __name__ == "__main__":
    _, uri, run_id, seed, documents, *fault = sys.argv
    if fault:
        die_at_commit(int(fault[1]), after=fault[0] == "after")
    write_randomly(uri, run_id, int(seed), int(documents))
