"""Check marks, crosses and boxes of the font ZapfDingbats.

The standard font names its glyphs ``a1`` to ``a206``. Where a file uses the
font's built-in encoding, MuPDF takes the number in such a name for a character,
so that a check mark (``a19``) arrives as the control character 19. Where a file
claims a Latin encoding for the font, the character is the code in the font: the
check mark arrives as the digit 3. The pairs are those of Adobe's
``zapfdingbats.txt``; codes follow ISO 32000-1, annex D.6.
"""

from __future__ import annotations

FONT = "Dingbats"
"""Part of the name of every version of the font."""

_RUNS: tuple[tuple[int, int, int], ...] = (
    # first glyph number, its code point, how many follow one another
    (1, 0x2701, 2),
    (3, 0x2704, 1),
    (4, 0x260E, 1),
    (5, 0x2706, 1),
    (6, 0x271D, 5),
    (11, 0x261B, 1),
    (12, 0x261E, 1),
    (13, 0x270C, 4),
    (17, 0x2711, 12),
    (29, 0x2722, 6),
    (35, 0x2605, 1),
    (36, 0x2729, 35),
    (71, 0x25CF, 1),
    (72, 0x274D, 1),
    (73, 0x25A0, 1),
    (74, 0x274F, 1),
    (75, 0x2751, 1),
    (76, 0x25B2, 1),
    (77, 0x25BC, 1),
    (78, 0x25C6, 1),
    (79, 0x2756, 1),
    (81, 0x25D7, 1),
    (82, 0x2758, 3),
    (85, 0x276F, 1),
    (86, 0x2771, 3),
    (89, 0x2768, 2),
    (91, 0x276C, 2),
    (93, 0x276A, 2),
    (95, 0x2774, 2),
    (97, 0x275B, 4),
    (101, 0x2761, 4),
    (105, 0x2710, 1),
    (106, 0x2765, 3),
    (109, 0x2660, 1),
    (110, 0x2665, 2),
    (112, 0x2663, 1),
    (117, 0x2709, 1),
    (118, 0x2708, 1),
    (119, 0x2707, 1),
    (120, 0x2460, 10),
    (130, 0x2776, 31),
    (161, 0x2192, 1),
    (162, 0x27A3, 1),
    (163, 0x2194, 2),
    (165, 0x2799, 1),
    (166, 0x279B, 8),
    (174, 0x27A4, 6),
    (180, 0x27AB, 1),
    (181, 0x27AD, 1),
    (182, 0x27AF, 1),
    (183, 0x27B2, 2),
    (185, 0x27B5, 1),
    (186, 0x27B8, 1),
    (187, 0x27BA, 5),
    (192, 0x279A, 1),
    (193, 0x27AA, 1),
    (194, 0x27B6, 1),
    (195, 0x27B9, 1),
    (196, 0x2798, 1),
    (197, 0x27B4, 1),
    (198, 0x27B7, 1),
    (199, 0x27AC, 1),
    (200, 0x27AE, 1),
    (201, 0x27B1, 1),
    (202, 0x2703, 1),
    (203, 0x2750, 1),
    (204, 0x2752, 1),
    (205, 0x276E, 1),
    (206, 0x2770, 1),
)

BY_GLYPH: dict[int, int] = {
    glyph + step: code + step for glyph, code, length in _RUNS for step in range(length)
}
"""Glyph number to code point, as ``str.translate`` takes it."""

for _space in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20):  # these stand for themselves: they part words
    BY_GLYPH.pop(_space, None)

_CODE_RUNS: tuple[tuple[int, int, int], ...] = (
    # first code, its code point, how many follow one another; later lines win
    (0x21, 0x2701, 94),
    (0xA1, 0x2761, 94),
    (0x25, 0x260E, 1),
    (0x2A, 0x261B, 1),
    (0x2B, 0x261E, 1),
    (0x48, 0x2605, 1),
    (0x6C, 0x25CF, 1),
    (0x6E, 0x25A0, 1),
    (0x73, 0x25B2, 1),
    (0x74, 0x25BC, 1),
    (0x75, 0x25C6, 1),
    (0x77, 0x25D7, 1),
    (0xA8, 0x2663, 1),
    (0xA9, 0x2666, 1),
    (0xAA, 0x2665, 1),
    (0xAB, 0x2660, 1),
    (0xAC, 0x2460, 10),
    (0xB6, 0x2776, 31),
    (0xD5, 0x2192, 1),
    (0xD6, 0x2194, 2),
    (0xD8, 0x2798, 39),
)

BY_CODE: dict[int, int] = {
    code + step: point + step for code, point, length in _CODE_RUNS for step in range(length)
}
"""Code in the font to code point; control characters are glyph numbers all the same."""

BY_CODE.update({number: point for number, point in BY_GLYPH.items() if number < 0x20})
