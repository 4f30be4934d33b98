"""``extractor train``: the models that ship, made again or made from own data."""

from __future__ import annotations

from pathlib import Path

import click

from extractor.cli_options import failures_speak
from extractor.cli_relations import relations


@click.group()
def train() -> None:
    """Train models from annotated corpora."""


@train.command()
@click.option("--config", "config_path", metavar="FILE", help="Training file.  [default: training/ner.yaml]")
@click.option("--data", metavar="DIR", required=True, help="Folder below which the corpora's files lie.")
@click.option("--out", metavar="DIR", required=True, help="Checkpoints, log and the trained model go here.")
@failures_speak
def ner(config_path: str | None, data: str, out: str) -> None:
    """Fine-tune the recogniser; goes on from a checkpoint in --out.  Needs the extra "train".

    Hours on a CPU: the configuration says how much of each corpus is read.
    """
    from extractor.training.start import train_ner

    click.echo(
        train_ner(config_path, data=Path(data), out=Path(out), say=lambda line: click.echo(line, err=True))
    )


@train.command()
@click.argument("trained", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="models/NAME/VERSION",
)
@click.option(
    "--gold",
    multiple=True,
    metavar="FILE",
    help="Annotated documents that fit the probabilities, with shipped label maps.",
)
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="The training file of the model.  [default: training/ner.yaml]",
)
@failures_speak
def export(trained: Path, target: Path, gold: tuple[str, ...], config_path: str | None) -> None:
    """Turn a trained model into one that ships: half-precision and int8 weights, probabilities, digests."""
    from extractor.training.start import export_ner

    click.echo(export_ner(trained, target, gold=gold, config_path=config_path))


train.add_command(relations)
