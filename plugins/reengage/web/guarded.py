"""What a landing page may load and run: its headers, its beacon, its one script."""

import base64
import re
from functools import lru_cache
from hashlib import sha256

_SAFE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}

STYLE = re.compile("<style>(.*?)</style>", re.DOTALL)

# The one script there is: it shows the button before it, which copies the code above. Where it does
# not run the button stays hidden, and a long press on the code takes all of it.
COPYING = (
    "(button => { if (navigator.clipboard) { button.hidden = false; "
    "button.onclick = () => navigator.clipboard"
    ".writeText(button.parentElement.querySelector('.code').textContent)"
    ".then(() => { button.textContent = button.dataset.done; }); } })"
    "(document.currentScript.previousElementSibling);"
)


def beacon_style(code: str | None) -> str:
    """The style sheet that asks for a page's beacon, when a hand is on the page and not before: a
    machine that only fetches pages has none. There is no script in it.

    A tap anywhere, a pointer or a key makes the root hovered or its content focused; who scrolls
    moves an animation from its first frame (where a browser knows none that scrolling moves, it
    would run by itself, so there is none). On iOS only what has the cursor of a link takes a tap.
    """
    if code is None:
        return ""
    seen = f'background-image: url("/{code}/seen")'
    return (
        f":root:is(:hover, :active, :focus-within) main {{ {seen}; }}"
        f"@keyframes seen {{ 0%, 0.1% {{ background-image: none; }} 0.2%, 100% {{ {seen}; }} }}"
        "@supports (animation-timeline: scroll(root)) { main { animation: seen 1s linear both;"
        " animation-timeline: scroll(root); } }"
        "@media (hover: none) { header, main, footer {"
        " cursor: pointer; -webkit-tap-highlight-color: transparent; }"
        " a, button, summary, .option { -webkit-tap-highlight-color: initial; } }"
    )


@lru_cache(maxsize=4096)
def digest(style: str) -> str:
    """A style sheet as a Content-Security-Policy allows it."""
    return f"'sha256-{base64.b64encode(sha256(style.encode()).digest()).decode()}'"
