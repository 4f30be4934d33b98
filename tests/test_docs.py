"""The documentation says what the code does."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from extractor.cli import main

ROOT = Path(__file__).parents[1]


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["commands.md", "tables.md", "errors.md", "settings.md"])
def test_generated_pages_are_up_to_date(page):
    assert (ROOT / "docs" / page).read_text() == generator().PAGES[page](), "run `make docs`"


def readme_commands():
    text = (ROOT / "README.md").read_text()
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("extractor "):
                yield line.split("  #")[0].strip()


@pytest.mark.parametrize("line", list(readme_commands()))
def test_every_command_of_the_readme_parses(line):
    """The options exist and the arguments fit; running them is the business of the end-to-end tests."""
    words = shlex.split(line)[1:]
    command, context = main, click.Context(main, info_name="extractor")
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
        assert command is not None
    assert command.make_context(command.name, words, parent=context)


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text()

    assert [name for name in main.commands if f"`extractor {name}" not in text] == []


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text())) <= targets


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_exit_code_is_in_the_readme():
    from extractor import errors

    text = (ROOT / "README.md").read_text()
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and hasattr(kind, "exit_code")
    }

    for code in codes - {1}:
        assert re.search(rf"^\| {code} \|", text, re.MULTILINE)


def test_dependencies_say_why_they_are_there():
    text = (ROOT / "pyproject.toml").read_text()
    block = text.split("\ndependencies = [\n")[1].split("\n]")[0]

    assert [line for line in block.splitlines() if "#" not in line] == []
