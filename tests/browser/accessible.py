"""What is checked of every surface: axe finds nothing, nothing overflows, each focus is seen."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NOT_OURS = {
    *("region", "landmark-one-main", "landmark-unique"),
    *("page-has-heading-one", "heading-order"),
}
"""Rules about a whole page: ours is a part of somebody else's."""

FOCUSED = """context => {
  // Colours are painted to be read: style sheets may say them in ways of their own.
  const paper = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = colours => {
    paper.clearRect(0, 0, 1, 1);
    for (const colour of colours) { paper.fillStyle = colour; paper.fillRect(0, 0, 1, 1); }
    return [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = colours => rgb(colours).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    const below = element.parentElement ? ground(element.parentElement) : ['white'];
    return [...below, getComputedStyle(element).backgroundColor];
  };
  const box = document.querySelector(context);
  const active = document.activeElement;
  if (!active || !box.contains(active) || active === box) return null;
  const style = getComputedStyle(active);
  const [a, b] = [light([style.outlineColor]), light(ground(active.parentElement))];
  return {
    name: `${active.localName}.${active.className} ${active.textContent.slice(0, 40)}`,
    outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    order: [...box.querySelectorAll('*')].indexOf(active),
  };
}"""


async def check_axe(page: Page, context: str = ".portia-view") -> None:
    """Check that axe finds nothing in `context`, by the rules of WCAG 2.2 AA and its own.

    For ``"html"``, a page that is ours as a whole, the rules about whole pages hold, too.
    """
    left_out = set() if context == "html" else NOT_OURS
    options = {"runOnly": {"type": "tag", "values": TAGS}}
    found = await Axe().run(page, context=context, options=options)
    told = [
        (each["id"], node["target"], node["failureSummary"])
        for each in found.response["violations"]
        if each["id"] not in left_out
        for node in each["nodes"]
    ]
    assert told == [], told
    # A check that looked at nothing would find nothing.
    assert found.response["passes"]


async def check_fits(page: Page) -> None:
    """Check that the page need not be scrolled sideways."""
    wider = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wider <= 0


async def walk_by_tab(page: Page, context: str = ".portia-view", most: int = 60) -> list[Any]:
    """Press Tab through `context` and out of it; return what had the focus, in order."""
    seen: list[Any] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED, context)
        if focused is None:
            if seen:
                return seen
            continue
        seen.append(focused)
    raise AssertionError(f"after {most} times Tab the focus is still inside: {seen[-3:]}")
