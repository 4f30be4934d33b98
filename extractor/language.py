"""Which language a passage is written in, told by its script and its commonest small words.

Enough to say that a passage is not English; not an identifier of languages at
large. Pure Python, no model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

ENGLISH = "en"
FEWEST_WORDS = 6
"""Words below which a passage in Latin script is not judged."""

LONGEST = 4_000
"""Characters that are looked at, from the start."""

_FEWEST_LETTERS = 6
_SMALL_WORDS = {
    "en": """the of and to in is was with for on that by as are were from this at be or an which not has had have it
        his her he she they patient no were been their but who will may should after during than these can all there
        into if we you your my our us what when any other per daily take""",
    "de": """der die das und ist nicht mit von den dem des ein eine einer einem eines auf für im zu zur zum wurde wird
        sich bei nach aus als auch an werden wurden sind war keine kein oder durch über unter vor hat haben es er sie
        wie nur noch bis um am vom sowie seit täglich wir ihr ich""",
    "fr": """le la les des du de et est dans une un par pour sur pas avec au aux que qui ce cette ces son sa ses il
        elle ont été était sont ou ne se en plus chez après avant sans nous vous leur mais comme fait être à""",
    "es": """el la los las de del y en que un una por con para es se no al lo su sus como más fue son está pero sin
        sobre entre desde hasta este esta ha han muy durante paciente tras días años cada presentó le o""",
    "it": """il lo la i gli le di del della dei delle e è un una che per con non in nel nella si da dal al alla sono
        stato stata come più anche o ma ha hanno questo questa dopo prima senza ogni giorno paziente""",
    "pt": """o a os as de do da dos das e em um uma que para com não por se no na nos nas ao à foi são é mais como
        mas sem sobre entre até este esta seu sua após durante paciente dias anos ou pelo pela foram""",
    "nl": """de het een en van in is op te dat met voor niet zijn aan er om ook als bij door naar uit maar werd wordt
        worden heeft hebben of nog geen deze dit die na over onder tot patiënt dan kan was zij hij""",
}
_WEIGHTS: dict[str, list[tuple[str, float]]] = {}
for _code, _words in _SMALL_WORDS.items():
    for _word in set(_words.split()):
        _WEIGHTS.setdefault(_word, []).append((_code, 0.0))
for _word, _codes in _WEIGHTS.items():
    _WEIGHTS[_word] = [(_code, 1.0 / len(_codes)) for _code, _ in _codes]

_SCRIPTS = {
    "CYRILLIC": "und-Cyrl",
    "GREEK": "el",
    "HEBREW": "he",
    "ARABIC": "und-Arab",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "THAI": "th",
    "DEVANAGARI": "und-Deva",
}
_WORD = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str | None:
    """The BCP 47 code of the language of ``text``; None when unsure or too short.

    Codes: en, de, fr, es, it, pt, nl by small words; el, he, ko, ja, zh, th,
    und-Cyrl, und-Arab and und-Deva by script, "und" where the script is shared
    by several languages.
    """
    words = _WORD.findall(text[:LONGEST])
    foreign: Counter[str] = Counter()
    letters = 0
    for word in words:
        letters += len(word)
        if not word.isascii():
            for char in word:
                if char > "\u036f":
                    script = unicodedata.name(char, "").split(" ", 1)[0].split("-", 1)[0]
                    if script in _SCRIPTS:
                        foreign[script] += 1
    if foreign and sum(foreign.values()) >= _FEWEST_LETTERS and sum(foreign.values()) > 0.5 * letters:
        if foreign["HIRAGANA"] + foreign["KATAKANA"] > 0:
            return "ja"
        return _SCRIPTS[foreign.most_common(1)[0][0]]
    return _by_small_words(words)


def _by_small_words(words: list[str]) -> str | None:
    if len(words) < FEWEST_WORDS:
        return None
    scores = dict.fromkeys(_SMALL_WORDS, 0.0)
    hits: Counter[str] = Counter()
    for word in words:
        for code, weight in _WEIGHTS.get(word.lower(), ()):
            scores[code] += weight
            hits[code] += 1
    (best, score), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    sure = hits[best] >= 3 and score >= 0.08 * len(words) and score >= 1.4 * second
    return best if sure and score >= 1.5 else None
