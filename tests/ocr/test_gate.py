import pytest

from extractor.errors import ConfigError
from extractor.ocr.gate import Gate, is_word_like, score
from extractor.ports import OcrWord


def word(text, confidence=0.95):
    return OcrWord(text=text, x0_px=0, y0_px=0, x1_px=10, y1_px=10, confidence=confidence)


@pytest.mark.parametrize(
    "text",
    [
        "tablets",
        "EBR-ATV-40-2024-0187",
        "10,000",
        "(bar)",
        "15–25°C,",  # noqa: RUF001
        "µg/mL",
        "Mr.",
        "β-blocker",
        "—",
        "Müller",
    ],
)
def test_words_numbers_codes_and_signs_are_word_like(text):
    assert is_word_like(text)


@pytest.mark.parametrize("text", ["xkrtpq", "a®©~x", "aaaaaa", "试验记录", "ab3c}{|"])
def test_garbage_and_other_scripts_are_not(text):
    assert not is_word_like(text)


def test_a_sure_reading_of_words_is_good_and_an_unsure_one_is_not():
    gate = Gate()

    assert gate.quality(score([word("tablets"), word("dose")], letters_read=1.0)) == "good"
    assert gate.quality(score([word("tablets", 0.6), word("dose", 0.5)], letters_read=1.0)) == "poor"
    assert gate.quality(score([word("tablets", 0.2)], letters_read=1.0)) == "unreadable"


def test_letters_that_nobody_read_and_shapeless_words_lower_the_score():
    sure = [word("tablets")] * 10

    assert score(sure, letters_read=0.4) < 0.6 * score(sure, letters_read=1.0)
    assert score([*sure, *[word("试验记录")] * 20], letters_read=1.0) < 0.6 * score(sure, letters_read=1.0)
    assert score([], letters_read=1.0) == 0.0


def test_settings_are_closed_and_bounded():
    assert Gate.of({"good_score": 0.9}).good_score == 0.9
    with pytest.raises(ConfigError, match="did you mean 'good_score'"):
        Gate.of({"god_score": 0.9})
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Gate.of({"good_score": 9})
