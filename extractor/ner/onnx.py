"""The recogniser's model on a CPU: ONNX Runtime, int8 weights, no torch."""

from __future__ import annotations

from pathlib import Path

from extractor.errors import MissingToolError
from extractor.ner.decoding import Scores
from extractor.ner.recogniser import Ids


class OnnxBackend:
    """One session per process. ``threads`` is the number of cores it may use; workers use one each."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # an arena keeps the largest batch for ever
        if not path.is_file():
            raise MissingToolError(f"the model has no {path.name}", code="tool.model")
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [given.name for given in self._session.get_inputs()]

    def scores(self, ids: Ids, features: Ids, mask: Ids) -> Scores:
        given = {"input_ids": ids, "token_type_ids": features, "attention_mask": mask}
        found: Scores = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        return found
