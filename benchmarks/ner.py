"""The recogniser: tokens/s against the transformers pipeline with the same weights, int8 against full precision.

    python benchmarks/ner.py --corpora FOLDER [--model ner-biomedical] [--documents 150] [--repeat 3] [--threads 2]

Needs the extra ``gpu`` (torch, transformers). Every round measures both sides one after the other; medians and
ratios are printed. Tokens are words and single signs (\\w+|[^\\w\\s]), the same for both. The pipeline reads the
documents sentence by sentence as its users do (its default batch of one, then batches of 16); ours whole documents.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import statistics
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

TOKEN = re.compile(r"\w+|[^\w\s]")
LABELS = {
    "bc5cdr": {"Chemical": {"drug"}, "Disease": {"disease", "sign_symptom", "adverse_effect"}},
    "maccrobat2020": {"Medication": {"drug"}, "Sign_symptom": {"sign_symptom"}, "Lab_value": {"lab_value"}},
}


def records(path: Path, count: int) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line, _ in zip(stream, range(count), strict=False)]


def sentences(text: str) -> list[str]:
    from extractor.ner.words import words_of

    words = words_of(text)
    bounds = [0, *words.breaks, len(words)]
    return [text[words.starts[a] : words.ends[b - 1]] for a, b in pairwise(bounds) if b > a]


def f1(found, gold, types):
    right = mine = wanted = 0
    of = {ours: name for name, all_ours in types.items() for ours in all_ours}
    for record, entities in zip(gold, found, strict=True):
        expected = {(e["start"], e["end"], e["type"]) for e in record["entities"] if e["type"] in types}
        predicted = {(e.span.start, e.span.end, of[e.label]) for e in entities if e.label in of}
        right, mine, wanted = right + len(expected & predicted), mine + len(predicted), wanted + len(expected)
    return 2 * right / (mine + wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--model", default="ner-biomedical")
    parser.add_argument("--documents", type=int, default=150)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()

    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    from extractor.evaluation.documents import text_document
    from extractor.extractors.ner import NerExtractor
    from extractor.resources import model_folder

    torch.set_num_threads(chosen.threads)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {chosen.threads} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, transformers {version('transformers')}, onnxruntime {version('onnxruntime')}"
    )
    folder = model_folder(chosen.model)
    gold = records(chosen.corpora / "bc5cdr" / "dev.jsonl.gz", chosen.documents)
    documents = [text_document(record["text"]) for record in gold]
    tokens = sum(len(TOKEN.findall(record["text"])) for record in gold)
    split = [sentence for record in gold for sentence in sentences(record["text"])]

    ours = NerExtractor(model=chosen.model, threads=chosen.threads)
    model = AutoModelForTokenClassification.from_pretrained(str(folder), dtype=torch.float32).eval()
    peer = pipeline(
        "token-classification",
        model=model,
        tokenizer=AutoTokenizer.from_pretrained(str(folder)),
        aggregation_strategy="simple",
        device="cpu",
    )
    sides = {
        "extractor, int8 ONNX": lambda: list(ours.entities_of(documents)),
        "transformers pipeline, fp32": lambda: peer(split),
        "transformers pipeline, fp32, batches of 16": lambda: peer(split, batch_size=16),
    }
    list(ours.entities_of(documents[:3]))
    peer(split[:3])
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(chosen.repeat):
        for name, run in sides.items():
            began = time.perf_counter()
            run()
            rates[name].append(tokens / (time.perf_counter() - began))
    mine = statistics.median(rates["extractor, int8 ONNX"])
    print(f"\n{'':46}{'tokens/s':>10}{'ours is':>10}   (median of {chosen.repeat}, {tokens} tokens)")
    for name, found in rates.items():
        print(f"{name:46}{statistics.median(found):10.0f}{mine / statistics.median(found):9.1f}x")

    print(f"\n{'strict F1':16}{'int8 ONNX':>12}{'fp32 torch':>12}{'points lost':>13}")
    whole = NerExtractor(model=chosen.model, backend="torch", device="cpu", precision="fp32")
    for corpus, types in LABELS.items():
        gold = records(chosen.corpora / corpus / "dev.jsonl.gz", chosen.documents)
        documents = [text_document(record["text"]) for record in gold]
        small = f1(ours.entities_of(documents), gold, types)
        full = f1(whole.entities_of(documents), gold, types)
        print(f"{corpus:16}{small:12.4f}{full:12.4f}{100 * (full - small):13.2f}")


if __name__ == "__main__":
    main()
