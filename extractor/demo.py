"""``make demo``: the main job on the shipped fixtures, and what came of it in plain words."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from extractor.config import load_config, policy_path
from extractor.errors import ConfigError, ExtractorError
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import Policy, load_policy
from extractor.lake.query import query
from extractor.lake.store import Lake
from extractor.preview_marks import printable
from extractor.run import run
from extractor.schema import plain
from extractor.sources import find_sources
from extractor.terminal import print_error, print_tally, progress
from extractor.terminal_rows import SHORT_ID, console, print_rows

_QUESTION = "select type, count(*) n from entities group by type order by n desc"
_FOLDERS = ("batch_record", "clinical", "regulatory", "office", "hostile")


def demo(fixtures: Path, lake_folder: Path) -> None:
    """Extract the fixtures into a fresh lake and print statuses, rows, three rows with evidence, and what to try.

    Raises:
        ConfigError: the fixtures are not there, or ``lake_folder`` holds something that is no lake.
    """
    target = console()
    config = load_config()
    policy = load_policy(policy_path(config, None))
    lake = Lake(str(lake_folder), config.lake)
    if lake_folder.exists():
        if any(lake_folder.iterdir()) and not lake.exists():
            raise ConfigError(
                "the folder for the lake holds something else", hint="You: name another folder."
            )
        shutil.rmtree(lake_folder)
    sources = find_sources([str(fixtures / name) for name in _FOLDERS])
    target.print(
        f"{len(sources)} documents from {fixtures}/, governance from {fixtures}/manifest.csv; "
        "this takes about a minute\n",
        markup=False,
    )
    with progress() as on_progress:
        tally, statistics = run(
            sources,
            lake,
            config=config,
            inventory=load_inventory(policy, manifest=fixtures / "manifest.csv"),
            workers=os.cpu_count() or 1,
            on_progress=on_progress,
        )
    print_tally(tally, statistics, as_json=False)
    states = query(
        lake,
        policy.access("steward"),
        "select status, coalesce(status_code, '') as code, count(*) as documents from documents "
        "group by all order by status, documents desc, code",
    ).rows
    target.print("\n[bold]Documents by status[/bold] (files carried inside a mail are documents too)")
    print_rows(states, output="table")
    _mentions(target, lake, policy)
    shown = _samples(target, lake, policy)
    _next_steps(target, lake_folder, fixtures, shown)


def _mentions(target: Console, lake: Lake, policy: Policy) -> None:
    """What the trained recogniser read, each kind of statement once, and how some of it hangs together."""
    clinician = policy.access("clinician")
    said = query(
        lake,
        clinician,
        "select distinct on (type, negated, temporality, experiencer) type, text, "
        "coalesce(code_system || ' ' || code, '') as code, coalesce(code_display, '') as meaning, "
        "concat_ws(', ', case when negated then 'denied' end, nullif(certainty, 'certain'), "
        "nullif(temporality, 'current'), nullif(experiencer, 'patient')) as said, "
        "coalesce(section, '') as section, round(probability, 2) as probability "
        "from entities where extractor like 'ner@%' and code is not null and probability > 0.6 "
        "order by type, negated, temporality, experiencer, probability desc, text limit 12",
    ).rows
    target.print("\n[bold]Trained mentions with codes and assertions[/bold] (as principal clinician)")
    print_rows(said, output="table")
    links = query(
        lake,
        clinician,
        "select distinct on (relation_type) relation_type, head_text, tail_text, round(probability, 2) as probability "
        "from relations where probability > 0.5 order by relation_type, probability desc, head_text, tail_text",
    ).rows
    target.print("\n[bold]How they hang together[/bold]")
    print_rows(links, output="table")


def _samples(target: Console, lake: Lake, policy: Policy) -> str:
    """Three rows; returns the start of the first row's id."""
    rows = query(
        lake,
        policy.access("manufacturing"),
        "select distinct on (type) row_id, type, text, code_system, code, value, unit_ucum, doc_id, page_no, "
        "char_start, char_end, boxes, extractor, classification from entities "
        "where len(boxes) > 0 and type in ('drug', 'lot_no', 'measurement') "
        "and (type <> 'drug' or code is not null) and (type <> 'measurement' or value is not null) "
        "order by type, page_no, char_start",
    ).rows.to_pylist()
    target.print("\n[bold]Three rows with their evidence[/bold] (as principal manufacturing)")
    for row in rows:
        value = "" if row["value"] is None else f"{plain(row['value'])} {row['unit_ucum'] or ''}"
        meaning = f"{row['code_system']} {row['code']}" if row["code"] else value
        box = row["boxes"][0]
        view = RichTable.grid(padding=(0, 2, 0, 0))
        for name, said in (
            ("row", row["row_id"][:SHORT_ID]),
            ("is", f"{row['type']}  {printable(row['text'])}  {meaning}".rstrip()),
            ("from", f"document {row['doc_id'][:SHORT_ID]}, page {row['page_no']}, "),
            ("", f"characters {row['char_start']} to {row['char_end']} of its text"),
            ("", "box {x0_pt:.1f} {y0_pt:.1f} {x1_pt:.1f} {y1_pt:.1f} pt".format(**box)),
            ("by", f"{row['extractor']}, class {row['classification']}"),
        ):
            view.add_row(Text(f"  {name}"), Text(said))
        target.print(view)
        target.print()
    return str(rows[0]["row_id"][:SHORT_ID])


def _next_steps(target: Console, lake_folder: Path, fixtures: Path, row_id: str) -> None:
    lake = shlex.quote(str(lake_folder))
    sources = " ".join(shlex.quote(str(fixtures / name)) for name in _FOLDERS)
    letter = shlex.quote(str(fixtures / "regulatory" / "complete_response_letter.pdf"))
    target.print(f"[bold]The lake[/bold] is the folder {lake}. To try next:")
    for meaning, line in (
        ("the same again: adds nothing", f"run {sources} --lake {lake} --manifest {fixtures}/manifest.csv"),
        ("what an analyst may see", f"query {shlex.quote(_QUESTION)} --lake {lake} --as analyst"),
        (
            "a row's chain of evidence, and its picture",
            f"show {row_id} --lake {lake} --as manufacturing --crop evidence.png",
        ),
        ("what was refused and who must act", f"quarantine list --lake {lake} --as steward"),
        ("a document with its findings, as a page", f"preview {letter} --html preview.html"),
        ("every promise of the lake", f"verify --lake {lake}"),
    ):
        target.print(f"  # {meaning}", markup=False, style="dim")
        target.print(f"  {_command()} {line}", markup=False, soft_wrap=True)


def _command() -> str:
    """The command as it can be typed here."""
    script = Path(sys.executable).with_name("extractor")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m extractor"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def main(fixtures: str, lake_folder: str) -> int:
    """The demonstration as a command; the exit code."""
    try:
        demo(Path(fixtures), Path(lake_folder))
    except ExtractorError as error:
        print_error(str(error), error.hint)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
