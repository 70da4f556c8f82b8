"""The landing pages on a phone, in a real browser: from the text to an answer, and every page as it
is for somebody who sees badly, has the phone set to dark, or reads no English.

LANDING_SCREENSHOTS names a folder to keep pictures in.
"""

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import uvicorn
import yaml
from playwright.sync_api import Browser, Page, expect

import patience
from patience import in_time
from reengage.clock import SimulatedClock
from reengage.policy import Policy, read_policy
from reengage.settings import INCLUDE
from reengage.web.app import create_app
from reengage_local.landing import samples

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
Hand = Callable[[Page], object]
ANDROID = (  # the browser of the tests calls itself headless, which is a machine's sign
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 "
    "Mobile Safari/537.36"
)
PHONE = {"width": 360, "height": 740}

# What a stranger's eyes and a screen reader need, judged from what the browser has really made.
LOOK = """() => {
  const wrong = [];
  document.querySelectorAll('details').forEach(details => details.open = true);
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || element.closest('svg, style')) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const [one, other] = [light(parse(style.color)), light(ground(element))];
    const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(1)}: ${text}`);
    if (parseFloat(style.fontSize) < 13) wrong.push(`small: ${text}`);
  }
  if (texts < 4) wrong.push('hardly any text');
  for (const field of document.querySelectorAll('input, textarea')) {
    const label = [...field.labels].map(one => one.innerText.trim()).join('');
    if (!label) wrong.push(`no label: ${field.name}`);
    if (['radio'].includes(field.type) && !field.closest('fieldset')?.querySelector('legend'))
      wrong.push(`no legend: ${field.name}`);
  }
  for (const press of document.querySelectorAll(
         'button:not([hidden]), a, summary, label.option')) {
    if (!press.innerText.trim()) wrong.push('a button without a name');
    const box = press.getBoundingClientRect();
    if (press.matches('button, a.button, label.option') && box.height < 40)
      wrong.push(`hard to hit, ${box.height}px: ${press.innerText}`);
  }
  for (const element of document.querySelectorAll('[aria-describedby], [aria-labelledby]'))
    for (const id of (element.getAttribute('aria-describedby')
                      || element.getAttribute('aria-labelledby')).split(' '))
      if (!document.getElementById(id)) wrong.push(`nothing is called ${id}`);
  const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
  if (new Set(ids).size < ids.length) wrong.push('an id twice');
  for (const landmark of ['header', 'main', 'footer', 'h1', 'title'])
    if (document.querySelectorAll(landmark).length !== 1) wrong.push(`not one ${landmark}`);
  if (document.querySelector('script:not(.copy + script), link[rel=stylesheet], iframe'))
    wrong.push('not plain');
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the phone');
  return wrong;
}"""
SHIFT = """() => new Promise(done => {
  let shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(one => shift += one.value))
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(shift), 60);
})"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """The shipped policy, with a question of each kind and an incentive."""
    content = yaml.safe_load((INCLUDE / "journey.yaml").read_text(encoding="utf-8"))
    survey, contest, coupon = content["steps"]
    survey["incentive"] = {"kind": "value", "value": 10, "valid_days": 14, "minimum": 40}
    survey["questions"] += [
        {
            "name": "likes",
            "kind": "choices",
            "label": "What do you like?",
            "options": {"people": "The people", "shops": "The shops"},
        },
        {
            "name": "recommend",
            "kind": "scale",
            "label": "Would you recommend us?",
            "low": "never",
            "high": "certainly",
        },
        {"name": "again", "kind": "yes_no", "label": "Will you come again?", "required": True},
        {"name": "wish", "kind": "text", "max_length": 100, "label": "What is your wish?"},
    ]
    contest["contest"] |= {"opens_on": "2026-11-01", "countries": ["US"], "terms": "To be fair."}
    coupon["coupon"]["where"] = "In all our shops"
    file = tmp_path_factory.mktemp("policy") / "journey.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return read_policy(file)


@pytest.fixture
def site(warehouse: sa.Engine, policy: Policy) -> Iterator[str]:
    """The address of the link service, with one contact who was sent all three steps."""
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO core.contact (contact_id, phone_hash, first_name, language, country, "
                "first_source, first_source_contact_id, first_seen_on) "
                "VALUES (1, 'h1', 'Ada', 'en', 'US', 'crm', '1', '2026-01-01')"
            )
        )
        for step in ("survey", "contest", "coupon"):
            values: dict[str, Any] = {
                "step": step,
                "message": uuid.uuid4(),
                "code": f"{step[:6]:x<6}AB1",
                "at": NOW,
                "day": date(2026, 9, 1),
                "sent": NOW - timedelta(hours=1),
                "end": NOW + timedelta(days=30),
                "target": f"landing:{step}",
            }
            connection.execute(
                sa.text(
                    "INSERT INTO outbox.message (contact_id, message_id, dormant_since, step, "
                    "channel, as_of, phone_hash, encoding, segments, not_before, not_after, "
                    "status, status_at, accepted_at) VALUES (1, :message, :day, :step, "
                    "'sms', :day, 'h1', 'GSM-7', 1, :at, :at, 'delivered', :at, :sent)"
                ),
                values,
            )
            connection.execute(
                sa.text("INSERT INTO outbox.link VALUES (:code, :message, 1, :target, :at, :end)"),
                values,
            )
            if step == "coupon":
                connection.execute(
                    sa.text(
                        "INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, "
                        "expires_at) VALUES ('7KFM2-XR9TB', :message, 1, 'percent', 15, :end)"
                    ),
                    values,
                )
    app = create_app(warehouse, policy, SimulatedClock(NOW))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", access_log=False, ws="none", lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            in_time(lambda: server.started, "the service has started", alive=thread.is_alive)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("LANDING_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def rows(engine: sa.Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_a_person_answers_enters_and_shows_a_coupon(
    site: str, browser: Browser, warehouse: sa.Engine
) -> None:
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    # The survey: forgotten answers are asked for where they are missing.
    page.goto(f"{site}/surveyAB1")
    assert page.evaluate(SHIFT) == 0
    expect(page.get_by_text("As a thank-you, you get $10 off")).to_be_visible()
    assert asked == [f"{site}/surveyAB1"], "a page that nobody touches is one request"
    page.get_by_label("What is your wish?").fill("<b>Tea</b>'; --")
    page.get_by_label("8", exact=True).check()
    assert f"{site}/surveyAB1/seen" in asked, "a hand on it is told by its beacon"
    assert page.evaluate(SHIFT) == 0
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("alert")).to_contain_text("What has kept you away?")
    expect(page.get_by_role("group", name="Will you come again?")).to_have_attribute(
        "aria-invalid", "true"
    )
    expect(page.get_by_label("What is your wish?")).to_have_value("<b>Tea</b>'; --")
    expect(page.get_by_label("8", exact=True)).to_be_checked()
    picture(page, "survey-errors")
    page.get_by_role("link", name="What has kept you away?").click()
    page.get_by_label("The prices").check()
    page.get_by_label("The people").check()
    page.get_by_label("Yes", exact=True).check()
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("heading", name="Thank you. That helps.")).to_be_visible()
    expect(page.get_by_text("$10 off")).to_be_visible()
    assert page.evaluate(SHIFT) == 0
    picture(page, "survey-done")
    page.get_by_role("link", name="Look at my answers again").click()
    expect(page.get_by_label("The prices")).to_be_checked()
    assert rows(warehouse, "SELECT answers FROM outbox.survey") == [
        (
            {
                "reason": "prices",
                "likes": ["people"],
                "recommend": 8,
                "again": True,
                "wish": "<b>Tea</b>'; --",
            },
        )
    ]

    # The contest.
    page.goto(f"{site}/contesAB1")
    page.get_by_role("button", name="Enter the draw").click()
    expect(page.get_by_text("Please tick this box")).to_be_visible()
    page.get_by_label("I am 18 or older").check()
    page.get_by_role("button", name="Enter the draw").click()
    ((ticket,),) = rows(warehouse, "SELECT ticket FROM outbox.contest_entry")
    expect(page.get_by_text(ticket)).to_be_visible()
    picture(page, "contest-entered")
    page.get_by_text("How you can check the draw").click()
    page.get_by_role("link", name="The draw, its numbers").click()
    expect(page.get_by_role("heading", name="Check the draw")).to_be_visible()

    # The coupon, larger for the cashier.
    page.goto(f"{site}/couponAB1")
    expect(page.get_by_text("7KFM2-XR9TB")).to_be_visible()
    expect(page.get_by_role("img", name="as a QR code")).to_be_visible()
    small = page.locator(".qr").bounding_box()
    page.get_by_role("button", name="Show my coupon large").click()
    large = page.locator(".qr").bounding_box()
    assert small and large and large["width"] > 1.3 * small["width"]
    picture(page, "coupon-large")

    # A break, with the keyboard alone; then the end of the texts.
    page.goto(f"{site}/surveyAB1")
    page.get_by_text("Need a break instead?").focus()
    assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Done. We’ll take a break.")).to_be_visible()
    expect(page.get_by_text("before January 1, 2027").first).to_be_visible()
    page.get_by_role("button", name="Stop texts from Larkfield").click()
    expect(page.get_by_role("heading", name="Done. No more texts.")).to_be_visible()
    picture(page, "stopped")
    assert rows(warehouse, "SELECT reason::text FROM core.suppression ORDER BY suppression_id") == [
        ("paused",),
        ("opted_out",),
    ]

    assert {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in asked} == {site}
    assert all(re.fullmatch(r"/(\w{9}(/[\w-]+)?|draws/\w+)", urlsplit(url).path) for url in asked)
    context.close()


def test_a_code_is_copied_by_a_press_and_only_by_the_script_that_is_known(
    site: str, browser: Browser
) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{site}/couponAB1")
    page.get_by_role("button", name="Copy the code").tap()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "7KFM2-XR9TB"
    assert said == []
    # Another script is not run, whoever gets it into a page.
    page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
    }""")
    assert page.title() != "run"
    context.close()

    plain = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = plain.new_page()
    page.goto(f"{site}/couponAB1")
    expect(page.get_by_role("button", name="Copy the code")).to_be_hidden()
    expect(page.get_by_text("7KFM2-XR9TB")).to_be_visible()
    plain.close()


@pytest.mark.parametrize("step", ["survey", "contes", "coupon"])
def test_the_way_to_the_shop_is_on_every_page_and_a_tap_on_it_is_a_persons(
    site: str, browser: Browser, warehouse: sa.Engine, step: str
) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    context.route("https://larkfield.example/**", lambda route: route.fulfill(body="the shop"))
    page = context.new_page()
    page.goto(f"{site}/{step}AB1")
    expect(page.get_by_role("link", name="Privacy")).to_have_attribute(
        "href", "https://larkfield.example/privacy"
    )
    expect(page.get_by_role("contentinfo")).to_contain_text("Larkfield Stores Inc., 1 Lark Lane")
    picture(page, f"shop-{step}")
    page.get_by_role("link", name="Shop now").tap()
    expect(page.get_by_text("the shop")).to_be_visible()
    assert page.evaluate("document.referrer") == "", "the shop does not learn the link"
    kinds = rows(warehouse, "SELECT DISTINCT kind::text FROM outbox.hit ORDER BY kind::text")
    assert kinds == [("beacon",), ("view",)]
    context.close()


def test_a_tap_anywhere_or_a_scroll_is_a_hand_on_the_page_and_a_look_is_none(
    site: str, browser: Browser, warehouse: sa.Engine
) -> None:
    """On a phone, as it is held: a thumb on the words, beside them, or drawn over the screen."""

    def tap(where: str, *, x: float | None = None) -> Hand:
        def hand(page: Page) -> None:
            box = page.locator(where).bounding_box()
            assert box
            page.touchscreen.tap(box["x"] + 5 if x is None else x, box["y"] + 8)

        return hand

    def scroll(page: Page) -> None:
        thumb = page.context.new_cdp_session(page)
        for kind, at in [("touchStart", 600), *(("touchMove", y) for y in range(580, 200, -20))]:
            point = {"x": 180, "y": at}
            thumb.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        thumb.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    hands: dict[str, Hand] = {
        "only looks": lambda page: None,
        "taps the heading": tap("h1"),
        "taps the brand's name": tap("header"),
        "taps the margin": tap("h1", x=3),
        "scrolls": scroll,
        "reads with the keyboard": lambda page: page.keyboard.press("PageDown"),
    }
    for what, hand in hands.items():
        context = browser.new_context(
            viewport=PHONE, has_touch=True, is_mobile=True, user_agent=ANDROID
        )
        page = context.new_page()
        asked: list[str] = []
        done: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("requestfinished", lambda request, done=done: done.append(request.url))
        page.goto(f"{site}/surveyAB1")
        hand(page)
        expected = [] if what == "only looks" else [f"{site}/surveyAB1/seen"]
        deadline = time.monotonic() + patience.SECONDS
        while len(done) < 1 + len(expected) and time.monotonic() < deadline:
            page.wait_for_timeout(20)
        page.wait_for_timeout(150)  # for what should not come
        assert asked[1:] == expected, what
        assert page.evaluate(SHIFT) == 0, what
        context.close()
    verdicts = "SELECT kind::text, verdict FROM outbox.judged_hit ORDER BY hit_id"
    found = rows(warehouse, verdicts)
    assert found.count(("view", "unsure")) == len(hands), "their address is this machine's"
    assert found.count(("beacon", "human")) == len(hands) - 1


def test_every_page_can_be_read_by_everybody(browser: Browser, policy: Policy) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wrong = {}
    looked = 0
    for name, language, html in samples(policy, NOW):
        if language not in ("en", "ko"):
            continue
        page.set_content(html)
        assert page.evaluate("document.documentElement.lang") == language
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            looked += 1
            if found := page.evaluate(LOOK):
                wrong[name, language, scheme] = found
    assert wrong == {}
    assert looked >= 80
    assert [url for url in asked if not url.startswith(("data:", "about:"))] == []
    context.close()


def test_a_korean_page_breaks_between_words(browser: Browser, policy: Policy) -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    (html,) = (
        html
        for name, language, html in samples(policy, NOW)
        if (name, language) == ("survey", "ko")
    )
    page.set_content(html)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("무엇을 더 잘하면 좋을까요?")
    assert heading.evaluate("element => getComputedStyle(element).wordBreak") == "keep-all"
    assert "serif" not in heading.evaluate(
        "element => getComputedStyle(element).fontFamily"
    ).replace("sans-serif", "")
    context.close()
