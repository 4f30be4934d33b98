"""Which way the arrows point, and what may be imported when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import extractor

PACKAGE = Path(extractor.__file__).parent

ROWS = [
    {"errors", "__init__"},
    {"spans"},
    {"document", "delivery"},
    {"records"},
    {"schema", "lineage", "ports", "resources", "signing", "tally", "isolation", "telemetry"},
    {"config", "registry", "vocabulary"},
    {"text", "language"},
    {"vocabulary_sources", "ner", "gold"},
    {"knowledge"},
    {"governance", "layout", "preview_marks"},
    {
        "readers",
        "ocr",
        "extractors",
        "refiners",
        "relators",
        "tables",
        "lake",
        "queues",
        "sources",
        "page_image",
    },
    {"finding", "promotion"},
    {"pipeline", "evidence_chain"},
    {"pool", "warm", "evidence_image", "item", "origins"},
    {"outcome_rows", "engines"},
    {"extraction", "leases", "inspection", "evaluation"},
    {"run", "enqueue", "training", "acceptance"},
    {"reprocess"},
    {"figures"},
    {"worker"},
    {"retry", "check", "listing", "preview", "preview_html", "evidence", "terminal_rows"},
    {"terminal"},
    {"cli_options", "terminal_evaluation", "terminal_models", "terminal_states"},
    {"cli_relations", "terminal_reprocess"},
    {"cli_evaluate", "cli_train", "cli_vocabulary", "cli_queue", "cli_lake", "cli_reprocess", "cli_models"},
    {"demo", "cli"},
    {"__main__"},
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}

HEAVY = {
    "pymupdf", "fitz", "spacy", "scispacy", "torch", "transformers", "onnxruntime", "rapidocr", "tesserocr", "cv2",
    "deltalake", "duckdb", "fastapi", "polars", "pyarrow", "PIL", "docx", "openpyxl", "lxml", "numpy", "rich",
    "kombu", "redis", "psycopg", "boto3", "prometheus_client", "opentelemetry", "cryptography", "ray",
}  # fmt: skip
OWNERS = {
    "readers",
    "ocr",
    "extractors",
    "knowledge",
    "ner",
    "training",
    "lake",
    "queues",
    "telemetry",
    "warm",
    "terminal",
    "terminal_rows",
    "terminal_evaluation",
    "terminal_states",
    "terminal_reprocess",
    "demo",
    "preview",
    "preview_html",
    "page_image",
}
"""Adapters own their library and may import it at the top; everything else imports it inside a function."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module):
    """The row name of a module: its folder, or its own name at the top of the package."""
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(module, *, top_level_only=False):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    nodes = _outside_functions(tree) if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "extractor":
                yield from (f"extractor.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _outside_functions(tree):
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        waiting.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rows_below_its_own_or_its_own_part(module):
    own = part_of(module)
    for name in imports_of(module):
        if not name.startswith("extractor.") or name == "extractor.__version__":
            continue
        other = name.split(".")[1]
        assert other in RANK, f"{other} has no row yet"
        assert RANK[other] <= RANK[own], f"{own} must not import {other}"
        if RANK[other] == RANK[own] and other != own:
            allowed = {("inspection", "run"), ("preview", "preview_html"), ("lake", "tables")}
            same_row_core = own in {"schema", "lineage", "ports", "resources", "config", "registry"}
            assert same_row_core or (own, other) in allowed, f"{own} and {other} are neighbours"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_load_where_they_are_used(module):
    if part_of(module) in OWNERS:
        return
    top = {name.split(".")[0] for name in imports_of(module, top_level_only=True)}

    assert not top & HEAVY


@pytest.mark.parametrize("folder", ["readers", "ocr", "extractors", "refiners", "relators"])
def test_adapters_never_import_one_another(folder):
    from extractor import registry

    adapters = {
        target.partition(":")[0]
        for shelf in (
            registry.READERS,
            registry.OCR_ENGINES,
            registry.EXTRACTORS,
            registry.REFINERS,
            registry.RELATORS,
        )
        for target in shelf.values()
    }
    for module in (PACKAGE / folder).glob("*.py"):
        own = f"extractor.{folder}.{module.stem}"
        assert not {name for name in imports_of(module) if name in adapters and name != own}


def test_readers_do_not_know_that_ocr_exists():
    for module in (PACKAGE / "readers").glob("*.py"):
        assert not [name for name in imports_of(module) if name.startswith("extractor.ocr")]


def test_every_registered_adapter_can_be_loaded():
    from extractor import registry

    for shelf, names in (
        ("readers", registry.READERS),
        ("ocr_engines", registry.OCR_ENGINES),
        ("extractors", registry.EXTRACTORS),
        ("refiners", registry.REFINERS),
        ("relators", registry.RELATORS),
    ):
        for name in names:
            assert registry.load(shelf, name)


def test_importing_the_package_loads_the_standard_library_only():
    code = (
        "import sys, extractor; "
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names "
        "and not m.startswith(('extractor', '_', 'sitecustomize', 'usercustomize', 'google'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_help_loads_no_heavy_library():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom extractor.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        f"print(sorted({{m.split('.')[0] for m in sys.modules}} & {HEAVY!r}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_pipeline_catches_everything(module):
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.dump(node.type) if node.type else "Exception"
            broad = node.type is None or "'Exception'" in caught or "'BaseException'" in caught
            reraises = bool(node.body) and isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert not broad or reraises or module.name == "pipeline.py"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_grows_beyond_500_lines(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 500
