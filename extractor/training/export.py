"""From a trained folder to what ships: half-precision weights, int8 ONNX, calibration, manifest."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from extractor.ner.labels import LabelSet
from extractor.ner.model import DESCRIPTION_FILE, ONNX_FILE

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def export_model(
    trained: Path,
    out: Path,
    *,
    window_pieces: int,
    features: bool,
    vocabularies: Sequence[str],
    calibration: Mapping[str, Mapping[str, float]],
) -> Path:
    """Write the files of a shipped model into ``out``; card and manifest come after."""
    out.mkdir(parents=True, exist_ok=True)
    _write_weights(trained, out)
    described = {
        "types": list(LabelSet().types),
        "features": features,
        "vocabularies": list(vocabularies) if features else [],
        "window_pieces": window_pieces,
        "calibration": {kind: dict(fitted) for kind, fitted in calibration.items()},
    }
    _write_description(out, described)
    return out


def calibrate_model(folder: Path, calibration: Mapping[str, Mapping[str, float]]) -> None:
    """Write other temperatures and biases into an exported model; its manifest is stale afterwards."""
    described = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    fitted = {kind: dict(values) for kind, values in calibration.items()}
    _write_description(folder, {**described, "calibration": fitted})


def _write_description(folder: Path, described: Mapping[str, Any]) -> None:
    (folder / DESCRIPTION_FILE).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _write_weights(trained: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(
        str(trained), local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "model.onnx"
        to_onnx(model, whole)
        to_int8(whole, out / ONNX_FILE)
    model.half().save_pretrained(str(out), safe_serialization=True)
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes files for the owner alone
    for name in TOKENIZER_FILES:
        if (trained / name).is_file():
            shutil.copyfile(trained / name, out / name)


def to_onnx(model: Any, path: Path) -> None:
    """The model in full precision with inputs input_ids, attention_mask, token_type_ids (batch, pieces)."""
    import torch

    class Plain(torch.nn.Module):  # type: ignore[misc]  # Any: torch is not always there
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).logits

    ids = torch.randint(model.config.vocab_size, (2, 16))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "windows", 1: "pieces"} for name in [*names, "logits"]}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Plain().eval(),
            (ids, torch.ones_like(ids), torch.zeros_like(ids)),
            str(path),
            input_names=names,
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def to_int8(whole: Path, out: Path) -> None:
    """Dynamic quantisation to int8, one scale per output channel; ONNX Runtime's own fusions first."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # fused, the embeddings would stay in full precision
    fused = optimize_model(
        str(whole), model_type="bert", num_heads=0, hidden_size=0, opt_level=0, optimization_options=options
    )
    middle = whole.with_name("fused.onnx")
    fused.save_model_to_file(str(middle))
    quantize_dynamic(
        str(middle),
        str(out),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=False,
        op_types_to_quantize=["MatMul", "Attention", "Gather"],
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # of the fused operators' outputs
    )
