"""``extractor show``: a row's chain of evidence for people and for machines, and its evidence image."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from extractor.errors import ConfigError
from extractor.evidence_chain import EvidenceChain, evidence_chain
from extractor.evidence_image import evidence_image
from extractor.preview_marks import printable
from extractor.schema import plain

if TYPE_CHECKING:
    from rich.console import Console

    from extractor.config import Config
    from extractor.governance.policy import Access
    from extractor.lake.store import Lake


def render(chain: EvidenceChain, console: Console) -> None:
    """Print the chain, from the value down to the Delta version."""
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")

    def line(name: str, *parts: object) -> None:
        said = "  ".join(str(plain(part)) for part in parts if part not in (None, ""))
        grid.add_row(name, Text(printable(said)) if said else Text("not recorded", style="dim"))

    line("row", chain.row_id)
    line("table", chain.table)
    for name, value in chain.values.items():
        line(f"  {name}", value)
    grid.add_row()
    line("source text", chain.source_text)
    if chain.context is not None:
        context = Text(printable(chain.context.before), style="dim")
        context.append(printable(chain.context.quote), style="bold reverse not dim")
        context.append(printable(chain.context.after))
        grid.add_row("in the text", context)
    line("place", f"page {chain.page_no}, characters {chain.span.start} to {chain.span.end}")
    for page_no, box in chain.boxes:
        line("  box", f"page {page_no}: {box.x0_pt:.2f} {box.y0_pt:.2f} {box.x1_pt:.2f} {box.y1_pt:.2f} pt")
    line("alignment", chain.alignment)
    line("score", chain.score, None if chain.probability is None else f"probability {chain.probability}")
    line("review", chain.review_status)
    grid.add_row()
    line("class", chain.classification)
    line("consent", chain.consent_scope)
    line("study, subject", chain.study_id, chain.subject_id)
    grid.add_row()
    line("document", chain.document.doc_id)
    line("  source", chain.document.source_ref)
    line(
        "  type", chain.document.media_type, f"page count {chain.document.page_count}", chain.document.status
    )
    line("extractor", chain.extractor)
    line("model", chain.model, chain.model_version)
    line("  sha256", chain.model_sha256)
    line("pipeline", chain.pipeline_version)
    line("run", chain.run.run_id)
    line("  started", chain.run.started_at)
    line("  settings", chain.run.config_sha256)
    for commit in chain.commits:
        line("delta version", commit.version, commit.kind, commit.committed_at, f"batch {commit.batch_id}")
    console.print(grid)


def show(
    lake: Lake,
    access: Access,
    row_id: str,
    *,
    config: Config,
    crop: Path | None = None,
    as_json: bool = False,
) -> None:
    """Print a row's chain on stdout, and write its evidence image to ``crop``.

    Raises:
        AccessDeniedError: the row, or its picture, may not be seen.
        InputError: the document is gone, has changed or cannot be drawn.
        ConfigError: ``crop`` cannot be written.
    """
    from rich.console import Console

    chain = evidence_chain(lake, access, row_id)
    picture = None
    if crop is not None:
        picture = evidence_image(lake, access, chain, config=config)
    if as_json:
        json.dump(chain.as_dict(), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        render(chain, Console(width=None if sys.stdout.isatty() else 160))
    if crop is not None and picture is not None:
        try:
            crop.write_bytes(picture)
        except OSError as error:
            raise ConfigError(
                f"the picture cannot be written ({type(error).__name__})", hint="You: name another file."
            ) from None
        sys.stderr.write("the evidence image is written; it holds document content\n")
