"""How quick the page is: ready after opening, an answer after a moved slider, and under fifty people at once.

    python benchmarks/web.py            in Debian's Chromium, on this machine
    python benchmarks/web.py --load 60  fifty people for a minute too, over loopback

Every step waits for the page to show the new number, so server, network, script and layout are all in it; charts follow
on their own and are timed apart.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode

STEPS = 40
PEOPLE = 50
SLIDES = """async () => {
  const slider = document.querySelector('input.slide[data-for="f-budget"]');
  const first = () => document.querySelector('#answer .facts .value')?.textContent;
  const steps = [];
  for (let step = 0; step < %d; step += 1) {
    const plain = performance.now();
    await (await fetch('/static/page.css', {cache: 'no-store'})).text();
    const before = first(), start = performance.now();
    slider.value = Number(slider.value) + 0.05;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (first() === before && performance.now() - start < 5000) await new Promise((next) => setTimeout(next, 1));
    const seen = performance.now();
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const asked = performance.getEntriesByType('resource').filter((one) => one.name.includes('/plan?')).at(-1);
    steps.push({trivial: start - plain, whole: performance.now() - start, server: asked.responseEnd - asked.startTime,
                script: seen - asked.responseEnd});
    await new Promise((done) => setTimeout(done, 150));
  }
  return steps;
}"""


def served() -> tuple[subprocess.Popen[str], str]:
    """The page in a process of its own, once it answers."""
    command = [sys.executable, "-m", "isoflop", "web", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    where = process.stdout.readline().strip().rstrip("/")
    for _ in range(400):
        try:
            with urllib.request.urlopen(where, timeout=5):  # noqa: S310 - our own page
                return process, where
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the page did not begin to answer")


def in_browser(where: str) -> None:
    """Opening, and a moved slider."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("no Chromium here: nothing is timed in a browser")
        return
    time.sleep(8)  # what the server loads beside the first page
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(base_url=where, viewport={"width": 1280, "height": 900})
        sizes: list[int] = []
        page.on("requestfinished", lambda done: sizes.append(done.sizes()["responseBodySize"]))
        page.goto("/plan?budget=$4k&on=h100-sxm", wait_until="load")
        ready = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        page.wait_for_timeout(3000)
        print(f"a plan opened: ready in {ready} ms, {sum(sizes) / 1000:.0f} kB over the wire, charts and all")
        told(page.evaluate(SLIDES % STEPS))
        browser.close()


def told(steps: list[dict[str, float]]) -> None:
    """A moved slider in its parts, beside a request of the same run that needs no thought."""
    print(f"a moved slider, {len(steps)} times: ms until the new number is painted, and its parts")
    trivial = statistics.median(one["trivial"] for one in steps)
    parts = (("whole", "whole"), ("server", "request and answer"), ("script", "into the page"),
             ("trivial", "a style sheet"))  # fmt: skip
    for key, name in parts:
        times = sorted(one[key] for one in steps)
        middle, late = statistics.median(times), times[int(0.9 * len(times))]
        print(
            f"  {name:20} {middle:5.0f}, p90 {late:5.0f}   {middle / trivial:5.1f} x a style sheet from the same server"
        )


def loaded(where: str, seconds: float) -> None:
    """Fifty people who ask, read for about a second, and ask again."""
    until, took, wrong = time.monotonic() + seconds, [], []

    def person(number: int) -> None:
        chosen = random.Random(number)  # noqa: S311 - no secret
        time.sleep(chosen.random())
        while time.monotonic() < until:
            path = asked(chosen)
            start = time.perf_counter()
            try:
                with urllib.request.urlopen(where + path, timeout=30) as answer:  # noqa: S310 - our own page
                    answer.read()
            except urllib.error.URLError as error:
                wrong.append(f"{path}: {error}")
            took.append(time.perf_counter() - start)
            time.sleep(chosen.uniform(0.5, 1.5))

    people = [threading.Thread(target=person, args=(number,)) for number in range(PEOPLE)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    took.sort()
    late = took[int(0.99 * len(took))]
    print(f"{PEOPLE} people for {seconds:.0f} s: {len(took)} answers, {len(wrong)} errors, "
          f"median {1000 * statistics.median(took):.0f} ms, p99 {1000 * late:.0f} ms")  # fmt: skip
    for text in wrong[:5]:
        print(f"  {text}")


def asked(chosen: random.Random) -> str:
    """What one of them asks: mostly plans and solves, each of its own numbers."""
    budget, tokens = f"${chosen.randint(1, 400)}k", f"{chosen.randint(1, 40)}T"
    words = [
        ("plan", {"budget": budget, "on": "h100-sxm"}),
        ("plan", {"budget": budget, "on": "tpu-v4", "mfu": "40%"}),
        ("solve", {"target": "train_flops", "knowns": f"params=7B\ntokens={tokens}"}),
        ("model", {"model": "llama-3.1-8b", "context": f"{chosen.randint(1, 128)}k"}),
        ("serving", {"model": "llama-3.1-8b", "on": "1xh100-sxm", "concurrency": str(chosen.randint(1, 64))}),
        ("devices", {}),
        ("prices", {"device": "h100-sxm-80gb"}),
        ("static/page.js", {}),
    ]
    view, query = chosen.choice(words)
    return f"/{view}?{urlencode(query)}"


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=re.sub(r"\s+", " ", (__doc__ or "").split("\n\n")[0]))
    parser.add_argument("--load", type=float, default=0, metavar="SECONDS", help="fifty people for so long")
    options = parser.parse_args()
    process, where = served()
    try:
        in_browser(where)
        if options.load:
            loaded(where, options.load)
    finally:
        process.terminate()
        process.wait(timeout=20)


if __name__ == "__main__":
    main()
