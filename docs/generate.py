"""Writes the parts of docs/ that are made from code: run `make docs`; a test compares."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DOCS = Path(__file__).resolve().parent


def commands() -> str:
    """The reference of the command line, from its own help texts."""
    import click

    from extractor.cli import main

    parts = ["# Commands\n", "Made from the code by `make docs`.\n"]

    def add(command: click.Command, name: str, parent: click.Context | None) -> None:
        # Click keeps a help option on the command from whoever asked first; the group's settings decide here.
        command._help_option = None  # noqa: SLF001
        settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
        context = click.Context(command, info_name=name.rsplit(" ", 1)[-1], parent=parent, **settings)
        parts.append(f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                sub = command.get_command(context, child)
                assert sub is not None
                add(sub, f"{name} {child}", context)

    add(main, "extractor", None)
    return "\n".join(parts)


def tables() -> str:
    """The data dictionary, from the contracts."""
    from extractor.tables.catalogue import TABLES

    parts = [
        "# Tables\n",
        "Made from the contracts in `extractor/tables/` by `make docs`. Classes of columns: *open* columns hold ids",
        "and codes; *inherit* columns hold content, as strict as the row's classification; *restricted* columns are",
        "shown only to roles of the restricted zone.\n",
    ]
    for table in TABLES.values():
        parts += [f"## `{table.name}` ({table.zone})\n", f"{table.description}\n"]
        if table.partition_by:
            parts.append(f"Partitioned by {', '.join(table.partition_by)}. Key: {', '.join(table.key)}.\n")
        parts += ["| column | type | class | null | meaning |", "| --- | --- | --- | --- | --- |"]
        parts += [
            f"| `{column.name}` | {column.dtype} | {column.classification} | "
            f"{'yes' if column.nullable else 'no'} | {column.description} |"
            for column in table.columns
        ]
        if table.rules:
            parts.append("\nRules (a row that breaks one goes to `quarantine` with the rule as its code):\n")
            parts += [f"- `{rule.rule_id}`: {rule.description}" for rule in table.rules]
        parts.append("")
    return "\n".join(parts)


def errors() -> str:
    """The error codes, from the classes."""
    from extractor import errors as module

    found: list[type[module.ExtractorError]] = []

    def add(kind: type[module.ExtractorError]) -> None:
        if kind.__module__ == module.__name__:
            found.append(kind)
        for child in kind.__subclasses__():
            add(child)

    add(module.ExtractorError)
    lines = [
        "# Errors\n",
        "Made from `extractor/errors.py` by `make docs`. Readers narrow the codes of `input.*` and `limit.*`.",
        "A process that ends with 70 met a bug: the log has its place, never its message;",
        "one that ends with 130 was stopped by Ctrl-C: its workers are gone, and what it had committed stays.\n",
        "| code | exit | retry helps | what it means | who must act |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{kind.code}` | {kind.exit_code} | {'yes' if kind.retryable else 'no'} | "
        f"{(kind.__doc__ or '').splitlines()[0]} | {kind.hint} |"
        for kind in found[1:]
    ]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """The default configuration with its comments."""
    text = (DOCS.parent / "configs" / "default.yaml").read_text(encoding="utf-8")
    policy = (DOCS.parent / "configs" / "policy.yaml").read_text(encoding="utf-8")
    return (
        "# Settings\n\nMade by `make docs` from `configs/`. A file given with `--config` overrides single keys.\n\n"
        f"## default.yaml\n\n```yaml\n{text}```\n\n## policy.yaml\n\n```yaml\n{policy}```\n\n"
        f"## Manifest columns\n\n{_manifest()}"
    )


def _manifest() -> str:
    from extractor.governance.inventory import MANIFEST_COLUMNS

    lines = ["| column | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in MANIFEST_COLUMNS.items()]
    return "\n".join(lines) + "\n"


PAGES = {"commands.md": commands, "tables.md": tables, "errors.md": errors, "settings.md": settings}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
        print(f"docs/{name}")
