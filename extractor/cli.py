"""The command line: one command, one call into the library.

Data goes to stdout, words for people to stderr. Expected errors print one
sentence and a hint, and exit with the code of their class.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal
from uuid import uuid4

import click

from extractor import __version__
from extractor.cli_evaluate import evaluate
from extractor.cli_lake import contributed, diff, snapshot
from extractor.cli_models import models
from extractor.cli_options import (
    AS_JSON,
    AS_PRINCIPAL,
    CONFIG,
    LAKE,
    MANIFEST,
    SNAPSHOT,
    door,
    failures_speak,
    inventory_of,
    settings,
    start_early,
)
from extractor.cli_queue import enqueue, queue, worker
from extractor.cli_reprocess import reprocess, rollback
from extractor.cli_train import train
from extractor.cli_vocabulary import vocab
from extractor.errors import EXIT_BUG


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="extractor")
def main() -> None:
    """Life-science documents in, governed Delta tables out."""
    os.environ.setdefault("RUST_LOG", "off")  # delta-rs's own log lines; what fails comes as an exception


@main.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@LAKE
@MANIFEST
@CONFIG
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Work on this machine, or on Ray.",
)
@AS_JSON
@failures_speak
def run(
    sources: tuple[str, ...],
    lake_uri: str,
    manifest: str | None,
    config_path: str | None,
    workers: int | None,
    engine: Literal["local", "ray"],
    as_json: bool,
) -> None:
    """Extract documents and commit their rows.

    SOURCE is files, folders, globs or object-store URIs; "-" reads addresses
    from stdin, one a line. Running it again on the same input adds nothing.
    """
    if engine == "local":
        start_early()
    from extractor import run as verb, terminal
    from extractor.lake.store import Lake
    from extractor.sources import find_sources

    config, policy = settings(config_path)
    inventory = inventory_of(config, policy, manifest)
    found = find_sources(_addresses(sources), storage_options=config.sources.storage_options)
    with terminal.progress() as on_progress:
        tally, statistics = verb.run(
            found,
            Lake(lake_uri, config.lake),
            config=config,
            inventory=inventory,
            workers=workers,
            engine=engine,
            on_progress=on_progress,
        )
    terminal.print_tally(tally, statistics, as_json=as_json)
    terminal.print_unmatched(inventory.unmatched())
    if tally.bugs:
        sys.exit(EXIT_BUG)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@CONFIG
@AS_JSON
@failures_speak
def text(file: Path, config_path: str | None, as_json: bool) -> None:
    """Print the canonical text of one document."""
    start_early()
    from extractor import terminal
    from extractor.inspection import inspect

    config, _ = settings(config_path)
    terminal.print_text(inspect(file, config), as_json=as_json)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@CONFIG
@click.option(
    "--html", "html", type=click.Path(path_type=Path), metavar="OUT", help="Write one self-contained page."
)
@click.option("--pages", type=click.IntRange(min=1), help="Show at most so many pages.")
@failures_speak
def preview(file: Path, config_path: str | None, html: Path | None, pages: int | None) -> None:
    """Show entities and tables of one document, without a lake."""
    start_early()
    from extractor import preview as verb
    from extractor.inspection import inspect

    config, _ = settings(config_path)
    verb.preview(inspect(file, config), file, config=config, html=html, pages=pages)


@main.command()
@click.argument("row_id")
@LAKE
@AS_PRINCIPAL
@SNAPSHOT
@CONFIG
@click.option("--crop", type=click.Path(path_type=Path), metavar="OUT.png", help="Write the evidence image.")
@AS_JSON
@failures_speak
def show(
    row_id: str,
    lake_uri: str,
    principal: str,
    snapshot: str | None,
    config_path: str | None,
    crop: Path | None,
    as_json: bool,
) -> None:
    """Show a row's chain of evidence, from value to page box to document digest.

    The first twelve characters of a row_id are enough.
    """
    from extractor import evidence

    lake, access, config = door(lake_uri, principal, config_path, snapshot)
    evidence.show(lake, access, row_id, config=config, crop=crop, as_json=as_json)


@main.command()
@click.argument("sql")
@LAKE
@AS_PRINCIPAL
@SNAPSHOT
@CONFIG
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
)
@click.option(
    "--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write there, not to stdout."
)
@failures_speak
def query(
    sql: str,
    lake_uri: str,
    principal: str,
    snapshot: str | None,
    config_path: str | None,
    output: str,
    file: Path | None,
) -> None:
    """Ask the lake in SQL; only rows that the principal may see exist."""
    from extractor.lake.query import query as ask
    from extractor.terminal_rows import print_rows

    lake, access, _ = door(lake_uri, principal, config_path, snapshot)
    answer = ask(lake, access, sql)
    print_rows(answer.rows, output=output, file=file)
    if answer.documents_in_work:
        then = "" if snapshot is None else ", or was when the snapshot was made"
        click.echo(f"{answer.documents_in_work} documents are left out: a writer is at them{then}", err=True)


@main.command()
@click.option(
    "--lake", "lake_uri", envvar="EXTRACTOR_LAKE", metavar="URI", help="Count the rows of this lake."
)
@click.option(
    "--as", "principal", envvar="EXTRACTOR_PRINCIPAL", metavar="PRINCIPAL", help="Only what it may see."
)
@SNAPSHOT
@CONFIG
@AS_JSON
@failures_speak
def tables(
    lake_uri: str | None, principal: str | None, snapshot: str | None, config_path: str | None, as_json: bool
) -> None:
    """List the tables, their columns' meaning, and with --lake their rows."""
    from extractor import terminal

    config, policy = settings(config_path)
    lake = None
    if lake_uri is not None:
        from extractor.lake.store import Lake

        lake = Lake(lake_uri, config.lake).at(snapshot)
    elif snapshot is not None:
        raise click.UsageError("--snapshot needs --lake")
    access = policy.access(principal) if principal else None
    terminal.print_tables(lake, access, as_json=as_json)


@main.command()
@LAKE
@AS_PRINCIPAL
@SNAPSHOT
@CONFIG
@click.option("--status", type=click.Choice(["extracted", "partial", "quarantined", "withdrawn"]))
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@AS_JSON
@failures_speak
def documents(
    lake_uri: str,
    principal: str,
    snapshot: str | None,
    config_path: str | None,
    status: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List documents with their state and governance."""
    from extractor import terminal
    from extractor.listing import list_documents

    lake, access, _ = door(lake_uri, principal, config_path, snapshot)
    terminal.print_documents(list_documents(lake, access, status=status, limit=limit), as_json=as_json)


@main.group()
def quarantine() -> None:
    """Documents, pages and rows that were refused."""


@quarantine.command("list")
@LAKE
@AS_PRINCIPAL
@SNAPSHOT
@CONFIG
@click.option("--code", help="Only this code.")
@AS_JSON
@failures_speak
def quarantine_list(
    lake_uri: str,
    principal: str,
    snapshot: str | None,
    config_path: str | None,
    code: str | None,
    as_json: bool,
) -> None:
    """List what was refused, with code and hint."""
    from extractor import terminal
    from extractor.listing import list_quarantine

    lake, access, _ = door(lake_uri, principal, config_path, snapshot)
    terminal.print_quarantine(list_quarantine(lake, access, code=code), as_json=as_json)


@quarantine.command("retry")
@LAKE
@CONFIG
@click.option("--code", help="Only documents with this code.")
@click.option("--all", "everything", is_flag=True, help="Also what trying again is not expected to mend.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@AS_JSON
@failures_speak
def quarantine_retry(
    lake_uri: str,
    config_path: str | None,
    code: str | None,
    everything: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Extract quarantined and partial documents again, from where they were found."""
    start_early()
    from extractor import terminal
    from extractor.lake.store import Lake
    from extractor.retry import retry

    config, policy = settings(config_path)
    with terminal.progress() as on_progress:
        tally, statistics = retry(
            Lake(lake_uri, config.lake),
            config=config,
            policy=policy,
            code=code,
            everything=everything,
            workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )
    terminal.print_tally(tally, statistics, as_json=as_json)


@main.command()
@CONFIG
@click.option("--lake", "lake_uri", envvar="EXTRACTOR_LAKE", metavar="URI", help="Check this lake too.")
@AS_JSON
@failures_speak
def check(config_path: str | None, lake_uri: str | None, as_json: bool) -> None:
    """Check configuration, policy, tools, weights and lake; exit 3 when something is missing."""
    from extractor import terminal
    from extractor.check import check_all

    findings = check_all(config_path, lake_uri)
    terminal.print_findings(findings, as_json=as_json)
    sys.exit(max((finding.exit_code for finding in findings), default=0))


@main.command()
@LAKE
@SNAPSHOT
@CONFIG
@AS_JSON
@failures_speak
def verify(lake_uri: str, snapshot: str | None, config_path: str | None, as_json: bool) -> None:
    """Check that the lake keeps its promises; exit 7 when it does not."""
    from extractor import terminal
    from extractor.errors import VerifyError
    from extractor.lake.store import Lake
    from extractor.lake.verify import verify as verify_lake

    config, policy = settings(config_path)
    report = verify_lake(
        Lake(lake_uri, config.lake).at(snapshot),
        class_order=policy.classes,
        scope_order=policy.consent_scopes,
    )
    terminal.print_verification(report, as_json=as_json)
    if report.findings:
        raise VerifyError(f"{len(report.findings)} kinds of findings")


@main.command()
@LAKE
@CONFIG
@AS_JSON
@failures_speak
def maintain(lake_uri: str, config_path: str | None, as_json: bool) -> None:
    """Compact small files and remove those nobody refers to any more."""
    from extractor import terminal
    from extractor.lake.maintain import maintain as maintain_lake
    from extractor.lake.store import Lake

    config, _ = settings(config_path)
    terminal.print_maintenance(
        maintain_lake(Lake(lake_uri, config.lake), run_id=uuid4().hex), as_json=as_json
    )


main.add_command(enqueue)
main.add_command(worker)
main.add_command(queue)
main.add_command(reprocess)
main.add_command(rollback)
main.add_command(snapshot)
main.add_command(diff)
main.add_command(contributed)
main.add_command(evaluate)
main.add_command(models)
main.add_command(train)
main.add_command(vocab)


def _addresses(sources: tuple[str, ...]) -> list[str]:
    if sources != ("-",):
        return list(sources)
    return [line.rstrip("\n") for line in sys.stdin if line.strip()]


if __name__ == "__main__":
    main()
