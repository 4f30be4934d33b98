"""The commands around models: measure them, train them, build what they know."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from extractor.cli_options import AS_JSON, CONFIG, failures_speak

if TYPE_CHECKING:
    from extractor.evaluation.matching import Match


@click.command()
@click.argument("more", nargs=-1, metavar="[FILE]...")
@click.option(
    "--gold",
    "gold",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Annotated documents: *.jsonl, *.jsonl.gz or a folder of them; more may follow.",
)
@click.option(
    "--extractor", "extractor", metavar="NAME", help="Measure this extractor alone, not the whole engine."
)
@click.option(
    "--labels",
    "labels",
    metavar="MAP.yaml",
    help="Label map, a file or the name of a shipped one.  [default: that of the corpus]",
)
@click.option(
    "--match",
    type=click.Choice(["strict", "overlap"]),
    default="strict",
    show_default=True,
    help="Equal spans, or any shared character.",
)
@CONFIG
@AS_JSON
@failures_speak
def evaluate(
    more: tuple[str, ...],
    gold: tuple[str, ...],
    extractor: str | None,
    labels: str | None,
    match: str,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Measure what is found against annotated documents.

    Precision, recall and F1 with 95 % intervals, codes, assertions, relations, calibration and speed.
    """
    from extractor.config import load_config
    from extractor.evaluation import evaluate as verb
    from extractor.terminal_evaluation import print_report

    report = verb(
        [*gold, *more],
        config=load_config(config_path),
        extractor=extractor,
        labels=labels,
        match=cast("Match", match),
    )
    print_report(report, as_json=as_json)
