"""How good the relators are where the mentions are given, and how fast they are.

    python benchmarks/relations.py --corpora DIR [--split dev] [--repeat 3]

DIR holds ade_v2/, maccrobat2020/ and bc5cdr/ as the training configuration
names them. Mentions are the annotated ones. A pair counts once: head, tail and
type must be those of an annotated relation (between mentions), or the two
concepts those of an annotated relation of the document (chemical_induced_disease).
"all related" says of every candidate that it is related: what a score is worth
must be seen beside it. ECE (10 bins) is over all candidates.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from extractor import resources
from extractor.relators.chemical_disease import ChemicalDiseaseRelator
from extractor.relators.concepts import concept_of
from extractor.relators.corpora import place, read_corpus
from extractor.relators.kinds import CHEMICAL_DISEASE
from extractor.relators.sentence import SentenceRelator
from extractor.relators.training import Settings, concept_candidates, sentence_candidates


def relations_of(relators, one):
    """What is found in a document: pairs of places, and pairs of concepts."""
    pairs, concepts = set(), set()
    for relator in relators:
        for found in relator.relations(one.document, one.entities):
            if found.label == CHEMICAL_DISEASE.label:
                for head in concept_of(one.document, found.head).split("|"):
                    for tail in concept_of(one.document, found.tail).split("|"):
                        concepts.add((found.label, head, tail))
            else:
                pairs.add((found.label, place(found.head), place(found.tail)))
    return pairs, concepts


def prf(right, said, gold):
    precision = right / said if said else 0.0
    recall = right / gold if gold else 0.0
    return precision, recall, 2 * right / (said + gold) if said + gold else 0.0


def ece(rows):
    bins = defaultdict(list)
    for probability, related in rows:
        bins[min(9, int(probability * 10))].append((probability, related))
    return sum(
        abs(sum(p for p, _ in found) - sum(related for _, related in found)) for found in bins.values()
    ) / max(1, len(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--split", default="dev", choices=("dev", "train"))
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()

    relators = [SentenceRelator(), ChemicalDiseaseRelator()]
    families = {}
    for relator in relators:
        print(f"{relator.maker.model}/{relator.maker.model_version} {relator.maker.model_sha256[:12]}")
    from extractor.relators.pack import CONCEPT_PACK, SENTENCE_PACK, load_pack

    for pack in (SENTENCE_PACK, CONCEPT_PACK):
        for family in load_pack(pack).families.values():
            families.update(dict.fromkeys(family.kinds, family))
    settings = Settings.read(resources.folder("configs") / "training" / "relations.yaml")
    print(
        f"\n{'corpus':16}{'relation':28}{'P':>7}{'R':>7}{'F1':>7}{'all related F1':>16}{'ECE':>7}{'gold':>7}"
    )
    every = []
    for corpus in settings.corpora:
        documents = read_corpus(
            replace(corpus, file=corpus.file.replace("train", chosen.split)), chosen.corpora
        )
        every += documents
        right, said, gold = Counter(), Counter(), Counter()
        for one in documents:
            pairs, concepts = relations_of(relators, one)
            wanted = {found for found in one.pairs | one.concepts if found[0] in corpus.kinds}
            found = {found for found in pairs | concepts if found[0] in corpus.kinds}
            gold.update(found[0] for found in wanted)
            said.update(each[0] for each in found)
            right.update(each[0] for each in found & wanted)
        candidates = sentence_candidates(documents)[0] + concept_candidates(documents)[0]
        for label in sorted(corpus.kinds):
            own = [each for each in candidates if each.label == label]
            scored = [(families[label].score(each.features)[1], each.related) for each in own]
            always = prf(sum(related for _, related in scored), len(scored), gold[label])[2]
            precision, recall, f1 = prf(right[label], said[label], gold[label])
            print(
                f"{corpus.name:16}{label:28}{precision:7.3f}{recall:7.3f}{f1:7.3f}{always:16.3f}"
                f"{ece(scored):7.3f}{gold[label]:7}"
            )
    seconds = []
    for _ in range(chosen.repeat):
        began = time.process_time()
        for one in every:
            relations_of(relators, one)
        seconds.append(time.process_time() - began)
    words = sum(len(one.document.text.split()) for one in every)
    mentions = sum(len(one.entities) for one in every)
    print(
        f"\n{words / statistics.median(seconds):.0f} words/s, {mentions / statistics.median(seconds):.0f} mentions/s "
        f"(median of {chosen.repeat}, CPU time, one core of {os.cpu_count()}, {platform.machine()})"
    )


if __name__ == "__main__":
    main()
