"""Looks at the status page of a gateway in a real browser.

    status_page.py URL TOKEN FOLDER

Opens the page at two widths, light and dark, logs in (once by the address), and writes what a person would see as one line of JSON a
visit; the pictures go to FOLDER. One visit shows a hundred deployments, made of the real ones.
"""

import json
import shutil
import sys

from playwright.sync_api import sync_playwright

URL, TOKEN, FOLDER = sys.argv[1:]
VISITS = [
    {"name": "wide", "width": 1280, "height": 900, "scheme": "light", "many": 0},
    {"name": "wide-dark", "width": 1280, "height": 900, "scheme": "dark", "many": 0},
    {"name": "phone", "width": 360, "height": 740, "scheme": "light", "many": 0},
    {"name": "phone-dark", "width": 360, "height": 740, "scheme": "dark", "many": 0},
    {"name": "phone-many", "width": 360, "height": 740, "scheme": "light", "many": 100},
    {"name": "fragment", "width": 800, "height": 600, "scheme": "light", "many": 0},
]

# The contrast between each text and what is behind it, after WCAG 2: the texts that have too little.
TOO_FAINT = """() => {
  const channels = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.offsetParent) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return found;
}"""
# What has no name for a screen reader.
NAMELESS = """() => [...document.querySelectorAll("input, button, svg, meter, article, section")]
  .filter((element) => !(element.ariaLabel || element.labels?.length || element.textContent.trim()
    || element.getAttribute("aria-labelledby")))
  .map((element) => element.outerHTML.slice(0, 80))"""


def crowd(status, count):
    """As many deployments as that, each like one of the real ones."""
    real = status["deployments"]
    status["deployments"] = [{**real[n % len(real)], "id": f"ward-{n:03}", "name": f"Ward {n}"} for n in range(count)]
    return status


def visit(browser, name, width, height, scheme, many):
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    urls, complaints = [], []
    page.on("request", lambda request: urls.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    if many:
        def answer(route):
            response = route.fetch()
            if not response.ok:
                return route.fulfill(response=response)
            route.fulfill(response=response, json=crowd(response.json(), many))
        page.route("**/api/v1/status", answer)
    if name == "fragment":
        page.goto(f"{URL}#token={TOKEN}")
        locked = False
    else:
        page.goto(URL)
        page.get_by_label("Token").fill("a-wrong-token-of-many-characters")
        page.get_by_role("button").click()
        page.get_by_text("does not know this token").wait_for()
        locked = page.locator("main").is_visible()
        # The browser itself says that the answers so far were refusals.
        complaints.clear()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button").click()
    page.locator("article").first.wait_for()
    # The second answer draws a line.
    page.locator("polyline[points*=' ']").first.wait_for(state="attached")
    told = {
        "visit": name,
        "lockedShows": locked,
        "text": page.locator("body").inner_text(),
        "cards": page.locator("article").count(),
        "overflow": page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        "tooFaint": page.evaluate(TOO_FAINT),
        "nameless": page.evaluate(NAMELESS),
        "elements": page.evaluate("[...new Set([...document.querySelectorAll('*')].map((e) => e.localName))]"),
        "address": page.url,
    }
    page.screenshot(path=f"{FOLDER}/{name}.png", full_page=not many)
    page.get_by_label("Filter deployments").fill("WARD-09" if many else "no such thing")
    told["filtered"] = page.locator("article").count()
    told["filteredText"] = page.locator("#deployments-title").inner_text()
    page.reload()
    page.locator("article").first.wait_for()
    told["remembered"] = True
    told.update(urls=sorted(set(urls)), complaints=complaints)
    page.close()
    print(json.dumps(told), flush=True)


with sync_playwright() as playwright:
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    # Nothing but our own page is opened, and a sandbox needs what containers do not give.
    browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    for what in VISITS:
        visit(browser, **what)
    browser.close()
