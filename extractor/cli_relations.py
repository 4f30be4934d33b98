"""``train relations``: the relators' models from annotated corpora."""

from __future__ import annotations

from pathlib import Path

import click

from extractor.cli_options import failures_speak


@click.command("relations")
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Training configuration.  [default: training/relations.yaml of the configs folder]",
)
@click.option("--data", metavar="DIR", required=True, help="Folder below which the corpora's files lie.")
@click.option("--out", metavar="DIR", default="models", show_default=True, help="Where the model folders go.")
@failures_speak
def relations(config_path: str | None, data: str, out: str) -> None:
    """Train what links mentions; one minute on one core.

    Penalty, thresholds and calibration are chosen on held-out folds, which
    stdout reports. Equal input gives equal files.
    """
    from extractor import resources
    from extractor.relators.training import train_relations

    config = Path(config_path) if config_path else resources.folder("configs") / "training" / "relations.yaml"
    for folder in train_relations(config, data=Path(data), out=Path(out), say=click.echo):
        click.echo(folder)
