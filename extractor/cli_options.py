"""What the commands share: options, settings, and how a failure speaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from extractor.errors import EXIT_BUG, EXIT_INTERRUPTED, ExtractorError

if TYPE_CHECKING:
    from types import TracebackType

    from extractor.config import Config
    from extractor.governance.inventory import Inventory
    from extractor.governance.policy import Access, Policy
    from extractor.lake.store import Lake


def failures_speak(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print an expected error, a bug's place, or that somebody stopped the command; leave with its exit code."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with _BugsSpeak():
                return command(*args, **kwargs)
        except ExtractorError as error:
            from extractor.terminal import print_error

            print_error(str(error), error.hint)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Stopped. What was committed stays; the same command goes on from there.", err=True)
            sys.exit(EXIT_INTERRUPTED)

    return wrapped


class _BugsSpeak:
    """Ends the process with ``EXIT_BUG`` on what nobody expects; says where, never what: it could quote a document.

    What click turns into words or codes of its own passes: usage errors, a
    reader of the output that went away.
    """

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        own = (ExtractorError, click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)
        if not isinstance(error, Exception) or isinstance(error, own):
            return
        from extractor.telemetry.logs import frames_of

        click.echo(f"[bug.{type(error).__name__}] {frames_of(error)}", err=True)
        click.echo("Developer: the line above is the traceback of a bug in the extractor.", err=True)
        raise SystemExit(EXIT_BUG) from None


LAKE = click.option(
    "--lake",
    "lake_uri",
    required=True,
    envvar="EXTRACTOR_LAKE",
    metavar="URI",
    help="Folder or object-store URI.",
)
CONFIG = click.option(
    "--config", "config_path", envvar="EXTRACTOR_CONFIG", metavar="FILE", help="Settings over the defaults."
)
MANIFEST = click.option(
    "--manifest", metavar="FILE", help="Governance per document: CSV, Parquet or JSON lines."
)
AS_PRINCIPAL = click.option(
    "--as", "principal", required=True, envvar="EXTRACTOR_PRINCIPAL", metavar="PRINCIPAL", help="Who asks."
)
SNAPSHOT = click.option(
    "--snapshot", metavar="NAME", help="The lake as of this snapshot, under today's governance."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def start_early() -> None:
    """Let the libraries of the worker processes load while this process loads its own."""
    from extractor.isolation import start_fork_server

    start_fork_server()


def settings(config_path: str | None) -> tuple[Config, Policy]:
    """The settings of a deployment and its policy."""
    from extractor.config import load_config, policy_path
    from extractor.governance.policy import load_policy

    config = load_config(config_path)
    return config, load_policy(policy_path(config, config_path))


def inventory_of(config: Config, policy: Policy, manifest: str | None) -> Inventory:
    """The inventory of a command: its manifest, then the rules of the settings."""
    from extractor.governance.inventory import load_inventory

    rules = [(rule.glob, rule.entry) for rule in config.inventory.rules]
    return load_inventory(policy, manifest=manifest, rules=rules)


def door(
    lake_uri: str, principal: str, config_path: str | None, snapshot: str | None = None
) -> tuple[Lake, Access, Config]:
    """A lake, now or as of a snapshot, as one principal may see it, and the settings."""
    from extractor.lake.store import Lake

    config, policy = settings(config_path)
    access = policy.access(principal)
    return Lake(lake_uri, config.lake).at(snapshot), access, config
