"""The commands around vocabularies: build a knowledge pack, list the packs there are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from extractor.cli_options import AS_JSON, failures_speak


@click.group()
def vocab() -> None:
    """Vocabularies that mentions are linked to."""


@vocab.command()
@click.option(
    "--config",
    "recipe_path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to build from: configs/vocab/default.yaml is the shipped pack's.",
)
@click.option(
    "--source", type=click.Path(path_type=Path), default=Path(), help="Where relative source paths start."
)
@click.option(
    "--texts", type=click.Path(path_type=Path), default=Path(), help="Where paths of annotated text start."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="models/<name>/<version>; the last part is the version.",
)
@AS_JSON
@failures_speak
def build(recipe_path: Path, source: Path, texts: Path, out: Path, as_json: bool) -> None:
    """Build a knowledge pack from vocabulary files."""
    from extractor.knowledge.build import build as build_pack, read_recipe
    from extractor.resources import manifest

    recipe = read_recipe(recipe_path)
    build_pack(recipe, out=out, long_forms=_long_forms, root=source, texts=texts)
    _say([manifest(out)], as_json=as_json)


@vocab.command("list")
@AS_JSON
@failures_speak
def list_packs(as_json: bool) -> None:
    """List the knowledge packs that are installed."""
    from extractor.resources import folder, manifest

    found = sorted(folder("models").glob("*/*/manifest.json"))
    described = [manifest(path.parent) for path in found]
    _say([each for each in described if "concepts" in each], as_json=as_json)


def _say(packs: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(packs, ensure_ascii=False))
        return
    for pack in packs:
        systems = pack["systems"]
        assert isinstance(systems, dict)
        named = ", ".join(f"{system} {count}" for system, count in systems.items())
        click.echo(
            f"{pack['name']}/{pack['version']}: {pack['concepts']} concepts, {pack['names']} names ({named})"
        )


def _long_forms(text: str) -> Mapping[str, str]:
    """The abbreviations that a plain text defines."""
    from extractor.relators.corpora import document_of
    from extractor.text.definitions import long_forms

    return long_forms(document_of("0" * 64, text))
