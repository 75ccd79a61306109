"""What a sentence encoder of other people must do to be measured. No torch here."""

from __future__ import annotations

from typing import Any, Protocol


class Encoder(Protocol):
    """Whatever gives one vector a text."""

    def encode(self, texts: list[str], /) -> Any:
        """Vectors of some texts, in their order: an array or tensor of shape [texts, width]."""
