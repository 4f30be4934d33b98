"""An evaluation on the terminal: one table per question, then what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from extractor.evaluation.report import Report
from extractor.preview_marks import printable
from extractor.terminal import print_json
from extractor.terminal_rows import console, sheet

_SCORES = ("precision", "recall", "f1")
_REASONS = {
    "gold_types": "gold types that the map does not name",
    "labels": "our labels that the map does not name",
    "gold_relations": "gold relations that the map does not name",
    "relation_labels": "our relations that the map does not name",
    "gold_mentions_without_place": "gold mentions without a place in the text",
    "gold_mentions_in_pieces": "gold mentions in pieces",
    "gold_mentions_repeated": "gold mentions repeated at the same place: counted once",
    "gold_relations_without_two_arguments": "gold relations without two arguments",
    "gold_relations_without_place_or_concept": "gold relations between mentions that are left out",
    "documents_without_annotation": "documents that nobody annotated",
}


def print_report(report: Report, *, as_json: bool) -> None:
    """The whole report, as JSON or as tables."""
    found = report.as_dict()
    if as_json:
        print_json(found)
        return
    target = console()
    target.print(
        Text(
            f"{report.tested} on {report.documents} documents, {report.tokens} tokens, "
            f"{report.match} match, labels: {report.labels}"
        )
    )
    rows = [(kind, each) for kind, each in found["types"].items()]
    rows += [("micro", found["micro"]), ("macro", found["macro"])]
    _print_scores(target, "Mentions", "type", rows)
    if report.linking is not None:
        _print_linking(target, report.linking)
    if report.assertion is not None:
        _print_scores(target, "Assertions of given mentions", "attribute", report.assertion.items())
    for part, title in (("given", "Relations of given mentions"), ("end_to_end", "Relations end to end")):
        if report.relations is not None:
            figures = report.relations[part]
            _print_scores(target, title, "relation", [*figures["types"].items(), ("micro", figures["micro"])])
    _print_calibration(target, found["calibration"])
    if report.tokens_per_s is not None:
        target.print(f"{report.tokens_per_s:.0f} tokens/s ({report.seconds:.2f} s of finding)\n")
    for key, reason in _REASONS.items():
        count = report.left_out[key]
        if count:
            what = ", ".join(f"{name} {n}" for name, n in count.items()) if isinstance(count, dict) else count
            target.print(Text(f"left out: {reason}: {printable(str(what))}"))
    for note in report.notes:
        target.print(Text(f"note: {printable(note)}"))


def _print_scores(
    target: Console, title: str, first: str, rows: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    table = sheet(title)
    table.add_column(first)
    for name in ("precision", "recall", "F1", "95 % interval", "gold", "found", "right"):
        table.add_column(name, justify="right")
    for name, score in rows:
        table.add_row(
            printable(name),
            *(_number(score[key]) for key in _SCORES),
            _interval(score),
            *(_count(score.get(key)) for key in ("support", "predicted", "right")),
        )
    target.print(table)
    target.print()


def _print_linking(target: Console, linking: Mapping[str, Any]) -> None:
    given = linking["given"]
    if given is not None:
        table = sheet("Codes of given mentions")
        table.add_column("mentions of")
        for name in ("accuracy", "95 % interval", "mentions", "right", "without code"):
            table.add_column(name, justify="right")
        rows = [(name, each, "") for part in ("types", "systems") for name, each in given[part].items()]
        for name, each, interval in [*rows, ("all", given, _interval(given))]:
            numbers = (_count(each[key]) for key in ("mentions", "right", "without_code"))
            table.add_row(printable(name), _number(each["accuracy"]), interval, *numbers)
        target.print(table)
        target.print(
            f"{given['composites']} of them are composites; all of these counted as wrong: "
            f"{_number(given['accuracy_all_parts'])}\n"
        )
    _print_scores(
        target,
        "Codes end to end",
        "type",
        [
            *linking["end_to_end"]["types"].items(),
            ("micro", linking["end_to_end"]),
            ("concepts per document", linking["documents"]),
        ],
    )


def _print_calibration(target: Console, calibration: Mapping[str, Mapping[str, Any]]) -> None:
    table = sheet("Calibration")
    table.add_column("type")
    for name in ("ECE", "AUROC", "errors", "mentions"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for kind, each in calibration.items():
        numbers: Sequence[str] = [_number(each["ece"]), _number(each["auroc"])]
        table.add_row(printable(kind), *numbers, str(each["errors"]), str(each["mentions"]), each["verdict"])
    target.print(table)
    target.print()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _interval(score: Mapping[str, Any]) -> str:
    low, high = score["low"], score["high"]
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
