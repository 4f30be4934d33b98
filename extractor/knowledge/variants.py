"""Other ways to say a mention: order of words, adjectives, near synonyms, dropped modifiers, parts of a composite.

All work on name keys (``terms.name_key``): folded words in the singular. None
decides anything: a variant counts where the knowledge base has a name of it,
and its kind is a feature of the ranker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from extractor.knowledge.terms import name_key

REWORDED, RELAXED, PART = "reworded", "relaxed", "part"

_MOST = 48
_MOST_WORDS = 12

_SETS = (
    ("cancer", "carcinoma", "neoplasm", "tumor", "malignancy"),
    ("failure", "insufficiency", "dysfunction", "impairment"),
    ("injury", "damage", "toxicity", "disease", "dysfunction"),
    ("disease", "disorder", "syndrome", "abnormality", "anomaly", "defect"),
    ("renal", "kidney", "nephric"),
    ("hepatic", "liver"),
    ("cardiac", "heart", "myocardial", "cardiovascular"),
    ("pulmonary", "lung"),
    ("cerebral", "brain"),
    ("gastric", "stomach"),
    ("ovarian", "ovary"),
    ("colonic", "colon", "colorectal"),
    ("thyroid", "thyroidal"),
    ("prostatic", "prostate"),
    ("testicular", "testis"),
    ("uterine", "uterus"),
    ("mammary", "breast"),
    ("cutaneous", "skin"),
    ("ocular", "eye"),
    ("optic", "optical"),
    ("muscular", "muscle"),
    ("hearing loss", "deafness"),
    ("bleeding", "hemorrhage"),
    ("infarct", "infarction"),
    ("seizure", "convulsion"),
    ("lesion", "disease"),
    ("deficit", "disorder"),
    ("deficient", "deficiency"),
    ("elevated", "increased", "high"),
    ("low", "decreased", "reduced"),
    ("memory deficit", "memory disorder"),
    ("tremulous", "tremor"),
    ("autistic", "autism"),
    ("anxious", "anxiety"),
    ("suicidal", "suicide"),
    ("depressive", "depression", "depressed"),
    ("bipolar", "bipolar disorder"),
    ("epileptic", "epilepsy", "seizure"),
    ("diabetic", "diabete", "diabete mellitu"),
    ("leukemic", "leukemia"),
    ("cancerous", "cancer"),
    ("tumorigenesi", "tumor"),
    ("parkinsonian", "parkinson disease", "parkinsonism"),
    ("anaphylactic", "anaphylaxi"),
)
_ENDINGS = (
    ("tensive", "tension"),
    ("toxic", "toxicity"),
    ("pathic", "pathy"),
    ("plegic", "plegia"),
    ("penic", "penia"),
    ("algic", "algia"),
    ("emic", "emia"),
    ("emic", "emia"),
    ("uric", "uria"),
    ("trophic", "trophy"),
    ("kinetic", "kinesia"),
    ("phrenic", "phrenia"),
    ("lytic", "lysis"),
    ("itic", "itis"),
    ("otic", "osis"),
    ("atic", "asis"),
    ("ectatic", "ectasis"),
    ("rhagic", "rhage"),
    ("rrhythmic", "rrhythmia"),
    ("tonic", "tonia"),
    ("static", "stasis"),
    ("genic", "genesis"),
    ("manic", "mania"),
    ("ile", "ility"),
    ("ent", "ence"),
    ("ic", "y"),
    ("ic", "ia"),
    ("ous", ""),
    ("ity", "e"),
    ("ed", "ion"),
)
_MODIFIERS = frozenset(
    (
        "severe", "mild", "moderate", "acute", "chronic", "familial", "hereditary", "inherited", "sporadic",
        "congenital", "primary", "secondary", "human", "transient", "recurrent", "progressive", "bilateral",
        "unilateral", "early", "late", "onset", "adult", "juvenile", "infantile", "childhood", "classic",
        "classical", "typical", "atypical", "autosomal", "dominant", "recessive", "x", "linked", "isolated",
        "non", "the", "a", "an", "induced", "related", "associated", "drug", "symptomatic", "advanced",
        "metastatic", "invasive", "common", "rare", "genetic", "idiopathic", "fatal", "lethal", "massive",
        "generalized", "focal", "diffuse", "spontaneous", "persistent", "new", "total", "complete", "partial",
        "experimental", "clinical", "possible", "multiple", "malignant", "benign", "left", "right", "type",
    )
)  # fmt: skip
_TAILS = frozenset(
    (
        "disease", "disorder", "syndrome", "patient", "attack", "episode", "family", "phenotype", "symptom",
        "condition", "susceptibility", "type", "form", "case", "1", "2", "3", "i", "lesion", "event", "locus",
        "hydrochloride", "sodium", "sulfate", "acetate", "hcl", "chloride", "potassium", "tartrate", "maleate",
    )
)  # fmt: skip
_ADDED = ("disease", "syndrome", "disorder")
_OF = re.compile(r"^(.+?) (?:of|in|to) (?:the |a |an )?(.+)$")
_AND = re.compile(r"\s+(?:and/or|and|or|versus|vs\.?)\s+|\s*/\s*|,\s+(?:and\s+|or\s+)?")


def variants(key: str) -> Iterator[tuple[str, str]]:
    """(key, kind) of other ways to say ``key``: reworded ones first, then relaxed ones; none twice."""
    words = key.split()
    if not words or len(words) > _MOST_WORDS:
        return
    seen = {key}
    reworded: list[str] = []
    for found in _reworded(key):
        if found not in seen:
            seen.add(found)
            reworded.append(found)
            yield found, REWORDED
    for once in reworded[:12]:
        for found in _reworded(once):
            if found not in seen and len(seen) < _MOST:
                seen.add(found)
                yield found, REWORDED
    for shorter in _relaxed(words):
        for found in (shorter, *_reworded(shorter)):
            if found not in seen and len(seen) < 2 * _MOST:
                seen.add(found)
                yield found, RELAXED


def parts(mention: str) -> list[str]:
    """The parts of a composite mention as keys: "breast and ovarian cancer" gives both cancers.

    Empty where the mention does not read as a composite.
    """
    pieces = [piece for piece in _AND.split(mention) if piece.strip()]
    if not 1 < len(pieces) <= 6:
        return []
    first, last = pieces[0].split(), pieces[-1].split()
    found: list[str] = []
    for place, piece in enumerate(pieces):
        words = piece.split()
        whole = [piece]
        if place < len(pieces) - 1 and len(last) > 1:
            whole = [" ".join((*words, *last[cut:])) for cut in range(1, len(last))] + whole
        if place and len(first) > 1:
            whole += [" ".join((*first[:cut], *words)) for cut in range(len(first) - 1, 0, -1)]
        found += [name_key(each) for each in whole]
    return [key for key in dict.fromkeys(found) if key]


def _reworded(key: str) -> Iterator[str]:
    words = key.split()
    turned = _OF.match(key)
    if turned is not None:
        yield f"{turned.group(2)} {turned.group(1)}"
    for place, word in enumerate(words):
        before, after = words[:place], words[place + 1 :]
        for other in _ALIKE.get(word, ()):
            yield " ".join((*before, other, *after))
        pair = " ".join(words[place : place + 2])
        for other in _ALIKE.get(pair, ()) if " " in pair else ():
            yield " ".join((*before, other, *words[place + 2 :]))
        if len(word) > 5:
            for ending, noun in _ENDINGS:
                if word.endswith(ending):
                    yield " ".join((*before, name_key(word[: -len(ending)] + noun), *after))
    if len(words) > 1:
        yield "".join(words)
        yield " ".join((*words[1:], words[0]))
    if words[-1] not in _TAILS:
        for tail in _ADDED:
            yield f"{key} {tail}"


def _relaxed(words: list[str]) -> Iterator[str]:
    kept = [word for word in words if word not in _MODIFIERS]
    if kept and len(kept) < len(words):
        yield " ".join(kept)
    for place, word in enumerate(words):
        if word in _MODIFIERS and len(words) > 1:
            yield " ".join(words[:place] + words[place + 1 :])
    if len(words) > 1 and words[-1] in _TAILS:
        yield " ".join(words[:-1])
        if len(kept) > 1 and kept[-1] in _TAILS:
            yield " ".join(kept[:-1])
    if "induced" in words[1:]:  # "heparin-induced thrombocytopenia"
        yield " ".join(words[words.index("induced", 1) + 1 :])


def _made() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for same in _SETS:
        for word in same:
            found.setdefault(word, []).extend(other for other in same if other != word)
    return {word: tuple(dict.fromkeys(others)) for word, others in found.items()}


_ALIKE = _made()
