"""A run that is killed or stopped at any instant: nothing is lost, nothing is there twice, nobody is left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from extractor.config import load_config
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.resources import folder

CHECKOUT = Path(__file__).parents[1]
POLICY = load_policy(folder("configs") / "policy.yaml")
SETTINGS = {
    "readers": {"text/plain": "tests.faults.readers:FaultyReader"},
    "plugins": ["tests"],
    "extractors": [{"name": "measurement"}, {"name": "identifier"}],
    "lake": {"batch_documents": 2},
}

DOCUMENTS = 16


class Command:
    """``extractor run`` over a folder of short texts, as a process in a group of its own."""

    def __init__(self, base):
        self.inbox = base / "inbox"
        self.inbox.mkdir()
        self.settings = base / "settings.yaml"
        self.settings.write_text(yaml.safe_dump(SETTINGS))
        self.uri = str(base / "lake")
        self.log = base / "lake/operations/ledger/_delta_log"

    def put(self, *texts):
        for number, text in enumerate(texts):
            (self.inbox / f"{number:03}.txt").write_text(text)

    def start(self):
        words = ["run", str(self.inbox), "--lake", self.uri, "--config", str(self.settings), "--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.run", *words, "--workers", "1"],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self):
        process = self.start()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return json.loads(out)

    def commits(self):
        return len(list(self.log.glob("*.json"))) if self.log.exists() else 0

    def wait_for_commits(self, process, count):
        deadline = time.monotonic() + 60
        while self.commits() < count and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    @property
    def lake(self):
        return Lake(self.uri, load_config(self.settings).lake)

    def findings(self):
        report = verify(self.lake, class_order=POLICY.classes, scope_order=POLICY.consent_scopes)
        return {finding.check for finding in report.findings}


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path)


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def assert_gone(processes):
    deadline = time.monotonic() + 10
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # dead, but init has not looked yet
    except psutil.NoSuchProcess:
        return False


def test_a_run_killed_at_five_instants_is_completed_by_the_next(command):
    command.put(*(f"Batch {number}: weighed {number}.20 kg of lactose." for number in range(DOCUMENTS)))
    delays_s = [random.random() * 0.2 for _ in range(5)]  # any instants will do
    for delay_s in delays_s:
        process = command.start()
        command.wait_for_commits(process, command.commits() + 1)
        time.sleep(delay_s)
        workers = descendants(process) if process.poll() is None else []
        process.kill()
        assert process.wait() in {-signal.SIGKILL, 0}, delays_s
        process.communicate()
        assert_gone(workers)
        assert command.findings() <= {"unfinished"}, delays_s

    before = len(command.lake.current())
    tally = command.finish()

    assert (tally["seen"], tally["skipped"], tally["done"]) == (DOCUMENTS, before, DOCUMENTS - before), (
        delays_s
    )
    assert command.findings() == set()
    assert command.lake.read("documents").num_rows == len(command.lake.current()) == DOCUMENTS
    assert command.lake.read("entities").num_rows == DOCUMENTS


def test_a_run_that_is_interrupted_stops_at_once_and_keeps_what_was_committed(command):
    command.put("Weighed 7.20 kg of lactose.", "Given 40.25 mg of aspirin.", "HANG")
    process = command.start()
    command.wait_for_commits(process, 3)  # the table, the claim and the completion of the first two
    workers = descendants(process)

    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C on a terminal: everybody hears it
    started_s = time.monotonic()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert time.monotonic() - started_s < 10
    assert err.strip() == "Stopped. What was committed stays; the same command goes on from there."
    assert len(workers) >= 2
    assert_gone(workers)
    assert {document.status for document in command.lake.current().values()} == {"extracted"}
    assert len(command.lake.current()) == 2
    assert command.findings() == set()
