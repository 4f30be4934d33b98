"""The command line: one command, one call into the library.

Data goes to stdout, words for people to stderr. Expected errors print one
sentence and a hint, and exit with the code of their class.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from extractor import __version__
from extractor.errors import EXIT_BUG, EXIT_INTERRUPTED, ExtractorError

if TYPE_CHECKING:
    from extractor.config import Config
    from extractor.governance.policy import Access, Policy
    from extractor.lake.store import Lake


def _failures_speak(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print an expected error, or that somebody stopped the command, and leave with its exit code."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ExtractorError as error:
            from extractor.terminal import print_error

            print_error(str(error), error.hint)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Stopped. What was committed stays; the same command goes on from there.", err=True)
            sys.exit(EXIT_INTERRUPTED)

    return wrapped


_LAKE = click.option(
    "--lake",
    "lake_uri",
    required=True,
    envvar="EXTRACTOR_LAKE",
    metavar="URI",
    help="Folder or object-store URI.",
)
_CONFIG = click.option(
    "--config", "config_path", envvar="EXTRACTOR_CONFIG", metavar="FILE", help="Settings over the defaults."
)
_AS = click.option(
    "--as", "principal", required=True, envvar="EXTRACTOR_PRINCIPAL", metavar="PRINCIPAL", help="Who asks."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="extractor")
def main() -> None:
    """Life-science documents in, governed Delta tables out."""
    os.environ.setdefault("RUST_LOG", "off")  # delta-rs's own log lines; what fails comes as an exception


@main.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@_LAKE
@click.option("--manifest", metavar="FILE", help="Governance per document: CSV, Parquet or JSON lines.")
@_CONFIG
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@_JSON
@_failures_speak
def run(
    sources: tuple[str, ...],
    lake_uri: str,
    manifest: str | None,
    config_path: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Extract documents and commit their rows.

    SOURCE is files, folders, globs or object-store URIs; "-" reads addresses
    from stdin, one a line. Running it again on the same input adds nothing.
    """
    _start_early()
    from extractor import run as verb, terminal
    from extractor.governance.inventory import load_inventory
    from extractor.lake.store import Lake
    from extractor.sources import find_sources

    config, policy = _settings(config_path)
    inventory = load_inventory(
        policy, manifest=manifest, rules=[(rule.glob, rule.entry) for rule in config.inventory.rules]
    )
    found = find_sources(_addresses(sources), storage_options=config.sources.storage_options)
    with terminal.progress() as on_progress:
        tally, statistics = verb.run(
            found,
            Lake(lake_uri, config.lake),
            config=config,
            inventory=inventory,
            workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )
    terminal.print_tally(tally, statistics, as_json=as_json)
    if tally.bugs:
        sys.exit(EXIT_BUG)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@_CONFIG
@_JSON
@_failures_speak
def text(file: Path, config_path: str | None, as_json: bool) -> None:
    """Print the canonical text of one document."""
    _start_early()
    from extractor import terminal
    from extractor.inspection import inspect

    config, _ = _settings(config_path)
    terminal.print_text(inspect(file, config), as_json=as_json)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@_CONFIG
@click.option(
    "--html", "html", type=click.Path(path_type=Path), metavar="OUT", help="Write one self-contained page."
)
@click.option("--pages", type=click.IntRange(min=1), help="Show at most so many pages.")
@_failures_speak
def preview(file: Path, config_path: str | None, html: Path | None, pages: int | None) -> None:
    """Show entities and tables of one document, without a lake."""
    _start_early()
    from extractor import preview as verb
    from extractor.inspection import inspect

    config, _ = _settings(config_path)
    verb.preview(inspect(file, config), file, config=config, html=html, pages=pages)


@main.command()
@click.argument("row_id")
@_LAKE
@_AS
@_CONFIG
@click.option("--crop", type=click.Path(path_type=Path), metavar="OUT.png", help="Write the evidence image.")
@_JSON
@_failures_speak
def show(
    row_id: str, lake_uri: str, principal: str, config_path: str | None, crop: Path | None, as_json: bool
) -> None:
    """Show a row's chain of evidence, from value to page box to document digest.

    The first twelve characters of a row_id are enough.
    """
    from extractor import evidence

    lake, access, config = _door(lake_uri, principal, config_path)
    evidence.show(lake, access, row_id, config=config, crop=crop, as_json=as_json)


@main.command()
@click.argument("sql")
@_LAKE
@_AS
@_CONFIG
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
@_failures_speak
def query(
    sql: str, lake_uri: str, principal: str, config_path: str | None, output: str, file: Path | None
) -> None:
    """Ask the lake in SQL; only rows that the principal may see exist."""
    from extractor.lake.query import query as ask
    from extractor.terminal_rows import print_rows

    lake, access, _ = _door(lake_uri, principal, config_path)
    answer = ask(lake, access, sql)
    print_rows(answer.rows, output=output, file=file)
    if answer.documents_in_work:
        click.echo(f"{answer.documents_in_work} documents are left out: a writer is at them", err=True)


@main.command()
@click.option(
    "--lake", "lake_uri", envvar="EXTRACTOR_LAKE", metavar="URI", help="Count the rows of this lake."
)
@click.option(
    "--as", "principal", envvar="EXTRACTOR_PRINCIPAL", metavar="PRINCIPAL", help="Only what it may see."
)
@_CONFIG
@_JSON
@_failures_speak
def tables(lake_uri: str | None, principal: str | None, config_path: str | None, as_json: bool) -> None:
    """List the tables, their columns' meaning, and with --lake their rows."""
    from extractor import terminal

    config, policy = _settings(config_path)
    lake = None
    if lake_uri is not None:
        from extractor.lake.store import Lake

        lake = Lake(lake_uri, config.lake)
    access = policy.access(principal) if principal else None
    terminal.print_tables(lake, access, as_json=as_json)


@main.command()
@_LAKE
@_AS
@_CONFIG
@click.option("--status", type=click.Choice(["extracted", "partial", "quarantined", "withdrawn"]))
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@_JSON
@_failures_speak
def documents(
    lake_uri: str, principal: str, config_path: str | None, status: str | None, limit: int, as_json: bool
) -> None:
    """List documents with their state and governance."""
    from extractor import terminal
    from extractor.listing import list_documents

    lake, access, _ = _door(lake_uri, principal, config_path)
    terminal.print_documents(list_documents(lake, access, status=status, limit=limit), as_json=as_json)


@main.group()
def quarantine() -> None:
    """Documents, pages and rows that were refused."""


@quarantine.command("list")
@_LAKE
@_AS
@_CONFIG
@click.option("--code", help="Only this code.")
@_JSON
@_failures_speak
def quarantine_list(
    lake_uri: str, principal: str, config_path: str | None, code: str | None, as_json: bool
) -> None:
    """List what was refused, with code and hint."""
    from extractor import terminal
    from extractor.listing import list_quarantine

    lake, access, _ = _door(lake_uri, principal, config_path)
    terminal.print_quarantine(list_quarantine(lake, access, code=code), as_json=as_json)


@quarantine.command("retry")
@_LAKE
@_CONFIG
@click.option("--code", help="Only documents with this code.")
@click.option("--all", "everything", is_flag=True, help="Also what trying again is not expected to mend.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@_JSON
@_failures_speak
def quarantine_retry(
    lake_uri: str,
    config_path: str | None,
    code: str | None,
    everything: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Extract quarantined and partial documents again, from where they were found."""
    _start_early()
    from extractor import terminal
    from extractor.lake.store import Lake
    from extractor.retry import retry

    config, policy = _settings(config_path)
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
@_CONFIG
@click.option("--lake", "lake_uri", envvar="EXTRACTOR_LAKE", metavar="URI", help="Check this lake too.")
@_JSON
@_failures_speak
def check(config_path: str | None, lake_uri: str | None, as_json: bool) -> None:
    """Check configuration, policy, tools, weights and lake; exit 3 when something is missing."""
    from extractor import terminal
    from extractor.check import check_all

    findings = check_all(config_path, lake_uri)
    terminal.print_findings(findings, as_json=as_json)
    sys.exit(max((finding.exit_code for finding in findings), default=0))


@main.command()
@_LAKE
@_CONFIG
@_JSON
@_failures_speak
def verify(lake_uri: str, config_path: str | None, as_json: bool) -> None:
    """Check that the lake keeps its promises; exit 7 when it does not."""
    from extractor import terminal
    from extractor.errors import VerifyError
    from extractor.lake.store import Lake
    from extractor.lake.verify import verify as verify_lake

    config, policy = _settings(config_path)
    report = verify_lake(
        Lake(lake_uri, config.lake), class_order=policy.classes, scope_order=policy.consent_scopes
    )
    terminal.print_verification(report, as_json=as_json)
    if report.findings:
        raise VerifyError(f"{len(report.findings)} kinds of findings")


@main.command()
@_LAKE
@_CONFIG
@_JSON
@_failures_speak
def maintain(lake_uri: str, config_path: str | None, as_json: bool) -> None:
    """Compact small files and remove those nobody refers to any more."""
    from extractor import terminal
    from extractor.lake.maintain import maintain as maintain_lake
    from extractor.lake.store import Lake

    config, _ = _settings(config_path)
    terminal.print_maintenance(
        maintain_lake(Lake(lake_uri, config.lake), run_id=uuid4().hex), as_json=as_json
    )


def _start_early() -> None:
    """Let the libraries of the worker processes load while this process loads its own."""
    from extractor.isolation import start_fork_server

    start_fork_server()


def _settings(config_path: str | None) -> tuple[Config, Policy]:
    from extractor.config import load_config, policy_path
    from extractor.governance.policy import load_policy

    config = load_config(config_path)
    return config, load_policy(policy_path(config, config_path))


def _door(lake_uri: str, principal: str, config_path: str | None) -> tuple[Lake, Access, Config]:
    from extractor.lake.store import Lake

    config, policy = _settings(config_path)
    return Lake(lake_uri, config.lake), policy.access(principal), config


def _addresses(sources: tuple[str, ...]) -> list[str]:
    if sources != ("-",):
        return list(sources)
    return [line.rstrip("\n") for line in sys.stdin if line.strip()]


if __name__ == "__main__":
    main()
