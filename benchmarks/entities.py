"""How good and how fast the dictionary is, and what all extractors cost in one process.

    python benchmarks/entities.py --corpora DIR [--split dev] [--repeat 3]

DIR holds bc5cdr/ and ncbi_disease/ as gzipped JSON lines ({id, text,
entities: [{start, end, type, concept}]}). Strict: same type, same start and end. Overlap: same type and at
least one shared character (each side counted once). Code: of the strict matches
of diseases whose annotation has one MeSH concept, the share with that code.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

LABELS = {
    "Chemical": "drug",
    "Disease": "disease",
    "SpecificDisease": "disease",
    "Modifier": "disease",
    "DiseaseClass": "disease",
    "CompositeMention": "disease",
}
CORPORA = (("bc5cdr", ("drug", "disease")), ("ncbi_disease", ("disease",)))

LOAD = """
import json, time
started = time.perf_counter()
from extractor.registry import EXTRACTORS, load
made = {}
for name in %r:
    began = time.perf_counter()
    made[name] = load("extractors", name)()
    %s
loaded = time.perf_counter() - started
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(json.dumps({"load_s": loaded, "peak_mb": int(peak) / 1024}))
"""


def document_of(record):
    from extractor.document import Document, Page, Word

    text, words, end = record["text"].replace("\f", "\n"), [], 0
    for found in re.finditer(r"\S+", text):
        words.append(Word(text=found.group(), before=text[end : found.start()]))
        end = found.end()
    page = Page(page_no=1, words=tuple(words), after=text[end:])
    return Document.assemble(doc_id=record["id"], media_type="text/plain", pages=[page])


def prf(found, wanted, gold):
    precision = found / wanted if wanted else 0.0
    recall = found / gold if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if found else 0.0


def score(extractor, records, labels):
    counts = defaultdict(lambda: defaultdict(int))
    for record in records:
        document = document_of(record)
        predicted = [e for e in extractor.entities(document) if e.label in labels]
        for label in labels:
            count = counts[label]
            gold = {
                (g["start"], g["end"]): g.get("concept", "")
                for g in record["entities"]
                if LABELS[g["type"]] == label
            }
            mine = {(e.span.start, e.span.end): e.code for e in predicted if e.label == label}
            count["gold"] += len(gold)
            count["mine"] += len(mine)
            count["strict"] += len(gold.keys() & mine.keys())
            count["touched_mine"] += sum(any(s < ge and gs < e for gs, ge in gold) for s, e in mine)
            count["touched_gold"] += sum(any(s < ge and gs < e for s, e in mine) for gs, ge in gold)
            for place in gold.keys() & mine.keys():
                concept = gold[place].removeprefix("MESH:")
                if re.fullmatch(r"[DC]\d+", concept) and mine[place].system == "MESH":
                    count["coded"] += 1
                    count["right_code"] += mine[place].code == concept
    return counts


def cost(names, extra="pass"):
    answer = subprocess.run(
        [sys.executable, "-c", LOAD % (names, extra)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    return json.loads(answer.stdout)


def main():
    from extractor.registry import EXTRACTORS, load

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--split", default="dev", choices=("dev", "train"))
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, spaCy {version('spacy')}"
    )
    extractors = {name: load("extractors", name)() for name in EXTRACTORS}
    dictionary = extractors["dictionary"]
    print(
        "packs:", ", ".join(f"{m.model}/{m.model_version} {m.model_sha256[:12]}" for m in dictionary.makers)
    )
    print(
        f"\n{'corpus':14}{'type':9}{'strict P':>9}{'R':>7}{'F1':>7}{'overlap P':>11}{'R':>7}{'F1':>7}"
        f"{'code':>7}{'mentions':>10}"
    )
    every = []
    for corpus, labels in CORPORA:
        path = chosen.corpora / corpus / f"{chosen.split}.jsonl.gz"
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            records = [json.loads(line) for line in stream]
        every += records
        for label, c in score(dictionary, records, labels).items():
            strict = prf(c["strict"], c["mine"], c["gold"])
            precision = c["touched_mine"] / c["mine"]
            recall = c["touched_gold"] / c["gold"]
            overlap = (precision, recall, 2 * precision * recall / (precision + recall))
            code = f"{c['right_code'] / c['coded']:7.3f}" if c["coded"] > 100 else f"{'-':>7}"
            print(
                f"{corpus:14}{label:9}{strict[0]:9.3f}{strict[1]:7.3f}{strict[2]:7.3f}"
                f"{overlap[0]:11.3f}{overlap[1]:7.3f}{overlap[2]:7.3f}{code}{c['gold']:10}"
            )

    documents = [document_of(record) for record in every]
    words = sum(len(record["text"].split()) for record in every)
    print(f"\n{'extractor':14}{'words/s':>10}   (median of {chosen.repeat}, CPU time, {words} words)")
    for name, extractor in extractors.items():
        seconds = []
        for _ in range(chosen.repeat):
            began = time.process_time()
            for document in documents:
                for _entity in extractor.entities(document):
                    pass
            seconds.append(time.process_time() - began)
        print(f"{name:14}{words / statistics.median(seconds):10.0f}")

    print(f"\n{'loaded in a fresh process':32}{'seconds':>9}{'peak MB':>9}")
    for name in EXTRACTORS:
        one = cost([name])
        print(f"{name:32}{one['load_s']:9.2f}{one['peak_mb']:9.0f}")
    text = "Acute kidney injury (AKI) after 5 mg warfarin daily on 2024-06-30, lot no. 24A0113."
    used = (
        "from extractor.document import Document, Page, Word; list(made[name].entities(Document.assemble("
        "doc_id='0', media_type='text/plain', pages=[Page(page_no=1, words=tuple(Word(text=w) for w in "
        f"{text!r}.split()))])))"
    )
    together = cost(list(EXTRACTORS), used)
    print(f"{'all, and used once (spaCy too)':32}{together['load_s']:9.2f}{together['peak_mb']:9.0f}")


if __name__ == "__main__":
    main()
