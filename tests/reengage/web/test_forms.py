"""What people type, and what others hide in it."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from depth import examples
from reengage.web.forms import FLAGS, text_of

HIDDEN = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the text around
    "\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad"  # take no room
    "\u206a\u206f\ufff9\ufffb\U0001d173\U000e0001\U000e0041\U000e007f"
    "\x00\x1b\x7f\ud800\ue000\uf8ff\u3164\uffa0"
)
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
NEEDED = [
    "Grüße, ça va? 安寧 안녕",
    "two\nlines\tand a tab",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: I want
    "\u0915\u094d\u200d\u0937",  # Hindi, with its half letter
    "\u05d0\u200f 5 \u200eA\u061c",  # marks of direction
    "\u1828\u180e\u1820",  # Mongolian
    "\u0600\u0661\u0662",  # Arabic, with the sign of a number
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # a family
    "\u2764\ufe0f 1\ufe0f\u20e3",  # a red heart, a key
    "\U0001f3f3\ufe0f\u200d\U0001f308" + ENGLAND,
    "\u845b\U000e0100",  # a variant of a name's character
]


@pytest.mark.parametrize("text", NEEDED)
def test_what_languages_and_emoji_need_stays(text: str) -> None:
    assert text_of(text) == text


@given(st.lists(st.sampled_from([*NEEDED, "e", "\u0301", " "]), min_size=1), st.data())
@settings(max_examples=examples(60))
def test_what_is_hidden_between_changes_nothing(pieces: list[str], data: st.DataObject) -> None:
    hidden = [data.draw(st.text(HIDDEN, max_size=3)) for _ in pieces]
    mixed = "".join(noise + piece for noise, piece in zip(hidden, pieces, strict=True))
    assert text_of(mixed) == text_of("".join(pieces))


@given(st.text(st.one_of(st.characters(), st.sampled_from(HIDDEN + ENGLAND + "\r\n\u200d"))))
@example(ENGLAND[0] + "\u200b" + ENGLAND[1:])
@example(ENGLAND[:-1])
@example("\r\u200b\n.")
@settings(max_examples=examples(200))
def test_no_text_holds_what_is_hidden_and_reading_it_again_changes_nothing(text: str) -> None:
    told = text_of(text)
    assert text_of(told) == told
    assert told == unicodedata.normalize("NFC", told).strip()
    assert not set(FLAGS.sub("", told)) & set(HIDDEN + ENGLAND[1:] + "\r\u2028\x85")


@pytest.mark.parametrize("text", ["", " \n", "\u200d", "\ufe0f \u200e", *HIDDEN])
def test_a_text_without_anything_to_see_is_none(text: str) -> None:
    assert text_of(text) == ""


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_with_a_line_feed(end: str) -> None:
    assert text_of(f"one{end}two{end}") == "one\ntwo"


def test_a_flag_hides_no_text() -> None:
    secret = "".join(chr(0xE0000 + ord(char)) for char in "buynothing") + "\U000e007f"
    assert text_of(f"\U0001f3f4{secret} and {ENGLAND}") == f"\U0001f3f4 and {ENGLAND}"
