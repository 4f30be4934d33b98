"""Fine-tuning of an encoder for token classification over many corpora at once.

The loss of a word is minus the log of the probability that the model gives to
the labels its corpus allows together, among those that compete (see ``corpus``). Weights are averaged
over the last steps by an exponential moving average, which is what is kept.
A checkpoint after each epoch holds everything, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from extractor.errors import ConfigError, MissingToolError
from extractor.ner.batches import by_length
from extractor.ner.features import ROWS, VOCABULARIES, Features
from extractor.ner.hub import hub_folder
from extractor.ner.labels import LabelSet
from extractor.ner.pieces import Pieces
from extractor.training.corpus import Corpus, Example, ExampleMaker, Masks, drawn, read_records

PRECISIONS = ("bf16", "fp32")
_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One training run, as ``configs/training/ner.yaml`` explains key by key."""

    encoder: str
    corpora: tuple[Corpus, ...]
    epochs: int
    learning_rate: float
    head_learning_rate: float
    warmup: float
    weight_decay: float
    batch_pieces: int
    window_pieces: int
    dropout: float
    average: float
    seed: int
    features: bool
    precision: str
    threads: int

    @classmethod
    def of(cls, found: Mapping[str, Any], root: Path) -> Settings:
        """From a parsed training file; corpus files are relative to ``root``.

        Raises:
            ConfigError: a key is missing or unknown, or a value is not of its kind.
        """
        found = {key: value for key, value in found.items() if key not in {"licence", "source"}}
        known = set(cls.__dataclass_fields__)
        if strange := sorted(set(found) - known):
            raise ConfigError(f"unknown training setting {strange[0]!r}; known: {', '.join(sorted(known))}")
        if missing := sorted(known - set(found)):
            raise ConfigError(f"the training file lacks {missing[0]!r}")
        for key, kind in cls.__annotations__.items():
            wanted = _KINDS.get(kind)
            if wanted and (
                not isinstance(found[key], wanted) or isinstance(found[key], bool) is not (kind == "bool")
            ):
                raise ConfigError(f"training setting {key!r} must be of kind {kind} (write 2.0e-4, not 2e-4)")
        if found["precision"] not in PRECISIONS:
            raise ConfigError(f"no precision {found['precision']!r}; known: {', '.join(PRECISIONS)}")
        corpora = tuple(Corpus.of(entry, root) for entry in found["corpora"])
        return cls(**{**found, "corpora": corpora})


class Trainer:
    """One run into a folder: ``log.jsonl``, ``checkpoint.pt``, at the end ``model/`` with the averaged weights."""

    def __init__(self, settings: Settings, out: Path, *, say: Callable[[str], None] = print) -> None:
        self.settings = settings
        self.out = out
        self.labels = LabelSet()
        self._say = say
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.encoder = encoder_folder(settings.encoder)
        self.model = new_model(self.encoder, self.labels, rows=ROWS if settings.features else None,
                               dropout=settings.dropout)  # fmt: skip
        self.pieces = Pieces(self.encoder / "tokenizer.json")

    def run(self) -> Path:
        """Train to the end, or go on from the checkpoint; gives the folder of the trained model."""
        self.out.mkdir(parents=True, exist_ok=True)
        masks, examples = self._examples()
        allowed, competing = map(torch.tensor, masks.matrices())
        plans = [self._batches(examples, epoch) for epoch in range(self.settings.epochs)]
        total = sum(map(len, plans))
        if not total:
            raise ConfigError("the training corpora hold no text")
        optimiser = self._optimiser()
        average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        step = first_epoch = 0
        spent = 0.0
        checkpoint = self.out / "checkpoint.pt"
        if checkpoint.is_file():
            kept = torch.load(checkpoint, weights_only=True)
            self.model.load_state_dict(kept["model"])
            optimiser.load_state_dict(kept["optimiser"])
            average, step, first_epoch, spent = kept["average"], kept["step"], kept["epoch"], kept["spent"]
            self._say(f"goes on at epoch {first_epoch + 1}")
        started = time.monotonic() - spent
        for epoch in range(first_epoch, self.settings.epochs):
            torch.manual_seed(self.settings.seed + epoch)
            loss_sum = word_sum = piece_sum = 0.0
            marked = time.monotonic()
            for place, batch in enumerate(plans[epoch], start=1):
                for group in optimiser.param_groups:
                    group["lr"] = group["base"] * self._rate(step / total)
                loss, words, pieces = self._step(batch, allowed, competing, optimiser)
                step += 1
                loss_sum, word_sum, piece_sum = loss_sum + loss, word_sum + words, piece_sum + pieces
                decay = min(self.settings.average, (1 + step) / (10 + step))
                with torch.no_grad():
                    kept_values = list(average.values())
                    torch._foreach_lerp_(kept_values, list(self.model.parameters()), 1 - decay)
                if step % 100 == 0 or place == len(plans[epoch]):
                    self._log(
                        epoch,
                        step,
                        total,
                        loss_sum / max(word_sum, 1),
                        piece_sum / (time.monotonic() - marked),
                        time.monotonic() - started,
                    )
                    loss_sum = word_sum = piece_sum = 0.0
                    marked = time.monotonic()
            state = {
                "model": self.model.state_dict(), "optimiser": optimiser.state_dict(), "average": average,
                "step": step, "epoch": epoch + 1, "spent": time.monotonic() - started,
            }  # fmt: skip
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            self._say(f"epoch {epoch + 1} of {self.settings.epochs} done after {state['spent'] / 60:.1f} min")
        self.model.load_state_dict(average, strict=False)
        return save_model(self.model, self.encoder, self.out / "model")

    def _examples(self) -> tuple[Masks, dict[str, list[Example]]]:
        masks = Masks(self.labels)
        features = Features.of_packs(VOCABULARIES) if self.settings.features else None
        maker = ExampleMaker(self.pieces, features, masks, limit=self.settings.window_pieces)
        found: dict[str, list[Example]] = {}
        for corpus in self.settings.corpora:
            found[corpus.name] = [
                example
                for file in corpus.files
                for record in read_records(file)
                for example in maker.examples(corpus, record)
            ]
            count = sum(len(example.ids) for example in found[corpus.name])
            self._say(
                f"{corpus.name}: {len(found[corpus.name])} windows, {count} pieces, share {corpus.share:g}"
            )
        return masks, found

    def _batches(self, examples: Mapping[str, Sequence[Example]], epoch: int) -> list[list[Example]]:
        """Windows of similar length together, at most ``batch_pieces`` padded pieces, batches in random order."""
        seed = self.settings.seed
        chosen = [
            example
            for corpus in self.settings.corpora
            for example in drawn(examples[corpus.name], corpus.share, epoch, seed)
        ]
        rng = random.Random(seed * 1000 + epoch)  # noqa: S311  # reproducible, not secret
        rng.shuffle(chosen)
        batches: list[list[Example]] = []
        for begin in range(0, len(chosen), 2048):
            batches.extend(by_length(chosen[begin : begin + 2048], self.settings.batch_pieces))
        rng.shuffle(batches)
        return batches

    def _step(
        self, batch: Sequence[Example], allowed: Any, competing: Any, optimiser: Any
    ) -> tuple[float, int, int]:
        ids, features, mask, targets = tensors(batch, self.pieces.pad)
        self.model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.precision == "bf16"):
            hidden = self.model.base_model(input_ids=ids, attention_mask=mask, token_type_ids=features)[0]
            chosen = targets >= 0
            logits = self.model.classifier(self.model.dropout(hidden[chosen]))
        logits = logits.float()
        rows = targets[chosen]
        permitted = logits.masked_fill(~allowed[rows], -math.inf)
        against = logits.masked_fill(~competing[rows], -math.inf)
        losses = torch.logsumexp(against, -1) - torch.logsumexp(permitted, -1)
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return float(losses.detach().sum()), int(losses.numel()), int(mask.sum())

    def _optimiser(self) -> Any:
        plain, decayed, head = [], [], []
        for name, parameter in self.model.named_parameters():
            if name.startswith("classifier") or "token_type_embeddings" in name:
                head.append(parameter)
            elif parameter.ndim < 2:
                plain.append(parameter)
            else:
                decayed.append(parameter)
        own = self.settings
        groups = [
            {"params": plain, "weight_decay": 0.0, "base": own.learning_rate},
            {"params": decayed, "weight_decay": own.weight_decay, "base": own.learning_rate},
            {"params": head, "weight_decay": 0.0, "base": own.head_learning_rate},
        ]
        return torch.optim.AdamW(groups, lr=own.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)

    def _rate(self, done: float) -> float:
        warmup = self.settings.warmup
        return done / warmup if done < warmup else max(0.0, (1 - done) / (1 - warmup))

    def _log(self, epoch: int, step: int, total: int, loss: float, rate: float, seconds: float) -> None:
        line = {
            "epoch": epoch + 1,
            "step": step,
            "of": total,
            "loss": round(loss, 4),
            "pieces_s": round(rate),
            "s": round(seconds),
        }
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        self._say(json.dumps({**line, "left_min": round(seconds / step * (total - step) / 60, 1)}))


def tensors(batch: Sequence[Example], pad: int) -> tuple[Any, Any, Any, Any]:
    """Ids, features, attention mask and targets (-1: none), each (examples, pieces)."""
    width = max(len(example.ids) for example in batch)
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    features = torch.zeros((len(batch), width), dtype=torch.long)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    targets = torch.full((len(batch), width), -1, dtype=torch.long)
    for row, example in enumerate(batch):
        size = len(example.ids)
        ids[row, :size] = torch.tensor(example.ids)
        features[row, :size] = torch.tensor(example.features)
        mask[row, :size] = 1
        targets[row, :size] = torch.tensor(example.masks)
    return ids, features, mask, targets


def encoder_folder(name: str) -> Path:
    """A local folder of an encoder, or the cached files of a hub id, or the model inside an installed package.

    Raises:
        MissingToolError: neither there nor to be had.
    """
    if (folder := Path(name)).is_dir():
        return folder
    if name.startswith("package:"):
        from importlib.util import find_spec

        spec = find_spec(name.removeprefix("package:").split("/")[0])
        if spec is None or spec.origin is None:
            raise MissingToolError(f"the package of encoder {name!r} is not installed", code="tool.model")
        return Path(spec.origin).parent.joinpath(*name.split("/")[1:])
    return hub_folder(name)


def new_model(folder: Path, labels: LabelSet, *, rows: int | None, dropout: float) -> Any:
    """An encoder with a fresh head; ``rows`` replaces the segment table by so many copies of its first row.

    A recogniser with these labels and as many rows goes on with the head and the table it has.

    Raises:
        ConfigError: the encoder is not BERT-like (BERT, RoBERTa and their kin have a segment table).
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    if not (getattr(config, "type_vocab_size", 0) and hasattr(config, "classifier_dropout")):
        raise ConfigError(
            f"an encoder of the kind {config.model_type!r} cannot be trained here: no segment table"
        )
    model = AutoModelForTokenClassification.from_pretrained(
        str(folder),
        num_labels=len(labels.names),
        id2label=dict(enumerate(labels.names)),
        label2id=labels.index,
        classifier_dropout=dropout,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # a token classifier of other labels is an encoder too
        local_files_only=True,
        attn_implementation="eager",  # faster than fused attention on short windows without a GPU
    )
    if rows is not None:
        old = model.base_model.embeddings.token_type_embeddings.weight.detach()
        if len(old) == rows:
            return model
        fresh = torch.nn.Embedding(rows, old.shape[1])
        with torch.no_grad():
            fresh.weight.copy_(old[:1].expand(rows, -1))
        model.base_model.embeddings.token_type_embeddings = fresh
        model.config.type_vocab_size = rows
    return model


def save_model(model: Any, encoder: Path, out: Path) -> Path:
    """Weights in full precision, configuration and tokeniser as one Hugging Face folder."""
    import shutil

    model.save_pretrained(str(out), safe_serialization=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (encoder / name).is_file():
            shutil.copyfile(encoder / name, out / name)
    return out
