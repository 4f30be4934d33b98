"""Signs of the fonts Symbol and Wingdings that arrive as private use characters.

Such fonts number their signs from U+F020 on (the "symbol" character map of
TrueType fonts). What a number means depends on the font: U+F0B7 is a bullet in
Symbol and a clock in Wingdings. The pairs for Symbol are those of Adobe's
encoding (ISO 32000-1, annex D.5); for Wingdings only bullets, boxes, marks and
arrows are known here.
"""

from __future__ import annotations

_BASE = 0xF000

_SYMBOL_LOW = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"  # noqa: RUF001
)
"""0x20 to 0x7E."""

_SYMBOL_HIGH = (
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\uf0f0〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"  # noqa: RUF001
)
"""0xA0 to 0xFE."""

SYMBOL: dict[int, str] = {
    **{_BASE + 0x20 + place: sign for place, sign in enumerate(_SYMBOL_LOW)},
    **{_BASE + 0xA0 + place: sign for place, sign in enumerate(_SYMBOL_HIGH)},
}

WINGDINGS: dict[int, str] = {
    _BASE + code: sign
    for code, sign in {
        0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x75: "◆", 0x76: "❖", 0x77: "⬥", 0x78: "☒",
        0x9E: "·", 0x9F: "•", 0xA1: "○", 0xA7: "▪", 0xA8: "◻", 0xD8: "➢", 0xDF: "←", 0xE0: "→",
        0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✔", 0xFD: "☒", 0xFE: "☑",
    }.items()
}  # fmt: skip

ANY: dict[int, str] = {_BASE + 0xB7: "•"}
"""For fonts of other names: the bullet of word processors."""


def is_private(text: str) -> bool:
    """Whether ``text`` holds a character of the range that symbol fonts use."""
    return any("\uf020" <= sign <= "\uf0ff" for sign in text)


def map_of(font: str) -> dict[int, str]:
    """What the private use characters of a font of that name mean, as ``str.translate`` takes it."""
    name = font.lower()
    if "wingdings" in name:
        return WINGDINGS
    return SYMBOL if "symbol" in name else ANY
