"""``extractor worker``: documents from a queue, committed rows out, then the acknowledgement.

A message is acknowledged when the lake has its document (and those carried
inside), and not before; whatever dies in between, the message comes again, and
a document that is current then costs a look-up. Retryable failures are handed
back with growing delays; after ``worker.max_tries`` the document is quarantined
with its code and the message goes to the dead letters.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from extractor import __version__
from extractor.config import Config
from extractor.delivery import QueuedJob
from extractor.errors import ConfigError, ExtractorError, GovernanceError, LakeError
from extractor.extraction import Extraction, record_run
from extractor.figures import Figures
from extractor.governance.inventory import Entry, Inventory, entry_from
from extractor.isolation import start_fork_server
from extractor.item import Item, read_item
from extractor.lake.store import CurrentDocument, Lake
from extractor.leases import Leases, Ticket
from extractor.lineage import Pipeline, Run
from extractor.pipeline import Outcome
from extractor.pool import Pool, PoolStatistics
from extractor.ports import Queue
from extractor.promotion import with_promoted
from extractor.reprocess import Reprocessed, reprocess_documents
from extractor.sources import Source, source_at
from extractor.tally import Tally
from extractor.telemetry.logs import bound
from extractor.telemetry.metrics import Metrics
from extractor.telemetry.traces import Tracer

log = logging.getLogger(__name__)

_PREFETCH = 8
"""Documents fetched ahead for each worker process."""
_LINGER_S = 1.0
"""With nothing left to do, so long is waited for more before a small batch is committed."""
_LAKE_TRIES = 8
_REOPEN_COMMITS = 16
"""After so many commits the lake's tables are opened anew, so that a worker of months stays small."""
_LONGEST_PAUSE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Work:
    """One worker: a queue, a lake, a pool of processes. :meth:`run` goes on until ``stop`` is set.

    ``until_empty`` ends it when the queue has nothing ready and nothing is held.
    """

    queue: Queue
    lake: Lake
    config: Config
    inventory: Inventory
    size: int
    stop: threading.Event = field(default_factory=threading.Event)
    figures: Figures = field(default_factory=lambda: Figures(metrics=Metrics(), tracer=Tracer()))
    until_empty: bool = False
    alive_s: float = field(default_factory=time.monotonic)
    """When the loop last came round: a worker that hangs shows here."""
    _leases: Leases = field(init=False)
    _extraction: Extraction = field(init=False)
    _lookup: Lake = field(init=False)
    _joined: dict[str, list[Ticket]] = field(default_factory=dict)
    _stored: deque[tuple[QueuedJob, Ticket]] = field(default_factory=deque)
    _after_retag: list[tuple[str, Ticket]] = field(default_factory=list)
    _reprocessed: Reprocessed = field(default_factory=Reprocessed)
    _commits: int = 0
    _lake_failures: int = 0
    _lake_pause_until_s: float = 0.0
    _idle_since_s: float | None = None
    _ready: bool = False

    def run(self) -> tuple[Tally, PoolStatistics]:
        """Work until told to stop, then finish or hand back within ``worker.drain_s`` and one commit.

        The models are those that the lake has promoted when the worker starts.

        Raises:
            ExtractorError: a tool is missing, the lake stays unwritable or the broker refuses;
                everything held was handed back, or comes again when its lease ends.
        """
        start_fork_server()
        self.config = with_promoted(self.config, self.lake)
        self._leases = Leases(queue=self.queue, lease_s=self.config.worker.lease_s)
        self._lookup = Lake(self.lake.uri, self.lake.settings)  # the other one belongs to the writer's thread
        with Pool(self.config, size=self.size) as pool:
            pipeline = Pipeline(
                code_version=__version__, config_sha256=self.config.extraction_sha256(), models=pool.models
            )
            self.figures.metrics.pipeline(pipeline.version, pipeline.code_version, pipeline.models)
            self._extraction = Extraction(
                pool=pool,
                lake=self.lake,
                config=self.config,
                policy=self.inventory.policy,
                run=Run(pipeline=pipeline),
                known=self._known,
                remembers=False,
                keeps=self._keeps,
                on_outcome=self.figures.came,
                on_committed=self._committed,
            )
            self._ready = True
            log.info("ready: pipeline %s, %d processes", pipeline.version, self.size)
            try:
                with bound(run_id=self._extraction.run.run_id):
                    self._loop()
                    self._drain()
            except ExtractorError as error:
                self._hand_back_all(error.code)
                self._leases.tend()
                raise
            finally:
                self._ready = False
                self._extraction.close()
            tally = self._extraction.tally()
            if tally.seen > tally.skipped or self._reprocessed.done or self._reprocessed.partial:
                record_run(self.lake, self._extraction.run, "worker", tally)
            return tally, pool.statistics

    def conditions(self) -> Mapping[str, bool]:
        """What must hold for a worker to be ready."""
        started = self._ready
        return {
            "started": started,
            "queue": started and self._leases.reachable,
            "lake": self._lake_failures == 0,
            "accepting": not self.stop.is_set(),
        }

    def is_alive(self) -> bool:
        """Whether the loop goes round; reading one huge document from a slow store may take minutes."""
        return time.monotonic() - self.alive_s < max(300.0, 2 * self.config.worker.lease_s)

    # The loop

    def _loop(self) -> None:
        while not self.stop.is_set():
            self.alive_s = time.monotonic()
            received = 0 if self._stored else self._receive()
            self._extraction.step(0.25)
            self._save(idle=received == 0 and not self._extraction.working())
            if self._stored and not (self._extraction.working() or self._extraction.unsaved()):
                self._reprocess(*self._stored.popleft())
            self._leases.tend()
            self.figures.moment(self._extraction, self._leases, self.queue)
            if self.until_empty and not (received or self._leases.held or self._leases.unanswered()):
                status = self.queue.status()
                if not (status.ready or status.delayed or status.leased):
                    return

    def _receive(self) -> int:
        """Take as many messages as there is room for; how many came."""
        settings = self.config.worker
        extraction = self._extraction
        room = min(
            settings.in_flight_documents - len(self._leases.held),
            _PREFETCH * self.size - len(extraction.queue),
        )
        if (
            room <= 0
            or extraction.waiting_bytes() >= settings.in_flight_mb * 2**20
            or extraction.waiting_pages() >= settings.in_flight_pages
            or time.monotonic() < self._lake_pause_until_s
        ):
            return 0
        busy = extraction.working() or extraction.unsaved()
        full = [
            tenant for tenant, count in self._leases.tenants().items() if count >= settings.tenant_documents
        ]
        tickets = self._leases.receive(room, wait_s=0.0 if busy else 1.0, full_tenants=full)
        if tickets:
            self._lookup.ledger.refresh()
        for ticket in tickets:
            if not ticket.delivery.jobs:
                self._leases.settle(ticket)
            for job in ticket.delivery.jobs:
                if job.kind == "reprocess":
                    self._stored.append((job, ticket))
                else:
                    self._offer(job, ticket)
            extraction.feed()
        return len(tickets)

    def _offer(self, job: QueuedJob, ticket: Ticket) -> None:
        source: Source | ExtractorError
        try:
            source = source_at(job.address, storage_options=self.config.sources.storage_options)
        except ExtractorError as error:
            source = error
        entry_of: Callable[[str, str], Entry] = self.inventory.entry
        if job.entry:
            try:
                stated = entry_from(job.entry, self.inventory.policy, where="message", source="manifest")
                entry_of = _always(stated)
            except ConfigError:
                source = GovernanceError()
        item = read_item(
            source, entry_of, max_bytes=self.config.limits.max_file_bytes, address=job.address, ticket=ticket
        )
        self.figures.begun(item, job_id=job.job_id, run_id=self._extraction.run.run_id)
        try:
            if self._extraction.offer(item):
                return
        except LakeError as error:  # what the lake holds of it cannot be told now
            self._leases.hand_back(
                ticket, delay_s=self.config.worker.retry_delay_s, code=error.code, counted=False
            )
            self._lake_failed(error)
            return
        if item.doc_id in self._extraction.entries:  # the same bytes are under way: settled with them
            self._joined.setdefault(item.doc_id, []).append(ticket)
        elif item.doc_id in self._extraction.to_retag:
            self._after_retag.append((item.doc_id, ticket))
        else:
            self.figures.metrics.skipped()
            self._leases.settle(ticket)

    def _known(self, doc_id: str) -> CurrentDocument | None:
        if not self._lookup.ledger.ever_claimed([doc_id]):
            return None
        return self._lookup.current([doc_id]).get(doc_id)

    def _keeps(self, item: Item, outcome: Outcome) -> bool:
        """Whether an outcome counts; a failure that may pass is handed back while tries are left."""
        if outcome.status != "quarantined" or not outcome.retryable:
            return True
        ticket: Ticket = item.ticket
        settings = self.config.worker
        code = outcome.code or ""
        if ticket.delivery.attempt >= settings.max_tries:
            ticket.code = code
            return True
        log.warning("job %s: try %d failed (%s)", ticket.job_id, ticket.delivery.attempt, code)
        self.figures.handed_back(item, outcome)
        for one in (ticket, *self._joined.pop(item.doc_id, [])):
            self._leases.hand_back(one, delay_s=self._delay_s(ticket), code=code, counted=one is ticket)
        return False

    def _delay_s(self, ticket: Ticket) -> float:
        """The pause before the next try: doubled with each, a little scattered."""
        settings = self.config.worker
        delay_s: float = settings.retry_delay_s * 2 ** (ticket.delivery.attempt - 1)
        scattered = random.uniform(0.8, 1.2)  # noqa: S311  # spreads tries over time, no secret
        return min(settings.retry_delay_max_s, delay_s) * scattered

    # Commits

    def _save(self, *, idle: bool) -> None:
        now = time.monotonic()
        if not idle:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = now
        if now < self._lake_pause_until_s:
            return
        full = len(self._leases.held) >= self.config.worker.in_flight_documents
        linger_s = 0.0 if self.until_empty else _LINGER_S
        rested = self._idle_since_s is not None and now - self._idle_since_s >= linger_s
        try:
            self._extraction.save(now=rested or (full and not self._extraction.working()))
            if self._after_retag:
                self._extraction.flush()
                self._retag()
        except LakeError as error:
            self._lake_failed(error)
        else:
            if not self._extraction.unsaved():
                self._lake_failures = 0

    def _lake_failed(self, error: LakeError) -> None:
        self._lake_failures += 1
        if self._lake_failures > _LAKE_TRIES:
            raise error
        pause_s = min(_LONGEST_PAUSE_S, 2.0**self._lake_failures / 4)
        self._lake_pause_until_s = time.monotonic() + pause_s
        log.warning("the lake does not take a batch (%s), try %d", error.code, self._lake_failures)

    def _committed(self, items: Sequence[Item], rows: Mapping[str, int], seconds: float) -> None:
        self._lake_failures = 0
        self._commits += 1
        if self._commits % _REOPEN_COMMITS == 0:
            self.lake.let_go()
            self._lookup.let_go()
        version = self._extraction.run.pipeline.version
        self.figures.committed(items, rows, seconds, pipeline_version=version, conflicts=self.lake.conflicts)
        self._retag()
        for item in items:
            tickets = self._joined.pop(item.doc_id, [])
            if item.ticket is not None:
                tickets = [item.ticket, *tickets]
            if item.doc_id in self._extraction.yielded:
                # Another writer has it: should that one die, this message is what brings the document back.
                self._extraction.yielded.discard(item.doc_id)
                for ticket in tickets:
                    self._leases.hand_back(
                        ticket, delay_s=self.config.worker.retry_delay_s, code="lake.yielded", counted=False
                    )
                continue
            for ticket in tickets:
                if ticket.code is not None and ticket.waiting == 1:
                    self.figures.metrics.died(ticket.code)
                self._leases.settle(ticket)

    def _retag(self) -> None:
        """Move rows to stricter or newly stated governance, then answer for the messages that said so."""
        done = self._extraction.apply_retags() if self._extraction.to_retag else frozenset()
        waiting, self._after_retag = self._after_retag, []
        for doc_id, ticket in waiting:
            if doc_id in done:
                self._leases.settle(ticket)
            else:
                self._after_retag.append((doc_id, ticket))

    # Stored documents

    def _reprocess(self, job: QueuedJob, ticket: Ticket) -> None:
        """Run a group of stored documents through the pipeline; the pool and the lake have nothing else to do."""

        def tend(_documents: int, _pages: int) -> None:
            self.alive_s = time.monotonic()
            self._leases.tend()
            self.figures.moment(self._extraction, self._leases, self.queue)

        run = self._extraction.run
        try:
            found = reprocess_documents(
                self.lake,
                job.doc_ids,
                pool=self._extraction.pool,
                pipeline=run.pipeline,
                run_id=run.run_id,
                on_wait=tend,
                stop=self.stop.is_set,
            )
        except LakeError as error:
            self._leases.hand_back(
                ticket, delay_s=self.config.worker.retry_delay_s, code=error.code, counted=False
            )
            self._lake_failed(error)
            return
        self._lake_failures = 0
        self._reprocessed += found
        for table, count in found.rows.items():
            self.figures.metrics.rows(table, count)
        log.info("job %s: %d documents reprocessed", job.job_id, found.done + found.partial)
        if found.left:
            self._leases.hand_back(ticket, delay_s=0.0, code="worker.stopped", counted=False)
            return
        if found.failures or found.changed:
            code = found.failures[0].code if found.failures else "lake.changed"
            kept = len(found.failures) + found.changed
            log.warning("job %s: %d documents keep their rows (%s)", job.job_id, kept, code)
            if ticket.delivery.attempt < self.config.worker.max_tries:
                self.figures.metrics.retried(code)
                self._leases.hand_back(ticket, delay_s=self._delay_s(ticket), code=code, counted=True)
                return
            self.figures.metrics.died(code)
            ticket.code = code
        self._leases.settle(ticket)

    # The end

    def _drain(self) -> None:
        """Finish what can be finished in time, hand back the rest, commit, answer."""
        extraction = self._extraction
        deadline_s = time.monotonic() + self.config.worker.drain_s
        for item in extraction.give_up():
            self._hand_back(item)
        while extraction.working() and time.monotonic() < deadline_s:
            extraction.step(0.25)
            for item in extraction.give_up():  # attachments of what was just read
                self._hand_back(item)
            self._leases.tend()
        for item in extraction.give_up(under_way=True):
            self._hand_back(item)
        try:
            extraction.flush()
            self._retag()
        except LakeError as error:
            log.warning("the last batch could not be committed (%s)", error.code)
        self._stored.clear()
        self._hand_back_all("worker.stopped")
        self._leases.tend()

    def _hand_back(self, item: Item, code: str = "worker.stopped") -> None:
        for ticket in (item.ticket, *self._joined.pop(item.doc_id, [])):
            if ticket is not None:
                self._leases.hand_back(ticket, delay_s=0.0, code=code, counted=False)

    def _hand_back_all(self, code: str) -> None:
        for ticket in list(self._leases.held.values()):
            self._leases.hand_back(ticket, delay_s=0.0, code=code, counted=False)


def _always(entry: Entry) -> Callable[[str, str], Entry]:
    return lambda _address, _doc_id: entry
