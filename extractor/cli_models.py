"""``extractor models``: which models a lake knows, and which versions it uses."""

from __future__ import annotations

from functools import partial

import click

from extractor.cli_options import AS_JSON, AS_PRINCIPAL, CONFIG, LAKE, door, failures_speak

_CRITERIA = click.option(
    "--criteria",
    "criteria",
    metavar="FILE",
    help="Acceptance criteria.  [default: acceptance/NAME.yaml beside the settings, else of the configs folder]",
)
_WHY = click.option("--why", required=True, metavar="TEXT", help="What the decision rests on; kept for good.")


@click.group()
def models() -> None:
    """Models of a lake: register, measure, promote, roll back."""


@models.command("list")
@LAKE
@AS_PRINCIPAL
@CONFIG
@click.option("--history", is_flag=True, help="Every event, in its order.")
@AS_JSON
@failures_speak
def models_list(lake_uri: str, principal: str, config_path: str | None, history: bool, as_json: bool) -> None:
    """List registered models, and which version of each the lake uses."""
    from extractor.acceptance import list_models
    from extractor.terminal_models import print_models

    lake, access, _ = door(lake_uri, principal, config_path)
    print_models(list_models(lake, access), history=history, as_json=as_json)


@models.command("register")
@click.argument("model", metavar="NAME[/VERSION]")
@LAKE
@AS_PRINCIPAL
@CONFIG
@click.option(
    "--intended-use", metavar="TEXT", help="What it is for, where neither manifest nor card says it."
)
@click.option("--risk-class", metavar="TEXT", help="How much hangs on it, where neither says it.")
@click.option("--why", metavar="TEXT", help="Why it is registered.")
@AS_JSON
@failures_speak
def models_register(
    model: str,
    lake_uri: str,
    principal: str,
    config_path: str | None,
    intended_use: str | None,
    risk_class: str | None,
    why: str | None,
    as_json: bool,
) -> None:
    """Put an installed model on record, with its digest and what it is for.

    Without a version the newest that is installed. Doing it again changes nothing.
    """
    from extractor.acceptance import register
    from extractor.terminal_models import print_event

    lake, access, _ = door(lake_uri, principal, config_path)
    event, is_new = register(lake, access, model, intended_use=intended_use, risk_class=risk_class, why=why)
    state = "registered" if is_new else "was registered before"
    print_event(event, f"{event.model} {state}, sha256 {event.sha256[:12]}", as_json=as_json)


@models.command("evaluate")
@click.argument("model", metavar="NAME/VERSION")
@LAKE
@AS_PRINCIPAL
@CONFIG
@_CRITERIA
@AS_JSON
@failures_speak
def models_evaluate(
    model: str,
    lake_uri: str,
    principal: str,
    config_path: str | None,
    criteria: str | None,
    as_json: bool,
) -> None:
    """Measure a registered model against its acceptance criteria and put the figures on record.

    Changes nothing that is used; exit 8 where a gate fails.
    """
    from extractor.acceptance import evaluate, find_criteria
    from extractor.terminal_models import print_verdict

    lake, access, config = door(lake_uri, principal, config_path)
    demands = find_criteria(model, criteria, config_path=config_path)
    _, verdict = evaluate(lake, access, model, config=config, criteria=demands)
    print_verdict(verdict, as_json=as_json)
    if not verdict.passed:
        raise verdict.refusal()


@models.command("promote")
@click.argument("model", metavar="NAME/VERSION")
@LAKE
@AS_PRINCIPAL
@CONFIG
@_WHY
@_CRITERIA
@AS_JSON
@failures_speak
def models_promote(
    model: str,
    lake_uri: str,
    principal: str,
    config_path: str | None,
    why: str,
    criteria: str | None,
    as_json: bool,
) -> None:
    """Make a registered model the one that the lake uses, if it passes its acceptance criteria.

    A model that fails is refused: exit 8, the refusal is on record and nothing changes.
    """
    from extractor.acceptance import find_criteria, promote
    from extractor.terminal_models import print_verdict

    lake, access, config = door(lake_uri, principal, config_path)
    demands = find_criteria(model, criteria, config_path=config_path)
    event = promote(
        lake,
        access,
        model,
        why=why,
        config=config,
        criteria=demands,
        on_verdict=partial(print_verdict, as_json=as_json),
    )
    click.echo(f"{event.model} is promoted: the lake uses it from the next run on", err=True)


@models.command("rollback")
@click.argument("name", metavar="NAME")
@LAKE
@AS_PRINCIPAL
@CONFIG
@_WHY
@AS_JSON
@failures_speak
def models_rollback(
    name: str, lake_uri: str, principal: str, config_path: str | None, why: str, as_json: bool
) -> None:
    """Go back to the version that was promoted before the one in use.

    Rows that are there stay: `extractor reprocess` or the next run replaces them.
    """
    from extractor.acceptance import roll_back
    from extractor.terminal_models import print_event

    lake, access, _ = door(lake_uri, principal, config_path)
    event, left = roll_back(lake, access, name, why=why)
    print_event(event, f"{event.model} is in use again, {left.model} no longer", as_json=as_json)
