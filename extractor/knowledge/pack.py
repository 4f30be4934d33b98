"""Knowledge packs on disk: ``models/knowledge-<name>/<version>/``.

``names.txt.gz``     every name key once, sorted by bytes, one a line
``concepts.tsv.gz``  one concept a line: display, groups (bits), codes (``SYSTEM:code``, parted by a blank, the
                     first is the one the naming source gave), MeSH tree numbers (parted by a blank)
``links.bin.gz``     three little-endian arrays one after another, all of the number of links that the
                     manifest gives: name row (int32), concept row (int32), kind of name (int8)
``lexicon.tsv.gz``   what annotated text calls concepts: name key, code, times seen (may be empty)
``ranker.json``      weights of the ranker and the NIL threshold
``manifest.json``    name, version, licence, source, sha256 of each file

Equal input gives equal bytes.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from extractor.knowledge.merge import Joined
from extractor.resources import write_manifest

NAMES, CONCEPTS, LINKS = "names.txt.gz", "concepts.tsv.gz", "links.bin.gz"
LEXICON, RANKER = "lexicon.tsv.gz", "ranker.json"

Lexicon = Mapping[str, Mapping[str, int]]
"""Name key to code (``SYSTEM:code``) to times seen in annotated text."""


def write_pack(
    concepts: Sequence[Joined],
    *,
    folder: Path,
    name: str,
    version: str,
    licence: str,
    source: str,
    lexicon: Lexicon | None = None,
    ranker: Mapping[str, Any] | None = None,
) -> Path:
    """Write all files of a pack but the card, which is written by hand and covered by the manifest if it is there."""
    import numpy as np

    ordered = sorted(concepts, key=lambda concept: (concept.codes[0], concept.display))
    names = sorted({key for concept in ordered for key in concept.names}, key=str.encode)
    row_of = {key: row for row, key in enumerate(names)}
    links = sorted(
        (row_of[key], row, kind) for row, concept in enumerate(ordered) for key, kind in concept.names.items()
    )
    columns = [np.array([link[place] for link in links], dtype=np.int64) for place in range(3)]
    packed = b"".join(
        column.astype(kind).tobytes() for column, kind in zip(columns, ("<i4", "<i4", "i1"), strict=True)
    )
    lines = [
        "\t".join(
            (
                " ".join(concept.display.split()),
                str(concept.groups),
                " ".join(f"{system}:{code}" for system, code in concept.codes),
                " ".join(sorted(concept.trees)),
            )
        )
        for concept in ordered
    ]
    taught = lexicon or {}
    seen = [
        f"{key}\t{code}\t{count}"
        for key in sorted(taught)
        for code, count in sorted(taught[key].items())
        if count
    ]
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        NAMES: _packed("\n".join(names).encode()),
        CONCEPTS: _packed("\n".join(lines).encode()),
        LINKS: _packed(packed),
        LEXICON: _packed("\n".join(seen).encode()),
        RANKER: (json.dumps(ranker or {}, indent=1, sort_keys=True) + "\n").encode(),
    }
    for file, content in files.items():
        (folder / file).write_bytes(content)
    counts = Counter(system for concept in ordered for system, _ in concept.codes)
    write_manifest(
        folder,
        {
            "name": name,
            "version": version,
            "licence": licence,
            "source": source,
            "concepts": len(ordered),
            "names": len(names),
            "links": len(links),
            "systems": dict(sorted(counts.items())),
        },
    )
    return folder


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)
