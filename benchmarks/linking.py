"""How often the linker is right on gold mentions, what it costs, and what learned names give.

    python benchmarks/linking.py --corpora DIR [--split dev] [--errors N]

DIR holds ncbi_disease/ and bc5cdr/ as gzipped JSON lines ({id, text, entities: [{start, end, type, concept}]}).
Every annotated mention goes through the refiner ``linker`` as an entity without a code.

Right: the mention's code is the annotated concept. Composites (``a|b``, ``a+b``): any of their concepts is right,
since a mention carries one code; they are also counted apart. A mention annotated without a concept (-1) is right
when it gets no code. "same concept": the code or another code of the same concept of the knowledge base.
With --split train every figure is flattering: the names were learned there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

LABELS = {
    "Chemical": "drug",
    "Disease": "disease",
    "SpecificDisease": "disease",
    "Modifier": "disease",
    "DiseaseClass": "disease",
    "CompositeMention": "disease",
}
CORPORA = ("ncbi_disease", "bc5cdr")

COST = """
import json, sys, time
import numpy
def memory(): return int([line for line in open("/proc/self/status") if line.startswith("VmRSS")][0].split()[1]) / 1024
def peak(): return int([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]) / 1024
from extractor.knowledge.base import load_knowledge
before, began = memory(), time.perf_counter()
base = load_knowledge(sys.argv[1])
loaded = time.perf_counter() - began
base.warm()
warm = time.perf_counter() - began
print(json.dumps({"load": loaded, "warm": warm, "memory": memory() - before, "peak": peak() - before,
                  "concepts": len(base), "names": len(base.names)}))
"""


def document_of(record):
    import re

    from extractor.document import Document, Page, Word

    words, end, text = [], 0, record.text
    for found in re.finditer(r"\S+", text):
        words.append(Word(text=found.group(), before=text[end : found.start()]))
        end = found.end()
    page = Page(page_no=1, words=tuple(words), after=text[end:])
    return Document.assemble(doc_id=record.id, media_type="text/plain", pages=[page])


def measured(refiner, records, base, errors):
    from extractor.knowledge.learning import codes_of
    from extractor.records import Entity, Maker

    maker, count, spent = Maker(extractor="gold", version="1"), Counter(), 0.0
    for record in records:
        document = document_of(record)
        gold = [entity for entity in record.entities if entity.type in LABELS]
        entities = [
            Entity(doc_id=record.id, span=entity.span, label=LABELS[entity.type], maker=maker)
            for entity in gold
        ]
        began = time.perf_counter()
        refined = refiner.refine(document, entities)
        spent += time.perf_counter() - began
        for annotated, entity in zip(gold, refined, strict=True):
            codes = codes_of(annotated.concept)
            code = f"{entity.code.system}:{entity.code.code}" if entity.code else None
            right = code in codes if codes else code is None
            row = base.with_code(code) if code else None
            same = right or (row is not None and bool(set(base.concept(row).codes) & set(codes)))
            kind = "composite" if len(codes) > 1 else "single" if codes else "nil"
            for group in ("all", kind, entity.label, *(["linkable"] if codes else [])):
                count[group] += 1
                count[f"{group} right"] += right
            count["same"] += same
            count["unknown"] += bool(codes) and not any(base.with_code(each) is not None for each in codes)
            count["no code"] += code is None
            count["coded right"] += right and code is not None
            if not right:
                errors[(entity.span.of(document.text), codes, code, entity.normalised)] += 1
    count["ms"] = round(1000 * spent)
    return count


def dictionary_codes(records, keep, replace):
    """Of strict matches of the dictionary with one annotated concept: how often each code is right."""
    from extractor.knowledge.learning import codes_of
    from extractor.registry import load

    dictionary = load("extractors", "dictionary")()
    count = Counter()
    for record in records:
        document = document_of(record)
        gold = {
            (entity.span.start, entity.span.end): codes_of(entity.concept)
            for entity in record.entities
            if entity.type in LABELS
        }
        found = [e for e in dictionary.entities(document) if (e.span.start, e.span.end) in gold]
        for way, entities in (
            ("own", found),
            ("kept", keep.refine(document, found)),
            ("new", replace.refine(document, found)),
        ):
            for entity in entities:
                codes = gold[entity.span.start, entity.span.end]
                if len(codes) == 1:
                    count[way] += f"{entity.code.system}:{entity.code.code}" in codes
                    count["all"] += way == "own"
    return count


def share(count, group):
    return f"{count[f'{group} right'] / count[group]:.4f}" if count[group] else "-"


def main():
    from extractor.gold import read_gold
    from extractor.knowledge.base import load_knowledge
    from extractor.refiners.linker import LinkerRefiner

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--split", default="dev", choices=("dev", "train"))
    parser.add_argument("--pack", default="knowledge-biomedical")
    parser.add_argument("--errors", type=int, default=0, help="print so many of the commonest errors")
    chosen = parser.parse_args()
    told = subprocess.run(
        [sys.executable, "-c", COST, chosen.pack], capture_output=True, text=True, check=True, env=os.environ
    )
    cost = json.loads(told.stdout)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pack {chosen.pack}"
    )
    print(
        f"{cost['concepts']} concepts, {cost['names']} names; load {cost['load']:.2f} s, with the 3-gram index "
        f"{cost['warm']:.2f} s; memory {cost['memory']:.0f} MB, peak while loading {cost['peak']:.0f} MB\n"
    )
    base = load_knowledge(chosen.pack)
    print(
        "| corpus | learned names | all | with concept | composites | single | disease | drug | same concept "
        "| no code | right of coded | concept unknown | mentions/s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for corpus in CORPORA:
        records = read_gold([chosen.corpora / corpus / f"{chosen.split}.jsonl.gz"])
        for learned in (True, False):
            errors = Counter()
            count = measured(LinkerRefiner(pack=chosen.pack, learned=learned), records, base, errors)
            groups = ("all", "linkable", "composite", "single", "disease", "drug")
            print(
                f"| {corpus} {chosen.split} ({count['all']}) | {'yes' if learned else 'no'} | "
                + " | ".join(share(count, group) for group in groups)
                + f" | {count['same'] / count['all']:.4f} | {count['no code'] / count['all']:.3f} | "
                f"{count['coded right'] / max(1, count['all'] - count['no code']):.4f} | "
                f"{count['unknown'] / count['all']:.3f} | {1000 * count['all'] / count['ms']:.0f} |"
            )
            if learned:
                for error, times in errors.most_common(chosen.errors):
                    print(times, *error, sep="\t")
    keep, replace = (LinkerRefiner(pack=chosen.pack, replace_codes=way) for way in (False, True))
    print(
        "\ncodes of the dictionary's strict matches that are right: its own, kept, replaced by the linker's"
    )
    for corpus in CORPORA:
        count = dictionary_codes(
            read_gold([chosen.corpora / corpus / f"{chosen.split}.jsonl.gz"]), keep, replace
        )
        print(
            f"| {corpus} {chosen.split} ({count['all']}) | "
            + " | ".join(f"{count[w] / count['all']:.4f}" for w in ("own", "kept", "new"))
            + " |"
        )


if __name__ == "__main__":
    main()
