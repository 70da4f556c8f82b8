"""What a text says and costs."""

import gzip
import json
import re
import unicodedata
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import smsutil
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from depth import examples
from reengage.errors import ConfigurationError, TextError
from reengage.phones import hashes
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE
from reengage.texts import messages, wording
from reengage.texts.coupons import Coupon
from reengage.texts.messages import Templates
from reengage.texts.recipients import Recipient
from reengage.texts.segments import segments

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
LINK = "https://go.example.com/AbCdEfGhJ"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


# ---------------------------------------------------------------------------------- segments

GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡" + (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"


def slow_count(text: str) -> tuple[str, int, int]:
    """23.038 word by word: code every character, then fill the parts one after another."""
    if set(text) <= set(GSM + EXTENSION):
        coded = [b"\x1b?" if char in EXTENSION else b"?" for char in text]
        encoding, whole, each = "GSM-7", 160, 153
    else:
        coded = [char.encode("utf-16-be", "surrogatepass") for char in text]
        encoding, whole, each = "UCS-2", 140, 134
    total = sum(map(len, coded))
    units = total if encoding == "GSM-7" else total // 2
    if total <= whole:
        return encoding, 1, units
    parts = [b""]
    for item in coded:
        if len(parts[-1] + item) > each:
            parts.append(b"")
        parts[-1] += item
    return encoding, len(parts), units


pieces = st.one_of(
    st.text(alphabet=GSM, max_size=170),
    st.text(alphabet=EXTENSION, max_size=90),
    st.text(alphabet="a€", max_size=340),
    st.text(max_size=60),
    st.text(alphabet="é🙂ç", max_size=150),
)


@given(st.lists(pieces, max_size=4).map("".join))
@settings(max_examples=examples(400))
def test_segments_are_those_of_the_specification(text: str) -> None:
    assert segments(text) == slow_count(text)


@given(st.lists(pieces, max_size=4).map("".join))
@settings(max_examples=examples(200))
def test_segments_agree_with_a_second_implementation(text: str) -> None:
    # The second one has no opinion on nothing, and takes the escape itself for a character.
    assume(text and "\x1b" not in text)
    size = segments(text)
    other = smsutil.split(text)
    assert size.segments == len(other.parts)
    assert (size.encoding == "GSM-7") == smsutil.is_valid_gsm(text)


COUNTED = json.loads(
    gzip.decompress((Path(__file__).parents[2] / "data" / "segments.json.gz").read_bytes())
)


def keeping_clusters_whole(text: str) -> int:
    """Segments of a UCS-2 text if nothing that a reader sees as one character were ever split."""
    sizes: list[int] = []
    flag, joined = False, False
    for char in text:
        is_flag = "\U0001f1e6" <= char <= "\U0001f1ff"
        is_more = unicodedata.category(char) in ("Mn", "Mc", "Me") or char in "\u200d\U0001f3fd"
        units = 2 if ord(char) > 0xFFFF else 1
        if sizes and (is_more or joined or (flag and is_flag)):
            sizes[-1] += units
        else:
            sizes.append(units)
        flag, joined = is_flag and not flag, char == "\u200d"
    count, room = 1, 67
    for size in sizes:
        if size > room:
            count, room = count + 1, 67
        room -= size
    return count


def test_segments_agree_with_two_other_counters_on_three_thousand_texts() -> None:
    """sms-segments-calculator (what it counted is in tests/data) and smsutil.

    Where they differ from ours: the first keeps all that a reader sees as one character (a flag, a
    family, a syllable with its vowel sign) in one segment, and so counts more; networks know only
    UTF-16, of which no pair is split. The second takes the escape of the extension table, alone,
    for a character of GSM-7; in the standard it is none.
    """
    assert "sms-segments-calculator 1.3.0" in COUNTED["about"]
    differ = []
    for text, encoding, count in COUNTED["texts"]:
        size = segments(text)
        assert size.encoding == encoding, ascii(text)
        if size.segments != count:
            differ.append(text)
            assert size.segments < count == keeping_clusters_whole(text), ascii(text)
        if "\x1b" not in text:
            assert size.segments == len(smsutil.split(text).parts), ascii(text)
            assert (encoding == "GSM-7") == smsutil.is_valid_gsm(text), ascii(text)
    assert len(COUNTED["texts"]) == 3000
    assert len(differ) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 1, 0)),
        ("a" * 160, ("GSM-7", 1, 160)),
        ("a" * 161, ("GSM-7", 2, 161)),
        ("a" * 459, ("GSM-7", 3, 459)),
        ("a" * 480, ("GSM-7", 4, 480)),
        ("€" * 80, ("GSM-7", 1, 160)),
        ("€" * 81, ("GSM-7", 2, 162)),
        # 306 septets fit two segments, unless an escape would be cut: then it takes three.
        ("a" * 152 + "€" + "a" * 152, ("GSM-7", 3, 306)),
        ("ç" * 70, ("UCS-2", 1, 70)),
        ("ç" * 71, ("UCS-2", 2, 71)),
        ("ç" * 66 + "🙂" + "ç" * 66, ("UCS-2", 3, 134)),
    ],
)
def test_segments_at_the_boundaries(text: str, expected: tuple[str, int, int]) -> None:
    assert segments(text) == expected


# --------------------------------------------------------------------------------- templates


def allowing(policy: Policy, limits: dict[str, int]) -> Policy:
    """The policy with other limits of segments."""
    sending = policy.sending.model_copy(update={"max_segments": limits})
    return policy.model_copy(update={"sending": sending})


def coupon(policy: Policy, now: datetime = NOW) -> Coupon:
    offer = policy.step("coupon").coupon
    assert offer
    return Coupon.issue(offer, policy, now)


@pytest.mark.parametrize("step", ["survey", "contest", "coupon"])
def test_shipped_texts_are_one_segment_with_a_long_name_and_link(policy: Policy, step: str) -> None:
    link = "https://" + "x" * 37
    contact = Recipient(7, "Maximiliana-Alexandr", language="en", country="US")
    text = Templates(policy).render(policy.step(step), contact, link, coupon(policy), NOW)
    assert (text.encoding, text.segments) == ("GSM-7", 1)
    assert text.body.startswith("Larkfield: Maximiliana-Alexandr,")
    assert link in text.body
    assert text.body.endswith("Reply STOP to end")


@pytest.mark.parametrize("step", ["survey", "contest", "coupon"])
def test_a_name_outside_of_gsm_is_left_out_where_one_segment_is_the_limit(
    policy: Policy, step: str
) -> None:
    text = Templates(policy).render(
        policy.step(step), Recipient(7, "Łukasz"), LINK, coupon(policy), NOW
    )
    assert "Łukasz" not in text.body
    assert (text.encoding, text.segments) == ("GSM-7", 1)


@pytest.mark.parametrize("step", ["survey", "contest", "coupon"])
def test_a_name_outside_of_gsm_is_kept_where_the_policy_allows_its_segments(
    policy: Policy, step: str
) -> None:
    wide = allowing(policy, {"default": 3})
    text = Templates(wide).render(
        policy.step(step), Recipient(7, "Łukasz"), LINK, coupon(wide), NOW
    )
    assert "Łukasz" in text.body
    assert (text.encoding, text.segments) == ("UCS-2", 2)


def test_a_coupon_text_holds_code_value_and_last_day(policy: Policy) -> None:
    mine = coupon(policy)
    text = Templates(policy).render(policy.step("coupon"), {"contact_id": 7}, LINK, mine, NOW)
    assert mine.code in text.body
    assert "15% off" in text.body
    assert "through Dec 31" in text.body


def templates(policy: Policy, folder: Path, **texts: str) -> Templates:
    """Templates of a policy with one step, `survey`, and the files given (it: survey.it.txt)."""
    for name, text in texts.items():
        language = "" if name == "default" else f".{name}"
        (folder / f"survey{language}.txt").write_text(text, encoding="utf-8")
    return Templates(policy.model_copy(update={"steps": policy.steps[:1]}), folder)


def test_typographic_characters_do_not_cost_a_second_encoding(
    policy: Policy, tmp_path: Path
) -> None:
    made = templates(
        policy, tmp_path, default="{{ opening }} it’s\u00a0“on” – now…\t{{ link }} {{ opt_out }}"
    )
    text = made.render(policy.steps[0], Recipient(1), LINK, None, NOW)
    assert text.body == f'Larkfield: it\'s "on" - now... {LINK} Reply STOP to end'
    assert text.encoding == "GSM-7"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ link }}", "{}"),
        ("{{ link }} {{ link }}", "{0} {0}"),
        # What does more with a link than to write it is made for each anew.
        ("{{ link }} {{ link | upper }}", "{0} {1}"),
        ("{{ link }}{% if link | length > 30 %} long{% endif %}", "{0}{2}"),
        ("{% filter upper %}{{ link }}{% endfilter %} {{ link }}", "{1} {0}"),
        ("{% set here = link %}{{ here }}", "{}"),
    ],
)
def test_who_is_told_the_same_has_a_link_of_their_own(
    policy: Policy, tmp_path: Path, template: str, expected: str
) -> None:
    made = templates(policy, tmp_path, default=f"{{{{ opening }}}} {template} {{{{ opt_out }}}}")
    for link in ("https://go.example.com/AAAAAAAAA", "https://x.example/Bbe", LINK):
        text = made.render(policy.steps[0], Recipient(1), link, None, NOW)
        long = " long" if len(link) > 30 else ""
        body = expected.format(link, link.upper(), long)
        assert text.body == f"Larkfield: {body} Reply STOP to end"


def test_a_text_exists_in_the_contacts_language(policy: Policy, tmp_path: Path) -> None:
    made = templates(
        policy,
        tmp_path,
        default="{{ opening }} hi {{ first_name or 'friend' }} {{ link }} {{ opt_out }}",
        it="{{ opening }} ciao {{ first_name or 'a te' }} {{ link }} {{ opt_out }}",
    )

    def body(language: str | None, country: str | None = None) -> str:
        contact = Recipient(1, "Ada", language=language, country=country)
        return made.render(policy.steps[0], contact, LINK, None, NOW).body

    assert body("it") == f"Larkfield: ciao Ada {LINK} Rispondi STOP per uscire"
    assert body("it-CH") == body("it")
    assert body("fr") == body(None) == f"Larkfield: hi Ada {LINK} Reply STOP to end"
    # Of whom no language is known, the country's.
    assert body(None, "IT") == body("it", "IT")
    assert body("en", "IT").startswith("Larkfield: hi Ada")


HEAD = "{{ opening }} "


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Hi\n{{ frist_name }} {{ link }}", r"survey.txt, line 2: there is no field 'frist_n"),
        ("Hi\n\n{% if %} {{ link }}", r"survey.txt, line 3: "),
        ("{{ link | nonsense }}", r"survey.txt, line 1: No filter named 'nonsense'"),
        ("Hi {{ first_name }} {{ link }}", r"line 1: .*write \{\{ first_name or"),
        ("Your {{ item }} {{ link }}", r"line 1: .*write \{% if item %\}"),
        ("\n{{ brand.name.upper() }} {{ link }}", r"survey.txt, line 2: "),
        ("{{ coupon_code }} {{ link }}", r"'coupon_code' of a step without a coupon"),
        ("{{ coupon_minimum }} {{ link }}", r"'coupon_minimum' of a step without a coupon"),
        ("{{ ''.__class__.__mro__ }} {{ link }}", r"line 1: .*unsafe"),
        (HEAD + "{{ opt_out }}", r"no \{\{ link \}\}"),
        (HEAD + "\n{{ link }} STOP", r"line 2: the text does not say how to end it"),
        (HEAD + "{{ link }}" + "x" * 300 + "{{ opt_out }}", r"takes 3 segments \(360 units of GSM"),
        ("{{ link }} {{ opt_out }}", r"line 1: a text to CA must name the sender"),
        (
            "{{ brand }}: {{ link }} {{ opt_out }}",
            r'line 1: a text to KR must begin with "\(광고\)',
        ),
        (HEAD + "{{ link }}\n{{ opt_out }}!", r"line 2: a text to KR must end with"),
    ],
)
def test_a_bad_template_is_refused_when_loaded(
    policy: Policy, tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        templates(policy, tmp_path, default=text)


def test_a_missing_template_is_named(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no template .*survey\.txt"):
        templates(policy, tmp_path)


BLANKET = "Wool blanket"


@pytest.mark.parametrize(
    ("name", "item", "padding", "kept", "dropped"),
    [
        ("Zoe", BLANKET, 50, "Zoe, Wool blanket", ()),
        ("Zoe", BLANKET, 83, "Zoe, hi", ("item",)),
        # The item fits, the name alone does not: the one that is in the way goes.
        ("Żoë", BLANKET, 50, "friend, Wool blanket", ("name",)),
        ("Zoe", "Kocyk wełniany", 50, "Zoe, hi", ("item",)),
        ("Żoë", "Kocyk wełniany", 50, "friend, hi", ("item", "name")),
        ("Żoë", None, 50, "friend, hi", ("name",)),
        ("Bartholomew", BLANKET, 84, "friend, hi", ("item", "name")),
    ],
)
def test_what_makes_a_text_too_long_is_left_out_the_item_before_the_name(
    policy: Policy,
    tmp_path: Path,
    name: str,
    item: str | None,
    padding: int,
    kept: str,
    dropped: tuple[str, ...],
) -> None:
    made = templates(
        policy,
        tmp_path,
        default="{{ opening }} {{ first_name or 'friend' }}, {{ item or 'hi' }} "
        + "x" * padding
        + " {{ link }} {{ opt_out }}",
    )
    contact = Recipient(1, name, item=item, item_kind="viewed")
    fitted = made.fit(policy.steps[0], contact, LINK, None, NOW)
    assert fitted.text.body.startswith(f"Larkfield: {kept} xx")
    assert (fitted.text.encoding, fitted.text.segments) == ("GSM-7", 1)
    assert fitted.dropped == dropped


def test_a_text_that_is_too_long_all_the_same_names_step_and_contact(
    policy: Policy, tmp_path: Path
) -> None:
    made = templates(policy, tmp_path, default="{{ opening }} {{ link }} {{ opt_out }}")
    with pytest.raises(TextError, match=r"step survey for contact 4711 takes 2 segments") as caught:
        made.render(
            policy.steps[0], Recipient(4711, "Zoe"), "https://x.example/" + "y" * 150, None, NOW
        )
    assert "Zoe" not in str(caught.value)
    assert "y" * 20 not in str(caught.value)


def test_a_text_that_lacks_what_a_country_requires_of_it_is_not_made(
    policy: Policy, tmp_path: Path
) -> None:
    # The samples at the loading have no such name.
    made = templates(
        policy,
        tmp_path,
        default="{{ 'Hi' if first_name == 'Zoe' else opening }} {{ link }} {{ opt_out }}",
    )
    for country, lack in (("KR", "must begin with"), ("US", "must name the sender")):
        with pytest.raises(TextError, match=rf"contact 5 may not be sent: .*{country} {lack}"):
            made.render(policy.steps[0], Recipient(5, "Zoe", country=country), LINK, None, NOW)


def test_a_step_without_its_coupon_makes_no_text(policy: Policy) -> None:
    with pytest.raises(TextError, match="contact 8"):
        Templates(policy).render(policy.step("coupon"), Recipient(8), LINK, None, NOW)


def test_a_name_is_data_and_never_a_template(policy: Policy, tmp_path: Path) -> None:
    made = templates(
        policy,
        tmp_path,
        default="{{ opening }} {{ first_name or 'x' }} {{ item }}{{ link }} {{ opt_out }}".replace(
            "{{ item }}", "{{ item ~ ' ' if item }}"
        ),
    )
    contact = Recipient(1, "{{ link }}", item="{{ brand }}", item_kind="viewed")
    text = made.render(policy.steps[0], contact, LINK, None, NOW)
    assert text.body == f"Larkfield: x {LINK} Reply STOP to end"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Wool blanket", "Wool blanket"),
        ("Levi's 501", "Levi's 501"),
        ("Salt &amp; pepper", "Salt & pepper"),
        ("Cafe\u0301 au lait", "Café au lait"),
        ("Two\nlines\x00\u202e", "Two lines"),
        ("The very long name of a garden table, oak", "The very long name of a garden"),
        ("Donaudampfschifffahrtsgesellschaftskapitän", "Donaudampfschifffahrtsgesellsc"),
        ("Milk 1.5 l", "Milk 1.5 l"),
        ("evil.com sneakers", None),
        ("https://evil", None),
        ("call 212-555-0199", None),
        ("<b>Shoe</b>", None),
        ("{{ link }}", None),
        ("12345", None),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_item_names(raw: str | None, name: str | None) -> None:
    assert wording.item_name(raw) == name


@given(st.text())
def test_no_item_name_breaks_a_line_or_exceeds_its_length(raw: str) -> None:
    name = wording.item_name(raw)
    assert name is None or (0 < len(name) <= 30 and name.isprintable() and name == name.strip())


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("anna", "Anna"),
        ("MARY-ANN", "Mary-Ann"),
        ("o’neil", "O'Neil"),
        ("LaToya", "LaToya"),
        ("AJ", "AJ"),
        ("J. R.", "J. R."),
        ("José", "José"),
        ("Jose\u0301", "José"),
        (" Ann\u200b\u202e\r\nBelle ", "Ann Belle"),
        ("Zoë 💖", "Zoë"),
        ("민준", "민준"),
        ("Maria Magdalena Theresia", "Maria Magdalena"),
        ("Wolfeschlegelsteinhausen", "Wolfeschlegelsteinha"),
        ("", None),
        (None, None),
        ("-", None),
        ("N/A", None),
        ("null", None),
        ("12345", None),
        ("win at evil.com", None),
        ("http://evil", None),
        ("PIERO non chiamare", "Piero"),
        ("Anna", "Anna"),
        ("anna maria", "Anna Maria"),
        ("Maria de la Cruz", "Maria de la Cruz"),
        ("Mr.", None),
        ("Stop", None),
        ("X", None),
        ("X.", None),
        ("훈", "훈"),
        ("李", "李"),
    ],
)
def test_first_names(raw: str | None, name: str | None) -> None:
    assert wording.first_name(raw) == name


@given(st.text())
def test_no_first_name_breaks_a_line_or_exceeds_its_length(raw: str) -> None:
    name = wording.first_name(raw)
    assert name is None or (0 < len(name) <= 20 and name.isprintable() and name == name.strip())


# ------------------------------------------------------------------------------- links' codes


def test_codes_are_unambiguous_and_do_not_repeat() -> None:
    codes = {messages.new_code() for _ in range(5000)}
    assert len(codes) == 5000
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Za-km-np-z]{9}", code) for code in codes)
    assert len(set("".join(codes))) == 56


# ------------------------------------------------------------------------ identity and opt-out


def test_a_message_id_is_fixed_by_its_key() -> None:
    first = messages.message_id(1, date(2026, 9, 1), "survey", "sms")
    assert first == uuid.UUID("82fb624b-7c1a-5b3b-b0af-9c89e0a9abcd")
    assert first.version == 5
    others = {
        messages.message_id(2, date(2026, 9, 1), "survey", "sms"),
        messages.message_id(1, date(2026, 9, 2), "survey", "sms"),
        messages.message_id(1, date(2026, 9, 1), "coupon", "sms"),
        messages.message_id(1, date(2026, 9, 1), "survey", "email"),
    }
    assert len(others | {first}) == 5


def test_a_phone_hash_needs_the_key_and_a_number_in_e164() -> None:
    hashed = hashes.phone_hash("+12125550123", "key")
    assert re.fullmatch(r"[0-9a-f]{64}", hashed)
    assert hashed == hashes.phone_hash("+12125550123", "key")
    assert hashed != hashes.phone_hash("+12125550123", "other")
    with pytest.raises(ValueError, match=r"E\.164") as caught:
        hashes.phone_hash("212-555-0199", "key")
    assert "0199" not in str(caught.value)
