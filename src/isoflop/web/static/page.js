// The page without this script is whole: a form whose address is the state. Here the answer is swapped in place,
// charts are drawn by Vega, and sliders write into their fields.
const form = document.getElementById("ask");
const answer = document.getElementById("answer");
const night = window.matchMedia("(prefers-color-scheme: dark)");
const LONGEST = 6000; // characters of an address
let running = null;
let vega = null;
let drawing = 0;

const draws = () => vega ??= window.isoflopDraw ? Promise.resolve() : new Promise((ready) => {
  window.addEventListener("isoflop-draws", ready, {once: true});
  const script = document.createElement("script");
  script.type = "module";
  script.src = "/static/vega.js";
  document.head.append(script);
});

function said() {
  const pairs = [...new FormData(form)].filter(([, value]) => typeof value === "string" ? value.trim() : value.size);
  const query = new URLSearchParams(pairs.filter(([, value]) => typeof value === "string"));
  const hasFile = pairs.some(([, value]) => typeof value !== "string");
  return {query, inAddress: !hasFile && query.toString().length <= LONGEST};
}

async function drawOne(figure) {
  const place = figure.querySelector(".drawing");
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // words grow on a large screen
  const width = Math.round(figure.clientWidth / scale) - 50;
  const wide = (source) => `${source}${source.includes("?") ? "&" : "?"}width=${Math.max(260, Math.min(1000, width))}`;
  try {
    const answered = figure.dataset.src ? await fetch(wide(figure.dataset.src))
      : await fetch(wide(figure.dataset.post), {method: "POST", body: new FormData(form)});
    if (!answered.ok) throw new Error((await answered.json()).error.message);
    const spec = await answered.json();
    await draws();
    if (!figure.isConnected) return;
    figure.redraw = () => window.isoflopDraw(place, spec, night.matches);
    await figure.redraw();
    figure.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = error.message;
  }
}

function settle() { // after an answer has come in: charts are drawn once nothing moves
  for (const figure of answer.querySelectorAll("figure.chart")) drawOne(figure);
}

async function update() {
  running?.abort();
  clearTimeout(drawing);
  running = new AbortController();
  const {query, inAddress} = said();
  if (inAddress) {
    for (const pin of new URL(location.href).searchParams.getAll("pin")) query.append("pin", pin);
    history.replaceState(null, "", query.size ? `${form.action}?${query}` : form.action);
  }
  answer.setAttribute("aria-busy", "true");
  try {
    const headers = {"x-fragment": "answer"};
    const answered = inAddress ? await fetch(`${form.action}?${query}`, {headers, signal: running.signal})
      : await fetch(form.action, {method: "POST", body: new FormData(form), headers, signal: running.signal});
    const text = await answered.text();
    const open = new Set([...answer.querySelectorAll("details[open][id]")].map((one) => one.id));
    const old = new Map([...answer.querySelectorAll("figure.chart")].map((one) => [one.dataset.kind, one]));
    answer.innerHTML = text;
    for (const one of answer.querySelectorAll("details[id]")) one.open ||= open.has(one.id);
    for (const figure of answer.querySelectorAll("figure.chart")) { // the last drawing stays until the next is there
      const drawn = old.get(figure.dataset.kind)?.querySelector(".drawing");
      if (drawn) figure.querySelector(".drawing").replaceWith(drawn);
    }
    drawing = setTimeout(settle, 250);
  } catch (error) {
    if (error.name !== "AbortError") answer.textContent = "The page's server does not answer: is isoflop web still running?";
  }
  answer.removeAttribute("aria-busy");
}

const two = (value) => Number(value.toPrecision(2));
const short = (value) => [[1e9, "B"], [1e6, "M"], [1e3, "k"]].map(([size, sign]) => value >= size && `${two(value / size)}${sign}`)
  .find(Boolean) || `${two(value)}`;

function prepareSlider(slider) {
  const field = document.getElementById(slider.dataset.for);
  const log = "log" in slider.dataset;
  const found = /([\d.]+)\s*([kmb]?)/i.exec(field.value);
  if (found) {
    const number = Number(found[1]) * ({k: 1e3, m: 1e6, b: 1e9}[found[2].toLowerCase()] || 1);
    slider.value = log ? Math.log10(number) : Number(found[1]);
  }
  slider.hidden = false;
  slider.addEventListener("input", () => {
    field.value = slider.dataset.form.replace("{}", log ? short(10 ** slider.value) : slider.value);
    field.dispatchEvent(new Event("input", {bubbles: true}));
  });
}

function reveal() { // the derivation that an address or a click leads to, unfolded
  const place = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = place; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  place?.scrollIntoView?.({block: "center"});
}

if (form) {
  let waiting = 0;
  form.addEventListener("input", (event) => {
    if (event.target.type === "range") return;
    clearTimeout(waiting);
    waiting = setTimeout(update, event.target.tagName === "TEXTAREA" ? 400 : 25);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
  form.querySelectorAll("input.slide").forEach(prepareSlider);
  answer.addEventListener("click", (event) => { if (event.target.closest('a[href^="#"]')) setTimeout(reveal); });
  night.addEventListener("change", () => answer.querySelectorAll("figure.chart").forEach((one) => one.redraw?.()));
  reveal();
  settle();
}
