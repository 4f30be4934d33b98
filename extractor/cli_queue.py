"""The commands around a queue: ``enqueue``, ``worker`` and ``queue``."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from types import FrameType

import click

from extractor.cli_options import (
    AS_JSON,
    CONFIG,
    LAKE,
    MANIFEST,
    failures_speak,
    inventory_of,
    settings,
    start_early,
)
from extractor.delivery import DEFAULT_TENANT, PRIORITIES, Priority
from extractor.ports import Queue

QUEUE = click.option(
    "--queue",
    "queue_url",
    required=True,
    envvar="EXTRACTOR_QUEUE",
    metavar="URL",
    help="sqlite:///FILE, postgresql://, amqp://, redis:// or sqs://; docs/queues.md.",
)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@QUEUE
@MANIFEST
@CONFIG
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Who sends; tenants take turns.")
@click.option("--priority", type=click.Choice(list(PRIORITIES)), default="normal", show_default=True)
@AS_JSON
@failures_speak
def enqueue(
    sources: tuple[str, ...],
    queue_url: str,
    manifest: str | None,
    config_path: str | None,
    tenant: str,
    priority: Priority,
    as_json: bool,
) -> None:
    """Put documents into a queue for workers to extract.

    SOURCE is files, folders, globs or object-store URIs that the workers can
    reach under the same address.
    """
    from extractor.enqueue import enqueue as put
    from extractor.queues.opening import open_queue
    from extractor.sources import find_sources

    config, policy = settings(config_path)
    found = find_sources(list(sources), storage_options=config.sources.storage_options)
    inventory = inventory_of(config, policy, manifest)
    queue = open_queue(queue_url, plugins=config.plugins)
    try:
        added = put(found, queue, inventory=inventory, tenant=tenant, priority=priority)
    finally:
        queue.close()
    waiting = len(found) - added
    if as_json:
        click.echo(json.dumps({"seen": len(found), "added": added, "waiting": waiting}))
    else:
        click.echo(f"{added} documents added" + (f", {waiting} wait already" if waiting else ""))


@click.command()
@QUEUE
@LAKE
@MANIFEST
@CONFIG
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@click.option("--until-empty", is_flag=True, help="End when the queue holds nothing more.")
@AS_JSON
@failures_speak
def worker(
    queue_url: str,
    lake_uri: str,
    manifest: str | None,
    config_path: str | None,
    workers: int | None,
    until_empty: bool,
    as_json: bool,
) -> None:
    """Take documents from a queue, extract them, commit their rows, acknowledge.

    SIGTERM or Ctrl-C: finishes or hands back what it holds within worker.drain_s.
    A second one stops at once; what was held comes again when its lease ends.
    """
    start_early()
    from extractor import __version__, terminal
    from extractor.figures import Figures
    from extractor.lake.store import Lake
    from extractor.queues.opening import open_queue
    from extractor.telemetry.endpoint import Endpoint
    from extractor.telemetry.logs import configure
    from extractor.telemetry.metrics import Metrics
    from extractor.telemetry.traces import open_tracer
    from extractor.worker import Work

    config, policy = settings(config_path)
    told = config.telemetry
    configure(config.log_level, told.log_format, sys.stderr)
    stop = threading.Event()
    figures = Figures(metrics=Metrics(), tracer=open_tracer(told.traces, code_version=__version__))
    work = Work(
        queue=open_queue(queue_url, plugins=config.plugins),
        lake=Lake(lake_uri, config.lake),
        config=config,
        inventory=inventory_of(config, policy, manifest),
        size=workers or os.cpu_count() or 1,
        stop=stop,
        figures=figures,
        until_empty=until_empty,
    )
    _stop_on_signals(stop)
    endpoint = Endpoint(
        told.host, told.port, metrics=figures.metrics, is_alive=work.is_alive, readiness=work.conditions
    )
    try:
        with endpoint if told.port else nullcontext():
            tally, statistics = work.run()
    finally:
        figures.tracer.close()
        work.queue.close()
    terminal.print_tally(tally, statistics, as_json=as_json)


def _stop_on_signals(stop: threading.Event) -> None:
    """The first SIGTERM or SIGINT asks for an end, the second one is not waited for."""

    def asked(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    signal.signal(signal.SIGTERM, asked)
    signal.signal(signal.SIGINT, asked)


@contextmanager
def _opened(queue_url: str, config_path: str | None) -> Iterator[Queue]:
    from extractor.queues.opening import open_queue

    config, _ = settings(config_path)
    with closing(open_queue(queue_url, plugins=config.plugins)) as opened:
        yield opened


@click.group()
def queue() -> None:
    """What a queue holds, and its dead letters."""


@queue.command("status")
@QUEUE
@CONFIG
@AS_JSON
@failures_speak
def queue_status(queue_url: str, config_path: str | None, as_json: bool) -> None:
    """Count the messages: ready, delayed, leased, dead."""
    from dataclasses import asdict

    with _opened(queue_url, config_path) as opened:
        status = opened.status()
    figures = asdict(status)
    if as_json:
        click.echo(json.dumps(figures))
        return
    tenants = figures.pop("tenants")
    for name, value in figures.items():
        told = "not told by this broker" if value is None and name != "oldest_s" else value
        click.echo(f"{name:<9} {'-' if told is None else told}")
    for name, value in sorted(tenants.items()):
        click.echo(f"tenant {name}: {value} ready")


@queue.command("dead")
@QUEUE
@CONFIG
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@AS_JSON
@failures_speak
def queue_dead(queue_url: str, config_path: str | None, limit: int, as_json: bool) -> None:
    """List dead letters: ids and codes, never addresses."""
    from dataclasses import asdict

    with _opened(queue_url, config_path) as opened:
        letters = opened.dead_letters(limit)
    if as_json:
        click.echo(json.dumps([{**asdict(one), "died_at": one.died_at.isoformat()} for one in letters]))
        return
    for one in letters:
        click.echo(
            f"{one.job_id[:12]}  {one.code:<24} {one.attempts} tries  {one.tenant}  {one.priority}  "
            f"{one.died_at:%Y-%m-%d %H:%M:%S}"
        )
    click.echo(f"{len(letters)} dead letters", err=True)


@queue.command("retry")
@QUEUE
@CONFIG
@click.option("--code", help="Only dead letters with this code.")
@failures_speak
def queue_retry(queue_url: str, config_path: str | None, code: str | None) -> None:
    """Put dead letters back as new work."""
    with _opened(queue_url, config_path) as opened:
        click.echo(f"{opened.retry_dead(code=code)} messages put back")


@queue.command("purge")
@QUEUE
@CONFIG
@click.option("--dead", is_flag=True, help="The dead letters instead of what waits.")
@click.confirmation_option(prompt="Remove these messages for good?")
@failures_speak
def queue_purge(queue_url: str, config_path: str | None, dead: bool) -> None:
    """Remove what waits, or the dead letters; what a worker holds stays."""
    with _opened(queue_url, config_path) as opened:
        click.echo(f"{opened.purge(dead=dead)} messages removed")
