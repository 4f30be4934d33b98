"""Models of the Hugging Face hub, by id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from extractor.errors import MissingToolError

PATTERNS = ("*.json", "*.safetensors", "*.txt")
"""What of a model is fetched: nothing that runs code when it is read."""


def hub_folder(name: str, *, also: Sequence[str] = ()) -> Path:
    """The folder of a hub's model, fetched or from the hub's cache; ``also`` are further file patterns.

    Raises:
        MissingToolError: the hub's library is not installed, or the hub has no such model or cannot be reached.
    """
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=[*PATTERNS, *also]))
    except (ImportError, OSError, ValueError) as error:
        raise MissingToolError(
            f"model {name!r} is not here, and the hub gave nothing", code="tool.model"
        ) from error
