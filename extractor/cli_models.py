"""The commands around models: measure them, train them, build what they know."""

from __future__ import annotations
