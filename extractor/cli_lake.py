"""The commands around states of the lake: ``snapshot``, ``diff`` and ``contributed``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from extractor.cli_options import AS_JSON, AS_PRINCIPAL, CONFIG, LAKE, door, failures_speak

if TYPE_CHECKING:
    from extractor.governance.policy import Access

NOTE = click.option("--note", metavar="TEXT", help="Why; kept in the table snapshots. No document content.")


@click.group()
def snapshot() -> None:
    """Named states of the lake, which maintenance keeps until they are dropped."""


@snapshot.command("create")
@click.argument("name")
@LAKE
@AS_PRINCIPAL
@NOTE
@CONFIG
@AS_JSON
@failures_speak
def snapshot_create(
    name: str, lake_uri: str, principal: str, note: str | None, config_path: str | None, as_json: bool
) -> None:
    """Give the newest complete state of all tables a name.

    NAME is up to 64 of a-z, 0-9, "_", "." and "-". Documents that a writer is
    at are left out of it for good.
    """
    from extractor.lake.snapshots import create_snapshot
    from extractor.terminal_states import print_snapshots

    lake, access, _ = door(lake_uri, principal, config_path)
    _check_operator(access)
    print_snapshots([create_snapshot(lake, name, by=principal, note=note)], as_json=as_json)


@snapshot.command("list")
@LAKE
@AS_PRINCIPAL
@CONFIG
@AS_JSON
@failures_speak
def snapshot_list(lake_uri: str, principal: str, config_path: str | None, as_json: bool) -> None:
    """List the snapshots that were not dropped."""
    from extractor.lake.snapshots import live_snapshots
    from extractor.terminal_states import print_snapshots

    lake, access, _ = door(lake_uri, principal, config_path)
    _check_operator(access)
    lake.require()
    print_snapshots(live_snapshots(lake), as_json=as_json)


@snapshot.command("drop")
@click.argument("name")
@LAKE
@AS_PRINCIPAL
@NOTE
@CONFIG
@failures_speak
def snapshot_drop(
    name: str, lake_uri: str, principal: str, note: str | None, config_path: str | None
) -> None:
    """Take a name back; `extractor maintain` may then remove what only that state needs."""
    from extractor.lake.snapshots import drop_snapshot

    lake, access, _ = door(lake_uri, principal, config_path)
    _check_operator(access)
    drop_snapshot(lake, name, by=principal, note=note)
    click.echo(f"snapshot {name} is dropped", err=True)


@click.command()
@click.option("--from", "before", required=True, metavar="STATE", help="The state before.")
@click.option("--to", "after", default="now", show_default=True, metavar="STATE", help="The state after.")
@LAKE
@AS_PRINCIPAL
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table; may be repeated.")
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Rows of each kind of change.",
)
@CONFIG
@AS_JSON
@failures_speak
def diff(
    before: str,
    after: str,
    lake_uri: str,
    principal: str,
    tables: tuple[str, ...],
    examples: int,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Compare two states of the lake, in the rows that the principal may see.

    STATE is the name of a snapshot, a time in ISO 8601 (UTC unless it says
    otherwise), "now", or versions of tables such as entities@12.
    """
    from extractor.lake.comparison import compare_states
    from extractor.lake.states import state
    from extractor.terminal_states import print_difference

    lake, access, _ = door(lake_uri, principal, config_path)
    found = compare_states(state(lake, before), state(lake, after), access, tables=tables, examples=examples)
    print_difference(found, as_json=as_json)


@click.command()
@click.option("--snapshot", "name", metavar="NAME", help="The snapshot to tell about.")
@click.option(
    "--lake", "lake_uri", envvar="EXTRACTOR_LAKE", metavar="URI", help="Folder or object-store URI."
)
@click.option("--as", "principal", envvar="EXTRACTOR_PRINCIPAL", metavar="PRINCIPAL", help="Who asks.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    envvar="EXTRACTOR_SIGNING_KEY",
    metavar="FILE",
    help="Sign with the Ed25519 private key in this PEM file.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write there, not to stdout.")
@click.option(
    "--verify",
    "manifest",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check this manifest; with --lake also against its snapshot there.",
)
@click.option(
    "--public-key", type=click.Path(path_type=Path), metavar="FILE", help="Whose signature it must bear, PEM."
)
@CONFIG
@failures_speak
def contributed(
    name: str | None,
    lake_uri: str | None,
    principal: str | None,
    key: Path | None,
    output: Path | None,
    manifest: Path | None,
    public_key: Path | None,
    config_path: str | None,
) -> None:
    """Write what contributed to a snapshot as a signed manifest, or check one.

    Documents by id, models, runs, versions and digests: the same snapshot
    always gives the same bytes. Only for principals that may see everything.
    """
    if manifest is not None:
        if name is not None or output is not None:
            raise click.UsageError("--verify takes neither --snapshot nor --output")
        _verify(manifest, public_key, lake_uri, principal, config_path)
        return
    if name is None or lake_uri is None or principal is None:
        raise click.UsageError("--snapshot, --lake and --as are needed, or --verify")
    if public_key is not None:
        raise click.UsageError("--public-key goes with --verify; --key signs")
    from extractor.lake.contributed import contributed as body_of, manifest_bytes

    lake, access, _ = door(lake_uri, principal, config_path)
    content = manifest_bytes(body_of(lake, access, name), key=key)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        _write(output, content)
    if key is None:
        click.echo("not signed: no --key, so nobody answers for this manifest", err=True)


def _verify(
    manifest: Path,
    public_key: Path | None,
    lake_uri: str | None,
    principal: str | None,
    config_path: str | None,
) -> None:
    from extractor.lake.contributed import check_against_lake, check_manifest

    if lake_uri is not None and principal is None:
        raise click.UsageError("--lake needs --as: the manifest is made again to compare")
    body, signature = check_manifest(_read(manifest), public_key=public_key)
    said = "whole"
    if public_key is not None and signature is not None:
        said = f"signed by key {signature.key_id[:16]}"
    elif signature is not None:
        said = "whole; signed, but not checked by whom: no --public-key"
    else:
        said = "whole; not signed"
    if lake_uri is not None and principal is not None:
        lake, access, _ = door(lake_uri, principal, config_path)
        check_against_lake(lake, access, body)
        said += "; the lake tells the same"
    click.echo(f"{said}: snapshot {body['snapshot']['name']}, {len(body['documents'])} documents")


def _read(path: Path) -> bytes:
    from extractor.errors import ConfigError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the manifest cannot be read ({type(error).__name__})") from None


def _write(path: Path, content: bytes) -> None:
    from extractor.errors import ConfigError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(
            f"the manifest cannot be written ({type(error).__name__})", hint="You: name another file."
        ) from None


def _check_operator(access: Access) -> None:
    """Names keep files and are kept: only who is granted the table of them may give, see or drop them."""
    from extractor.errors import AccessDeniedError

    if not access.grants("snapshots"):
        raise AccessDeniedError(f"table snapshots is not granted to principal {access.principal!r}")
