"""A small knowledge pack of invented concepts, built as the real one is."""

import gzip
import json

from extractor.knowledge.build import Recipe, Source, build
from tests.knowledge.releases import write

MESH = [
    ("D900010", "Fever, Azure", "C01.100"),
    ("D900011", "Quill Rash", "C17.200"),
    ("D900012", "Tarn Neoplasms", "C04.300"),
    ("D900013", "Mossy Neoplasms", "C04.301"),
    ("D900014", "Glimmer Disease, Type 2", "C16.500"),
    ("D900001", "Zorbazole", "D03.100"),
    ("D900002", "Thicket Acid", "D02.100"),
    ("D900020", "Elbow Gland", "A10.100"),
]
SYNONYMS = [
    ("D900010", "Fever, Azure", "blue fever", "C01.100"),
    ("D900012", "Tarn Neoplasms", "cancer of the tarn", "C04.300"),
]
TEXTS = [
    "The patient had azure fever. Azure fever (AF) was treated with zorbazole; AF improved.",
    "A quill rash followed zorbazole. The quill rash and the blue fever went.",
    "Grumble was seen after thicket acid. Grumble and tarn cancer were seen.",
]
SAID = {
    "azure fever": ("Disease", "MESH:D900010"),
    "AF": ("Disease", "MESH:D900010"),
    "blue fever": ("Disease", "MESH:D900010"),
    "quill rash": ("Disease", "MESH:D900011"),
    "grumble": ("Disease", "OMIM:900900"),
    "tarn cancer": ("Disease", "MESH:D900012"),
    "zorbazole": ("Chemical", "MESH:D900001"),
    "thicket acid": ("Chemical", "MESH:D900002"),
}


def gzipped(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def sources(root):
    """Vocabulary files in the layouts of the shipped pack's sources."""
    gzipped(root / "mesh" / "descriptors.tsv.gz", ["mesh_id\tmesh_name", *(f"{i}\t{n}" for i, n, _ in MESH)])
    gzipped(
        root / "mesh" / "tree-numbers.tsv.gz",
        ["mesh_id\tmesh_name\tmesh_tree_number", *("\t".join(row) for row in MESH)],
    )
    gzipped(
        root / "mesh" / "disease_synonyms.tsv.gz",
        ["mesh_id\tname\tsynonym\ttree_numbers", *(f"MESH:{i}\t{n}\t{s}\t{t}" for i, n, s, t in SYNONYMS)],
    )
    gzipped(
        root / "doid" / "HumanDO.tsv.gz",
        ["id\tlabel\tsubClassOf", '"DOID:1"\t"azure fever"\t""', '"DOID:2"\t"glimmer syndrome 7"\t""'],
    )
    gzipped(
        root / "doid" / "allXREFinDO.tsv.gz",
        ["id\tlabel\txref", '"DOID:1"\t"azure fever"\t"MESH:D900010"', '"DOID:1"\t"azure fever"\t"MIM:900100"',
         '"DOID:2"\t"glimmer syndrome 7"\t"MIM:900200"', '"DOID:2"\t"glimmer syndrome 7"\t"SNOMEDCT_US_2025_09_01:9"'],
    )  # fmt: skip
    gzipped(
        root / "doid" / "DO_made_slim.obo.gz",
        ["[Term]", "id: DOID:2", "name: glimmer syndrome 7", 'synonym: "seven glimmer" EXACT []',
         'synonym: "shimmer" RELATED []', "", "[Term]", "id: DOID:3", "name: gone", "is_obsolete: true"],
    )  # fmt: skip
    gzipped(
        root / "drugs" / "drugs.tsv.gz",
        ["key\tname\tdrugbank_id\tmesh_id\tmesh_tree\tmedlineplus_id",
         "zorbazole\tZorbazole\tDB90001\t\t\t", "lipid acid\tLipid Acid\tDB90002\t\t\t"],
    )  # fmt: skip
    gzipped(
        root / "drugs" / "drug_names.tsv.gz",
        ["variant\tkey\tis_brand", "quillex\tzorbazole\t1", "thicket acid\tlipid acid\t"],
    )
    return root


def texts(root, name="train.jsonl"):
    """Annotated text of the invented concepts."""
    lines = []
    for number, text in enumerate(TEXTS):
        found = []
        for words, (kind, concept) in SAID.items():
            at = text.lower().find(words.lower())
            while at >= 0:
                found.append(
                    {
                        "start": at,
                        "end": at + len(words),
                        "type": kind,
                        "text": text[at : at + len(words)],
                        "concept": concept,
                    }
                )
                at = text.lower().find(words.lower(), at + 1)
        lines.append(json.dumps({"id": str(number), "text": text, "entities": found}))
    write(root / name, lines)
    return root


RECIPE = Recipe(
    name="knowledge-made",
    licence="none",
    source="invented",
    sources=(
        Source(kind="mesh", path="mesh"),
        Source(kind="doid", path="doid"),
        Source(kind="drugs", path="drugs"),
    ),
    texts=("train.jsonl",),
)


def pack(root):
    """The pack of :data:`RECIPE` as ``models/knowledge-made/1.0.0`` below ``root``; gives its folder."""
    sources(root / "vocabularies")
    texts(root / "texts")
    out = root / "models" / "knowledge-made" / "1.0.0"
    return build(RECIPE, out=out, long_forms=lambda _: {}, root=root / "vocabularies", texts=root / "texts")
