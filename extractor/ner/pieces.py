"""Word pieces of words, by the tokeniser that came with an encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extractor.errors import MissingToolError

KEPT_WORDS = 100_000


class Pieces:
    """A tokeniser file (``tokenizer.json`` of Hugging Face tokenizers) that reads word by word.

    ``begin`` and ``end`` are the ids around a sequence, ``pad`` fills up a batch.
    Words are remembered up to ``KEPT_WORDS`` and then forgotten all at once, so memory stays flat.
    A tokeniser of bytes (RoBERTa) tells a word within a sentence by the blank before it: every word gets one.

    Raises:
        MissingToolError: no file, no tokeniser in it, or one that puts no marks around a sequence.
    """

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        if not path.is_file():
            raise MissingToolError("the model has no tokenizer.json", code="tool.model")
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MissingToolError("the model's tokenizer.json is damaged", code="tool.model") from error
        _blank_before_words(described.get("pre_tokenizer"))
        self._tokenizer = Tokenizer.from_str(json.dumps(described))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        if self._tokenizer.num_special_tokens_to_add(is_pair=False) < 2:
            raise MissingToolError(
                "the model's tokenizer.json puts no marks around a sequence", code="tool.model"
            )
        around = self._tokenizer.encode("").ids
        self.begin, self.end = around[0], around[-1]
        self.pad = self._tokenizer.token_to_id("[PAD]") or self._tokenizer.token_to_id("<pad>") or 0
        self._known: dict[str, tuple[int, ...]] = {}

    def of(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of each word; a word that the tokeniser drops (a control character) has none."""
        known = self._known
        if len(known) > KEPT_WORDS:
            known.clear()
        new = [word for word in dict.fromkeys(words) if word not in known]
        if new:
            encoded = self._tokenizer.encode_batch(
                [[word] for word in new], is_pretokenized=True, add_special_tokens=False
            )
            for word, encoding in zip(new, encoded, strict=True):
                known[word] = tuple(encoding.ids)
        return [known[word] for word in words]


def _blank_before_words(pre_tokenizer: dict[str, Any] | None) -> None:
    """Set ``add_prefix_space`` on the byte-level part of a pre-tokeniser, where it has one."""
    if pre_tokenizer is None:
        return
    for part in (pre_tokenizer, *pre_tokenizer.get("pretokenizers", ())):
        if part.get("type") == "ByteLevel":
            part["add_prefix_space"] = True
