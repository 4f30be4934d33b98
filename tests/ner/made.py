"""Tiny models and tokenisers made for the tests of the recogniser: nothing is fetched, weights are random or overfitted."""

from __future__ import annotations

import string

import numpy as np

from extractor.ner.labels import LabelSet
from extractor.ner.pieces import Pieces

WORDS = (
    "aspirin", "severe", "headache", "fever", "after", "the", "patient", "took", "dose", "of", "mild", "and",
    "no", "with", "ibuprofen", "nausea",
)  # fmt: skip
_LETTERS = string.ascii_lowercase + string.digits
VOCABULARY = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS),
    *".,;:!?()/-",
)  # fmt: skip


def word_piece(folder):
    """A BERT tokeniser: known words are one piece, others are spelled by letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    numbered = {piece: place for place, piece in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(numbered, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def byte_level(folder):
    """A RoBERTa tokeniser as such models ship it: bytes, a blank belongs to the word after it, none is added."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(f"Ġ{letter}" for letter in _LETTERS)]
    merges = [("Ġ", letter) for letter in _LETTERS]
    numbered = {piece: place for place, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(numbered, merges, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def bert(folder, labels, *, rows=2, places=160, spread=0.3, seed=3):
    """A folder with a random two-layer BERT over ``labels`` and its tokeniser; gives the model."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    word_piece(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=places, type_vocab_size=rows, initializer_range=spread,
        id2label=dict(enumerate(labels)), label2id={label: place for place, label in enumerate(labels)},
    )  # fmt: skip
    model = BertForTokenClassification(config).eval()
    model.save_pretrained(str(folder))
    return model


def overfit(folder, model, sentences, *, steps=40):
    """Teach a model the labels of few sentences [(word, label)]; it is saved again into ``folder``."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # quicker for so little, and the machine is shared
    pieces = Pieces(folder / "tokenizer.json")
    number = model.config.label2id
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(steps):
        for sentence in sentences:
            ids, targets = [pieces.begin], [-100]
            for own, (_, label) in zip(pieces.of([word for word, _ in sentence]), sentence, strict=True):
                ids.extend(own)
                targets.extend([number[label], *[-100] * (len(own) - 1)])
            given = torch.tensor([[*ids, pieces.end]])
            model(input_ids=given, labels=torch.tensor([[*targets, -100]])).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    torch.set_num_threads(threads)
    model.eval().save_pretrained(str(folder))
    return model


class SpellingBackend:
    """Scores that say of each piece what a table {piece: label} says, else outside; remembers what it was given."""

    def __init__(self, labels: LabelSet, table, *, sure=8.0):
        self._width = len(labels.names)
        self._columns = {VOCABULARY.index(piece): labels.index[label] for piece, label in table.items()}
        self._sure = sure
        self.shapes = []
        self.features = []

    def scores(self, ids, features, mask):
        assert ids.shape == features.shape == mask.shape
        self.shapes.append(ids.shape)
        self.features.extend(int(number) for number in features[mask == 1])
        made = np.zeros((*ids.shape, self._width), dtype=np.float32)
        for row in range(ids.shape[0]):
            for place in range(ids.shape[1]):
                made[row, place, self._columns.get(int(ids[row, place]), 0)] = self._sure
        return made
