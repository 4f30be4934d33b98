"""What people see of a reprocess, of its trial, and of a run that is taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from extractor.terminal import print_json, print_tally
from extractor.terminal_rows import console, print_table
from extractor.terminal_states import print_difference

if TYPE_CHECKING:
    from extractor.lake.carry import Reviews
    from extractor.lake.rollback import RolledBack
    from extractor.reprocess import Failure, Report, Trial
    from extractor.reprocess.reread import Reread

_MOST_FAILURES = 20
_TIMES = {1: "once", 2: "twice"}


def print_report(report: Report, *, as_json: bool) -> None:
    """Documents by what became of them, why some keep their rows, reviewers' rows, files written anew."""
    if as_json:
        print_json(report.as_dict())
        return
    print_tally(report.tally, report.statistics, as_json=False)
    found = report.found
    _say(f"run {report.run_id}, pipeline {report.pipeline_version}")
    reasons = (
        ("are of this pipeline already", found.current),
        ("changed meanwhile or another writer is at them; the same command takes them again", found.changed),
        ("have no stored text", found.without_text),
    )
    for reason, count in reasons:
        if count:
            _say(f"{count} documents {reason}")
    _print_reviews(found.reviews)
    if report.rewrites:
        told = ", ".join(
            f"{files} {_TIMES.get(times, f'{times} times')}" for times, files in report.rewrites.items()
        )
        _say(f"files of entities that were replaced: {told}")
    _print_failures(found.failures)


def print_trial(trial: Trial, *, as_json: bool) -> None:
    """What would change, and over how many documents it was tried."""
    if as_json:
        print_json(trial.as_dict())
        return
    print_difference(trial.difference, as_json=False)
    waiting = trial.selected - trial.current
    _say(f"nothing was written; tried on {trial.tried} of {waiting} documents with {trial.pipeline_version}")
    if trial.current:
        _say(f"{trial.current} documents are of this pipeline already")
    _print_failures(trial.failures)


def print_reread(found: Reread, *, as_json: bool) -> None:
    """Documents by what became of them, and how many could not be reached."""
    if as_json:
        print_json(found.as_dict())
        return
    print_tally(found.tally, found.statistics, as_json=False)
    if found.unreachable:
        _say(f"{found.unreachable} documents keep their rows: their source is gone")


def print_rollback(done: RolledBack, *, run_id: str, as_json: bool) -> None:
    """What stands again as it was, and what was left as it is and why."""
    if as_json:
        print_json(
            {
                "run_id": run_id,
                "seen": done.seen,
                "restored": done.restored,
                "created": done.created,
                "superseded": done.superseded,
                "in_work": done.in_work,
                "withdrawn": done.withdrawn,
                "rows": dict(done.rows),
                "reviews": {
                    name: {"kept": one.kept, "gave_way": one.gave_way, "unplaced": list(one.unplaced)}
                    for name, one in done.reviews.items()
                },
            }
        )
        return
    _say(f"{done.restored} of {done.seen} documents stand as they were before; this is run {run_id}")
    reasons = (
        ("that run was the first to extract: there is nothing to go back to", done.created),
        ("another run wrote since", done.superseded),
        ("a writer is at, or left half-written", done.in_work),
        ("were withdrawn", done.withdrawn),
    )
    for reason, count in reasons:
        if count:
            _say(f"{count} documents are left as they are: {reason}")
    _print_reviews(done.reviews)


def _print_reviews(reviews: Mapping[str, Reviews]) -> None:
    for name, found in reviews.items():
        _say(f"{name}: {found.kept} reviewed rows stay, {found.gave_way} new ones gave way to them")
        if found.unplaced:
            _say(f"{name}: {len(found.unplaced)} reviewed rows went: their words are not in the new text")


def _print_failures(failures: Sequence[Failure]) -> None:
    if not failures:
        return
    _say(f"{len(failures)} documents failed and keep their rows")
    rows = [[one.doc_id, one.code] for one in failures[:_MOST_FAILURES]]
    print_table(["document", "code"], rows, whole="--json")


def _say(line: str) -> None:
    console().print(Text(line), soft_wrap=True)
