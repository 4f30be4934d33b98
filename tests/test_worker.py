"""A worker between a queue and a lake: what is acknowledged, handed back, given up, and when."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest
import yaml

from extractor.config import load_config
from extractor.delivery import QueuedJob
from extractor.enqueue import enqueue
from extractor.errors import ConfigError, LakeError
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.queues.opening import open_queue
from extractor.resources import folder
from extractor.sources import find_sources
from extractor.worker import Work

CHECKOUT = Path(__file__).parents[1]
POLICY = load_policy(folder("configs") / "policy.yaml")
SETTINGS = {
    "readers": {"text/plain": "tests.faults.readers:FaultyReader"},
    "plugins": ["tests"],
    "extractors": [{"name": "measurement"}, {"name": "identifier"}],
    "refiners": [],
    "relators": [],
    "ocr": {"second_engine": None},
    "worker": {"lease_s": 5, "retry_delay_s": 0, "max_tries": 2, "drain_s": 5},
    "telemetry": {"port": 0},
}


class House:
    """A folder, a queue, a lake, and short words for working one into the other."""

    def __init__(self, base):
        self.base = base
        self.inbox = base / "inbox"
        self.inbox.mkdir()
        self.url = f"sqlite:///{base}/queue.db"
        self.lake_uri = str(base / "lake")
        self.settings = base / "settings.yaml"
        self.settings.write_text(yaml.safe_dump(SETTINGS))
        self.config = load_config(self.settings)

    def put(self, name, content):
        path = self.inbox / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def send(self, *paths, manifest=None, tenant="default", priority="normal"):
        sources = find_sources([str(path) for path in paths or [self.inbox]])
        queue = open_queue(self.url)
        inventory = load_inventory(POLICY, manifest=manifest)
        added = enqueue(sources, queue, inventory=inventory, tenant=tenant, priority=priority)
        queue.close()
        return added

    def work(self, **overrides):
        config = load_config(self.settings, overrides=overrides) if overrides else self.config
        queue = open_queue(self.url)
        work = Work(
            queue=queue,
            lake=Lake(self.lake_uri, config.lake),
            config=config,
            inventory=load_inventory(POLICY),
            size=1,
            until_empty=True,
        )
        try:
            tally, _ = work.run()
        finally:
            queue.close()
        return tally, work

    def start(self, *words):
        return subprocess.Popen(
            [
                sys.executable, "-m", "tests.faults.worker", "never", "0", "worker", "--queue", self.url,
                "--lake", self.lake_uri, "--config", str(self.settings), "--workers", "1", "--json", *words,
            ],
            cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def status(self):
        queue = open_queue(self.url)
        try:
            return queue.status()
        finally:
            queue.close()

    def dead(self):
        queue = open_queue(self.url)
        try:
            return queue.dead_letters(10)
        finally:
            queue.close()

    def rows(self, table):
        return Lake(self.lake_uri, self.config.lake).read(table).to_pylist()

    def assert_clean(self):
        lake = Lake(self.lake_uri, self.config.lake)
        assert verify(lake, class_order=POLICY.classes, scope_order=POLICY.consent_scopes).findings == ()

    def assert_nothing_left(self):
        status = self.status()
        assert (status.ready, status.delayed, status.leased) == (0, 0, 0)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_what_is_enqueued_ends_in_the_lake_and_leaves_the_queue(house):
    house.put("a.txt", "Weighed 7.20 kg.")
    house.put("b.txt", "first\fREFUSE")
    house.put("c.bin", bytes(range(256)) * 40)

    assert house.send() == 3
    tally, _ = house.work()

    assert (tally.seen, tally.done, tally.partial, tally.quarantined) == (3, 1, 1, 1)
    house.assert_nothing_left()
    house.assert_clean()
    (run,) = house.rows("runs")
    assert (run["kind"], run["seen"]) == ("worker", 3)


def test_a_document_that_is_current_is_acknowledged_without_being_read_again(house):
    house.put("a.txt", "Weighed 7.20 kg.")
    house.send()
    house.work()
    versions = Lake(house.lake_uri, house.config.lake).version("documents")

    house.send()
    tally, _ = house.work()

    assert (tally.seen, tally.skipped) == (1, 1)
    assert Lake(house.lake_uri, house.config.lake).version("documents") == versions
    house.assert_nothing_left()


def test_the_same_bytes_at_two_places_are_one_document_and_both_messages_are_answered(house):
    house.put("a.txt", "Weighed 7.20 kg.")
    house.put("b.txt", "Weighed 7.20 kg.")
    house.send()

    tally, _ = house.work()

    assert (tally.seen, tally.done, tally.skipped) == (2, 1, 1)
    house.assert_nothing_left()


def test_governance_travels_with_the_message(house):
    path = house.put("a.txt", "Weighed 7.20 kg.")
    manifest = house.base / "manifest.csv"
    manifest.write_text(
        f"path,classification,consent_scope,study_id,received_at\n{path},non-human,none,ST-1,2026-03-01\n"
    )
    house.send(manifest=manifest)

    house.work()

    (document,) = house.rows("documents")
    assert (document["classification"], document["study_id"], document["governance_source"]) == (
        "non-human",
        "ST-1",
        "manifest",
    )
    assert document["received_at"].isoformat().startswith("2026-03-01")


def test_a_message_whose_class_the_policy_does_not_know_quarantines_its_document_under_the_strictest(house):
    path = house.put("a.txt", "Weighed 7.20 kg.")
    queue = open_queue(house.url)
    queue.put([QueuedJob(job_id="1" * 64, address=str(path), entry={"classification": "harmless"})])
    queue.close()

    house.work()

    (document,) = house.rows("documents")
    assert (document["status"], document["status_code"]) == ("quarantined", "input.governance")
    assert document["classification"] == POLICY.strictest_class
    house.assert_nothing_left()


def test_a_stricter_class_that_comes_with_a_later_message_moves_the_rows(house):
    path = house.put("a.txt", "Weighed 7.20 kg.")
    manifest = house.base / "manifest.csv"
    manifest.write_text(f"path,classification\n{path},public\n")
    house.send(manifest=manifest)
    house.work()

    manifest.write_text(f"path,classification\n{path},PHI\n")
    house.send(manifest=manifest)
    tally, _ = house.work()

    assert tally.skipped == 1
    assert {row["classification"] for row in house.rows("entities")} == {"PHI"}
    house.assert_nothing_left()
    house.assert_clean()


def test_an_attachment_is_in_the_lake_before_its_carrier_is_acknowledged(house):
    mail = EmailMessage()
    mail["Subject"] = "Weights"
    mail.set_content("See the file: 3 mL.")
    mail.add_attachment(b"Weighed 7.20 kg.", maintype="text", subtype="plain", filename="w.txt")
    house.put("a.eml", mail.as_bytes())
    house.send()

    tally, _ = house.work(readers={})

    assert tally.done == 2
    assert {bool(row["parent_doc_id"]) for row in house.rows("documents")} == {True, False}
    house.assert_nothing_left()
    house.assert_clean()


def test_a_failure_that_may_pass_is_tried_again_and_then_given_up_with_its_code(house):
    house.put("bad.txt", "RAISE Jane Roe")
    house.put("good.txt", "Weighed 7.20 kg.")
    house.send()

    tally, _ = house.work()

    assert (tally.seen, tally.done, tally.bugs) == (2, 1, 1)
    (letter,) = house.dead()
    assert (letter.code, letter.attempts) == ("bug.RuntimeError", 2)
    assert {row["status_code"] for row in house.rows("documents")} == {None, "bug.RuntimeError"}
    house.assert_nothing_left()
    house.assert_clean()


def test_a_source_that_is_away_comes_back(house):
    path = house.put("a.txt", "Weighed 7.20 kg.")
    house.send()
    path.rename(house.base / "away.txt")
    house.work(worker={"max_tries": 1})
    assert [letter.code for letter in house.dead()] == ["input.unreadable"]

    (house.base / "away.txt").rename(path)
    queue = open_queue(house.url)
    assert queue.retry_dead() == 1
    queue.close()
    house.work()

    assert {row["status"] for row in house.rows("documents") if row["byte_count"]} == {"extracted"}
    house.assert_nothing_left()


def test_a_document_that_kills_its_reader_does_not_take_its_batch_along(house):
    house.put("crash.txt", "CRASH")
    for number in range(5):
        house.put(f"{number}.txt", f"Weighed {number} kg.")
    house.send()

    tally, _ = house.work()

    assert (tally.done, tally.quarantined) == (5, 1)
    house.assert_nothing_left()


def test_a_lake_that_takes_no_batch_for_a_while_loses_nothing(house, monkeypatch):
    from extractor import extraction

    real, calls = extraction.commit, []

    def commit(lake, batch):
        calls.append(1)
        if len(calls) <= 2:
            raise LakeError("no space")
        return real(lake, batch)

    monkeypatch.setattr(extraction, "commit", commit)
    house.put("a.txt", "Weighed 7.20 kg.")
    house.send()

    tally, _ = house.work()

    assert tally.done == 1
    assert len(calls) == 3
    house.assert_nothing_left()


def test_a_lake_that_stays_unwritable_ends_the_worker_and_hands_everything_back(house, monkeypatch):
    from extractor import extraction, worker

    def commit(_lake, _batch):
        raise LakeError("no space")

    monkeypatch.setattr(extraction, "commit", commit)
    monkeypatch.setattr(worker, "_LAKE_TRIES", 1)
    house.put("a.txt", "Weighed 7.20 kg.")
    house.send()

    with pytest.raises(LakeError):
        house.work()

    status = house.status()
    assert (status.ready, status.leased, status.dead) == (1, 0, 0)


def test_rows_that_the_lake_refuses_quarantine_their_document_alone(house, monkeypatch):
    from extractor import extraction
    from extractor.errors import ContractError

    real = extraction.commit

    def commit(lake, batch):
        texts = batch.tables.get("page_text")
        if texts is not None and any("odd" in text for text in texts.column("text").to_pylist()):
            raise ContractError("table page_text: a value does not fit its column")
        return real(lake, batch)

    monkeypatch.setattr(extraction, "commit", commit)
    for number in range(4):
        house.put(f"{number}.txt", "odd 1 kg" if number == 2 else f"{number} kg of it")
    house.send()

    tally, _ = house.work()

    states = sorted((row["status"], row["status_code"]) for row in house.rows("documents"))
    assert states == [("extracted", None)] * 3 + [("quarantined", "lake.contract")]
    assert tally.seen == 4
    house.assert_nothing_left()


def test_sigterm_finishes_or_hands_back_what_is_held_and_ends_well(house):
    house.put("a.txt", "Weighed 7.20 kg.")
    house.put("hang.txt", "HANG")
    house.send(house.inbox / "a.txt")
    process = house.start()
    wait_until((house.base / "lake/governed/documents/_delta_log").exists)
    house.send(house.inbox / "hang.txt")
    wait_until(lambda: house.status().leased == 1)

    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert time.monotonic() - started < SETTINGS["worker"]["drain_s"] + 10
    assert json.loads(out)["done"] == 1
    status = house.status()
    assert (status.ready, status.leased, status.dead) == (1, 0, 0)
    queue = open_queue(house.url)
    (delivery,) = queue.receive_batch(1, lease_s=5)
    queue.close()
    assert delivery.attempt == 1  # a stop is not a try
    house.assert_clean()


def test_a_killed_worker_leaves_no_process_behind_and_its_messages_come_again(house):
    house.put("hang.txt", "HANG")
    house.send()
    process = house.start()
    wait_until(lambda: house.status().leased == 1)
    children = psutil.Process(process.pid).children(recursive=True)

    process.kill()
    process.communicate(timeout=30)

    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    wait_until(lambda: house.status().ready == 1, seconds=30)


def test_the_endpoint_tells_health_readiness_and_figures_but_no_names(house):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    house.settings.write_text(yaml.safe_dump({**SETTINGS, "telemetry": {"port": port}}))
    house.put("Jane Roe.txt", "Jane Roe weighed 7.20 kg.")
    house.send(tenant="clinic-a")
    process = house.start()

    def told(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return ""

    wait_until(lambda: 'extractor_documents_total{code="none",status="extracted"} 1.0' in told("/metrics"))
    ready, healthy, metrics = told("/readyz"), told("/healthz"), told("/metrics")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert json.loads(ready)["conditions"] == {
        "accepting": True,
        "lake": True,
        "queue": True,
        "started": True,
    }
    assert healthy is not None
    assert 'extractor_entities_total{type="measurement"}' in metrics
    assert process.returncode == 0, err
    assert "Jane" not in metrics + err + out
    assert "Roe" not in metrics + err + out


def test_back_pressure_holds_no_more_than_the_settings_allow(house):
    for number in range(30):
        house.put(f"{number}.txt", f"Weighed {number} kg.")
    house.send()
    held = []
    work_settings = {"in_flight_documents": 4, "max_tries": 2}

    class Watching(Work):
        def _receive(self):
            count = super()._receive()
            held.append(len(self._leases.held))
            return count

    config = load_config(house.settings, overrides={"worker": work_settings})
    queue = open_queue(house.url)
    work = Watching(
        queue=queue, lake=Lake(house.lake_uri, config.lake), config=config, inventory=load_inventory(POLICY),
        size=1, until_empty=True,
    )  # fmt: skip
    tally, _ = work.run()
    queue.close()

    assert tally.done == 30
    assert max(held) == 4


def test_one_tenant_holds_no_more_than_its_share_while_others_wait(house):
    paths = [house.put(f"{number}.txt", f"Weighed {number} kg.") for number in range(12)]
    house.send(*paths[:10], tenant="loud")
    house.send(*paths[10:], tenant="quiet")
    seen = []

    class Watching(Work):
        def _offer(self, job, ticket):
            seen.append(job.tenant)
            super()._offer(job, ticket)

    config = load_config(house.settings, overrides={"worker": {"tenant_documents": 2}})
    queue = open_queue(house.url)
    work = Watching(
        queue=queue, lake=Lake(house.lake_uri, config.lake), config=config, inventory=load_inventory(POLICY),
        size=1, until_empty=True,
    )  # fmt: skip
    work.run()
    queue.close()

    assert len(seen) == 12
    assert seen[:5].count("quiet") == 2


def test_a_manifest_that_names_documents_by_digest_only_belongs_to_the_worker(house):
    house.put("a.txt", "Weighed 7.20 kg.")
    manifest = house.base / "manifest.csv"
    manifest.write_text(f"doc_id,classification\n{'a' * 64},public\n")

    with pytest.raises(ConfigError, match="worker --manifest"):
        house.send(manifest=manifest)


def test_a_group_of_stored_documents_goes_through_the_newer_pipeline_without_its_sources(house):
    from extractor.lake.selection import Which
    from extractor.reprocess import enqueue_reprocess

    paths = [house.put(f"{number}.txt", f"Weighed {number}.50 kg on 2026-03-01.") for number in range(5)]
    house.send()
    house.work()
    for path in paths:
        path.unlink()
    newer = [{"name": "measurement"}, {"name": "identifier"}, {"name": "date"}]
    queue = open_queue(house.url)
    lake = Lake(house.lake_uri, house.config.lake)
    documents, messages = enqueue_reprocess(lake, queue, config=house.config, which=Which())
    queue.close()

    house.work(extractors=newer)

    assert (documents, messages) == (5, 1)
    assert {row["type"] for row in house.rows("entities")} == {"measurement", "date"}
    assert len({row["extraction_id"] for row in house.rows("page_text")}) == 5
    assert [row["kind"] for row in house.rows("runs")] == ["worker", "worker"]
    house.assert_nothing_left()
    house.assert_clean()


def test_conditions_tell_why_a_worker_is_not_ready(house):
    work = Work(
        queue=open_queue(house.url), lake=Lake(house.lake_uri, house.config.lake), config=house.config,
        inventory=load_inventory(POLICY), size=1, stop=threading.Event(),
    )  # fmt: skip
    assert work.conditions() == {"started": False, "queue": False, "lake": True, "accepting": True}
    assert work.is_alive()
    work.stop.set()
    assert not work.conditions()["accepting"]
    work.queue.close()
