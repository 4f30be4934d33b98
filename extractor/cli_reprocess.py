"""The commands around better models: ``reprocess`` and ``rollback``."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import click

from extractor.cli_options import AS_JSON, CONFIG, LAKE, failures_speak, settings, start_early
from extractor.errors import EXIT_BUG, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from extractor.config import Config
    from extractor.governance.policy import Access, Policy
    from extractor.lake.selection import Which
    from extractor.lake.store import Lake

_EXAMPLES = 3
"""Rows of each kind of change that a trial shows to whoever may see them."""


@click.command()
@LAKE
@CONFIG
@click.option("--where", metavar="SQL", help="A predicate over the columns of documents.")
@click.option("--model", metavar="NAME[@VERSION]", help="Documents with a row that this model made.")
@click.option("--pipeline", metavar="VERSION", help="Documents of this pipeline_version.")
@click.option("--type", "entity_type", metavar="TYPE", help="Documents with an entity of this type.")
@click.option("--score-below", type=float, metavar="X", help="Documents with an entity scored below this.")
@click.option("--classification", metavar="CLASS", help="Documents of this class.")
@click.option("--study", metavar="STUDY", help="Documents of this study.")
@click.option("--since", metavar="DATE", help="Extracted then or later; ISO 8601, UTC.")
@click.option("--until", metavar="DATE", help="Extracted until then, a day included.")
@click.option("--tables", metavar="LIST", help="Tables to replace.  [default: entities,relations]")
@click.option(
    "--model-version", metavar="NAME/VERSION", help="This version instead of the one the lake promoted."
)
@click.option("--ocr", is_flag=True, help="Read the documents themselves again, where they still are.")
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@click.option(
    "--sample", type=click.IntRange(min=0), help="Documents of a dry run; 0 for all.  [default: 200]"
)
@click.option(
    "--as",
    "principal",
    envvar="EXTRACTOR_PRINCIPAL",
    metavar="PRINCIPAL",
    help="Show examples in a dry run, as far as PRINCIPAL may see them.",
)
@click.option("--engine", type=click.Choice(["local", "queue", "ray"]), default="local", show_default=True)
@click.option("--queue", "queue_url", envvar="EXTRACTOR_QUEUE", metavar="URL", help="For --engine queue.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many documents.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@AS_JSON
@failures_speak
def reprocess(
    lake_uri: str,
    config_path: str | None,
    where: str | None,
    model: str | None,
    pipeline: str | None,
    entity_type: str | None,
    score_below: float | None,
    classification: str | None,
    study: str | None,
    since: str | None,
    until: str | None,
    tables: str | None,
    model_version: str | None,
    ocr: bool,
    dry_run: bool,
    sample: int | None,
    principal: str | None,
    engine: Literal["local", "queue", "ray"],
    queue_url: str | None,
    limit: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Run stored documents through the configured models, without opening them again.

    All that is asked of a document must hold; nothing asked means all of them.
    Rows that people reviewed stay. The same command after a crash goes on where
    it was; `extractor rollback` takes it back.
    """
    named = {"--tables": tables, "--model-version": model_version}
    _check(engine, ocr=ocr, dry_run=dry_run, sample=sample, queue_url=queue_url, named=named)
    if engine == "local":
        start_early()
    from extractor.lake.selection import Which
    from extractor.lake.store import Lake
    from extractor.promotion import with_promoted

    config, policy = settings(config_path)
    which = Which(
        where=where,
        model=model,
        pipeline=pipeline,
        entity_type=entity_type,
        score_below=score_below,
        classification=classification,
        study=study,
        since=_moment(since, "--since"),
        until=_moment(until, "--until", end_of_day=True),
    )
    lake = Lake(lake_uri, config.lake)
    if engine == "queue":
        _enqueue(lake, config, which, queue_url or "", limit, as_json=as_json)
        return
    config = with_promoted(config, lake, told=model_version)
    if ocr:
        _reread(lake, config, policy, which, limit, workers, as_json=as_json)
        return
    replaced = _tables(tables)
    if dry_run:
        access = policy.access(principal) if principal else None
        _try_out(lake, config, which, replaced, limit, workers, sample, access, as_json=as_json)
        return
    _reprocess(lake, config, which, replaced, limit, workers, engine, as_json=as_json)


@click.command()
@click.argument("run_id", metavar="RUN")
@LAKE
@CONFIG
@AS_JSON
@failures_speak
def rollback(run_id: str, lake_uri: str, config_path: str | None, as_json: bool) -> None:
    """Put back the rows that a run replaced, under today's governance.

    RUN is a run_id, as `extractor reprocess` says it and the table runs lists
    it. Documents that another run wrote since stay as they are, and so do rows
    that people reviewed since.
    """
    from extractor.lake.store import Lake
    from extractor.reprocess import roll_back
    from extractor.terminal_reprocess import print_rollback

    config, _ = settings(config_path)
    done, run = roll_back(Lake(lake_uri, config.lake), run_id, config=config)
    print_rollback(done, run_id=run.run_id, as_json=as_json)


def _check(
    engine: str,
    *,
    ocr: bool,
    dry_run: bool,
    sample: int | None,
    queue_url: str | None,
    named: dict[str, str | None],
) -> None:
    """Refuse options that contradict one another.

    Raises:
        ConfigError: they do.
    """
    if engine != "local" and (ocr or dry_run):
        raise ConfigError(f"--engine {engine} goes neither with --ocr nor with --dry-run")
    if ocr and dry_run:
        raise ConfigError("--ocr cannot be tried out: reading documents again is all of the work")
    if sample is not None and not dry_run:
        raise ConfigError("--sample goes with --dry-run")
    if engine == "queue":
        if not queue_url:
            raise ConfigError("--engine queue needs --queue URL")
        if given := [name for name, value in named.items() if value is not None]:
            raise ConfigError(f"{', '.join(given)}: with --engine queue the workers' settings decide")
    if ocr and named["--tables"] is not None:
        raise ConfigError("--ocr replaces all tables: --tables does not go with it")


def _tables(names: str | None) -> tuple[str, ...]:
    from extractor.reprocess import REPLACED

    if names is None:
        return REPLACED
    return tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def _moment(value: str | None, option: str, *, end_of_day: bool = False) -> datetime | None:
    """A moment in UTC; of a mere date its beginning, or its end."""
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{option} is no ISO 8601 date or time") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight + timedelta(days=1) if end_of_day else midnight


def _told(show: Callable[..., None]) -> Callable[[int, int, int], None]:
    from extractor.run import Progress

    def told(finished: int, known: int, pages: int) -> None:
        show(Progress(finished=finished, known=known, pages=pages))

    return told


def _reprocess(
    lake: Lake,
    config: Config,
    which: Which,
    tables: tuple[str, ...],
    limit: int | None,
    workers: int | None,
    engine: Literal["local", "ray"],
    *,
    as_json: bool,
) -> None:
    from extractor import terminal
    from extractor.reprocess import reprocess as verb
    from extractor.terminal_reprocess import print_report

    with terminal.progress() as on_progress:
        report = verb(
            lake,
            config=config,
            which=which,
            tables=tables,
            limit=limit,
            workers=workers,
            engine=engine,
            on_progress=_told(on_progress),
        )
    print_report(report, as_json=as_json)
    if report.tally.bugs:
        sys.exit(EXIT_BUG)


def _try_out(
    lake: Lake,
    config: Config,
    which: Which,
    tables: tuple[str, ...],
    limit: int | None,
    workers: int | None,
    sample: int | None,
    access: Access | None,
    *,
    as_json: bool,
) -> None:
    from extractor import terminal
    from extractor.reprocess import try_out
    from extractor.reprocess.trial import SAMPLE
    from extractor.terminal_reprocess import print_trial

    with terminal.progress() as on_progress:
        trial = try_out(
            lake,
            config=config,
            which=which,
            tables=tables,
            limit=limit,
            workers=workers,
            sample=SAMPLE if sample is None else sample,
            examples=_EXAMPLES if access else 0,
            access=access,
            on_progress=_told(on_progress),
        )
    print_trial(trial, as_json=as_json)


def _reread(
    lake: Lake,
    config: Config,
    policy: Policy,
    which: Which,
    limit: int | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    from extractor import terminal
    from extractor.reprocess import reread
    from extractor.terminal_reprocess import print_reread

    with terminal.progress() as on_progress:
        found = reread(
            lake,
            config=config,
            policy=policy,
            which=which,
            limit=limit,
            workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )
    print_reread(found, as_json=as_json)
    if found.tally.bugs:
        sys.exit(EXIT_BUG)


def _enqueue(
    lake: Lake, config: Config, which: Which, queue_url: str, limit: int | None, *, as_json: bool
) -> None:
    from extractor.queues.opening import open_queue
    from extractor.reprocess import enqueue_reprocess

    queue = open_queue(queue_url, plugins=config.plugins)
    try:
        documents, added = enqueue_reprocess(lake, queue, config=config, which=which, limit=limit)
    finally:
        queue.close()
    if as_json:
        click.echo(json.dumps({"documents": documents, "messages": added}))
    else:
        click.echo(f"{documents} documents in {added} messages added")
