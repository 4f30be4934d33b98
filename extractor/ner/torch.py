"""The recogniser's model by transformers: on a GPU, or on a CPU where torch is installed (extra ``gpu``)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from extractor.errors import ConfigError, MissingToolError
from extractor.ner.decoding import Scores
from extractor.ner.recogniser import Ids

log = logging.getLogger(__name__)


class TorchBackend:
    """A token-classification folder in ``precision`` (fp16, bf16, fp32; None: fp16 on a GPU, else fp32).

    When a batch does not fit into the device's memory it is halved, down to one
    window, and the smaller size is kept for the rest of the process.

    Raises:
        MissingToolError: torch or transformers is not installed, or the folder holds no such model.
        ConfigError: the device does not exist here, or the precision is unknown.
    """

    def __init__(self, path: Path, *, device: str = "auto", precision: str | None = None) -> None:
        try:
            import torch
            from safetensors import SafetensorError
            from transformers import AutoModelForTokenClassification
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise MissingToolError(
                "the torch backend needs the extra: pip install 'lifescience-extractor[gpu]'"
            ) from error
        disable_progress_bar()  # of the weights; it would cut through a run's own display
        self._torch = torch
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if chosen.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError("the ner extractor is set to a GPU, but torch sees none")
        kinds = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
        kind = kinds.get(precision or ("fp16" if chosen.startswith("cuda") else "fp32"))
        if kind is None:
            raise ConfigError(f"no precision {precision!r}; known: {', '.join(kinds)}")
        try:
            self._device = torch.device(chosen)
        except RuntimeError:
            raise ConfigError(f"no device {chosen!r}; known: auto, cpu, cuda, cuda:1 ...") from None
        try:
            model, loaded = AutoModelForTokenClassification.from_pretrained(
                str(path), dtype=kind, local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise MissingToolError(
                "the folder holds no token-classification model", code="tool.model"
            ) from error
        if loaded["missing_keys"]:  # an encoder without the head that would say labels
            raise MissingToolError("the folder's weights are no token classifier's", code="tool.model")
        try:
            self._model: Any = model.to(self._device).eval()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ConfigError(f"torch cannot use the device {chosen!r} here") from error
        self.labels: dict[int, str] = dict(model.config.id2label)
        self._takes_features = getattr(model.config, "type_vocab_size", 0) > 2
        self._rows = 0  # 0: no bound found yet

    def scores(self, ids: Ids, features: Ids, mask: Ids) -> Scores:
        rows = min(self._rows or len(ids), len(ids))
        parts: list[Scores] = []
        begin = 0
        while begin < len(ids):
            end = begin + rows
            try:
                parts.append(self._forward(ids[begin:end], features[begin:end], mask[begin:end]))
            except self._torch.OutOfMemoryError:
                if rows == 1:
                    raise
                rows = self._rows = max(1, rows // 2)
                log.warning("device memory is full: batches are cut to %d windows", rows)
                if self._device.type == "cuda":
                    self._torch.cuda.empty_cache()
                continue
            begin = end
        return np.concatenate(parts)

    def _forward(self, ids: Ids, features: Ids, mask: Ids) -> Scores:
        torch = self._torch
        given = {
            "input_ids": torch.from_numpy(ids).to(self._device),
            "attention_mask": torch.from_numpy(mask).to(self._device),
        }
        if self._takes_features:
            given["token_type_ids"] = torch.from_numpy(features).to(self._device)
        with torch.inference_mode():
            found: Scores = self._model(**given).logits.float().cpu().numpy()
        return found
