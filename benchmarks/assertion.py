"""How good and how fast assertion is on given mentions.

    python benchmarks/assertion.py FILE.jsonl.gz [--errors]

FILE holds gzipped JSON lines ({id: "name-number", text, entities: [{start, end, negation, temporality,
experiencer}]}), as the NegEx test kit has them. Every mention is given; only its assertion is judged. Precision,
recall and F1 of the class Negated, of Historical (temporality historical), of hypothetical ("Not particular") and of
experiencers other than the patient. The even ids were looked at while the rules were made, the odd ids were not;
sentences often carry several mentions, so a third line holds odd ids whose sentence no even id has.
Speed: words per second of trigger matching, and of the whole refiner, single process.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from pathlib import Path

from entities import document_of


def records(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["entities"]:
                yield record


def judged(refiner, record):
    """(gold, found) of each mention of a record."""
    from extractor.records import Entity, Maker
    from extractor.spans import Span

    document = document_of(record)
    made = [
        Entity(
            doc_id=document.doc_id,
            span=Span(gold["start"], gold["end"]),
            label="disease",
            maker=Maker(extractor="gold", version="1"),
        )
        for gold in record["entities"]
    ]
    for gold, entity in zip(record["entities"], refiner.refine(document, made), strict=True):
        yield gold, entity.assertion


MEASURES = {
    "negated": (lambda gold: gold["negation"] == "Negated", lambda said: said.negated),
    "historical": (
        lambda gold: gold["temporality"] == "Historical",
        lambda said: said.temporality == "historical",
    ),
    "hypothetical": (
        lambda gold: gold["temporality"] == "Not particular",
        lambda said: said.certainty == "hypothetical",
    ),
    "not the patient": (
        lambda gold: gold["experiencer"] != "Patient",
        lambda said: said.experiencer != "patient",
    ),
}


def report(title, pairs):
    print(f"{title}: {len(pairs)} mentions")
    for name, (is_gold, is_found) in MEASURES.items():
        counts = Counter((is_gold(gold), bool(is_found(said))) for gold, said, _ in pairs)
        hit, false, missed = counts[True, True], counts[False, True], counts[True, False]
        precision = hit / (hit + false) if hit + false else float("nan")
        recall = hit / (hit + missed) if hit + missed else float("nan")
        f1 = 2 * hit / (2 * hit + false + missed) if hit + false + missed else float("nan")
        print(
            f"  {name:16} precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}  "
            f"({hit} right, {false} false, {missed} missed)"
        )


def show_errors(pairs):
    for gold, said, record in pairs:
        for name, (is_gold, is_found) in MEASURES.items():
            if is_gold(gold) != bool(is_found(said)):
                text = record["text"]
                marked = (
                    f"{text[max(0, gold['start'] - 100) : gold['start']]}"
                    f"[[{text[gold['start'] : gold['end']]}]]{text[gold['end'] : gold['end'] + 60]}"
                )
                print(f"{name} gold={is_gold(gold)} {record['id']}: {' '.join(marked.split())}")


def speed(refiner, read):
    from extractor.records import Entity, Maker
    from extractor.refiners.triggers import load_triggers, lowered, pieces
    from extractor.spans import Span

    texts = [record["text"] for record in read] * 5
    words = sum(len(text.split()) for text in texts)
    triggers = load_triggers()
    best = min(_timed(lambda: [triggers.find(pieces(lowered(text))) for text in texts]) for _ in range(3))
    print(f"trigger matching: {words / best:,.0f} words/s ({words} words)")
    long = {"id": "0" * 64, "text": "\n".join(record["text"] for record in read)}
    document = document_of(long)
    offset, made = 0, []
    for record in read:
        made += [
            Entity(
                doc_id=document.doc_id,
                span=Span(offset + gold["start"], offset + gold["end"]),
                label="disease",
                maker=Maker(extractor="gold", version="1"),
            )
            for gold in record["entities"]
        ]
        offset += len(record["text"]) + 1
    made.sort(key=lambda entity: entity.span)
    count = len(long["text"].split())
    best = min(_timed(lambda: refiner.refine(document, made)) for _ in range(3))
    print(f"whole refiner: {count / best:,.0f} words/s ({count} words, {len(made)} mentions in one document)")


def _timed(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main():
    from extractor.refiners.assertion import AssertionRefiner

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--errors", action="store_true", help="print the mistakes on even ids")
    chosen = parser.parse_args()
    refiner = AssertionRefiner()
    read = list(records(chosen.file))
    pairs = [(gold, said, record) for record in read for gold, said in judged(refiner, record)]
    even = [pair for pair in pairs if _number(pair[2]) % 2 == 0]
    if chosen.errors:
        show_errors(even)
        report("even ids", even)
        return
    seen = {_sentence(pair[2]) for pair in even}
    odd = [pair for pair in pairs if _number(pair[2]) % 2]
    report("even ids (looked at)", even)
    report("odd ids (held out)", odd)
    report("odd ids whose sentence no even id has", [pair for pair in odd if _sentence(pair[2]) not in seen])
    report("all", pairs)
    speed(refiner, read)


def _sentence(record):
    return " ".join(record["text"].lower().split())


def _number(record):
    return int(record["id"].rsplit("-", 1)[1])


if __name__ == "__main__":
    main()
