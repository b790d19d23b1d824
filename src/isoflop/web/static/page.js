// The page without this script is whole: a form whose address is the state. Here the answer is swapped in place,
// charts are drawn by Vega, and sliders write into their fields.
const form = document.getElementById("ask");
const answer = document.getElementById("answer");
const night = window.matchMedia("(prefers-color-scheme: dark)");
const LONGEST = 6000; // characters of an address
const PATIENCE = 800; // ms that an answer may take once another is wanted
let running = null;
let next = "";
let hurry = 0;
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
  if (figure.closest("details:not([open])")) { figure.dataset.drawn = "later"; return; } // once it is unfolded
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // words grow on a large screen
  const width = Math.round(figure.clientWidth / scale) - 50;
  const wide = (source) => `${source}${source.includes("?") ? "&" : "?"}width=${Math.max(260, Math.min(1000, width))}`;
  const from = figure.dataset.src && wide(figure.dataset.src);
  if (from && from === figure.drawnFrom) { figure.dataset.drawn = "yes"; return; }
  const turn = figure.turn = (figure.turn ?? 0) + 1;
  try {
    const answered = from ? await fetch(from) : await fetch(wide(figure.dataset.post), {method: "POST", body: new FormData(form)});
    if (!answered.ok) throw new Error((await answered.json()).error.message);
    const spec = await answered.json();
    await draws();
    if (!figure.isConnected || turn !== figure.turn) return;
    figure.redraw = (paper = false) => window.isoflopDraw(place, spec, night.matches && !paper);
    await figure.redraw();
    figure.drawnFrom = from;
    figure.dataset.drawn = "yes";
  } catch (error) {
    if (turn === figure.turn) place.textContent = error.message;
  }
}

function settle() { // after an answer has come in: charts are drawn once nothing moves
  for (const figure of answer.querySelectorAll("figure.chart")) drawOne(figure);
}

function swap(text) { // the new answer; what is unfolded stays so, and a drawing stays until the next is there
  const fresh = document.createElement("template");
  fresh.innerHTML = text;
  const open = new Set([...answer.querySelectorAll("details[open][id]")].map((one) => one.id));
  const old = new Map([...answer.querySelectorAll("figure.chart")].map((one) => [one.dataset.kind, one]));
  for (const one of fresh.content.querySelectorAll("details[id]")) one.open ||= open.has(one.id);
  for (const figure of fresh.content.querySelectorAll("figure.chart")) {
    const kept = old.get(figure.dataset.kind);
    if (!kept) continue;
    for (const name of ["src", "post", "drawn"]) {
      if (figure.dataset[name]) kept.dataset[name] = figure.dataset[name]; else delete kept.dataset[name];
    }
    kept.querySelector("figcaption").replaceWith(figure.querySelector("figcaption"));
    figure.replaceWith(kept);
  }
  answer.replaceChildren(fresh.content);
}

function swapRows(text) { // the rows alone, in their places
  const fresh = document.createElement("template");
  fresh.innerHTML = text;
  const rows = [...fresh.content.querySelectorAll("section.rows")];
  const old = [...answer.querySelectorAll("section.rows")];
  if (!rows.length || rows.length !== old.length) return false;
  old.forEach((one, place) => one.replaceWith(rows[place]));
  return true;
}

async function ask(kind) {
  running = new AbortController();
  const {query, inAddress} = said();
  if (inAddress) {
    for (const pin of new URL(location.href).searchParams.getAll("pin")) query.append("pin", pin);
    if (kind === "answer") history.replaceState(null, "", query.size ? `${form.action}?${query}` : form.action);
  }
  answer.setAttribute("aria-busy", "true");
  try {
    const headers = {"x-fragment": kind};
    const answered = inAddress ? await fetch(`${form.action}?${query}`, {headers, signal: running.signal})
      : await fetch(form.action, {method: "POST", body: new FormData(form), headers, signal: running.signal});
    const text = await answered.text();
    if (kind === "answer" || !answered.ok || !swapRows(text)) swap(text);
  } catch (error) {
    if (error.name !== "AbortError") answer.textContent = "The page's server does not answer: is isoflop web still running?";
  }
  answer.removeAttribute("aria-busy");
  running = null;
}

// One question at a time: what is asked meanwhile waits, the last of it alone, so that a server is never asked for
// answers that nobody waits for. A slow one is given up once another waits.
async function update(kind = "answer") {
  clearTimeout(drawing);
  if (running) {
    next = kind;
    hurry ||= setTimeout(() => running?.abort(), PATIENCE);
    return;
  }
  await ask(kind);
  clearTimeout(hurry);
  hurry = 0;
  if (next) {
    const wanted = next;
    next = "";
    return update(wanted);
  }
  drawing = setTimeout(kind === "rows" ? update : settle, 250);
}

const two = (value) => Number(value.toPrecision(2));
const short = (value) => value >= 1e15 ? value.toExponential(1).replace(".0e", "e").replace("+", "") : [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]].map(([size, sign]) => value >= size && `${two(value / size)}${sign}`)
  .find(Boolean) || `${two(value)}`;

function prepareSlider(slider) {
  const field = document.getElementById(slider.dataset.for);
  const log = "log" in slider.dataset;
  const found = /([\d.]+(?:e[+-]?\d+)?)\s*([kmbt]?)/i.exec(field.value);
  if (found) {
    const number = Number(found[1]) * ({k: 1e3, m: 1e6, b: 1e9, t: 1e12}[found[2].toLowerCase()] || 1);
    slider.value = log ? Math.log10(number) : Number(found[1]);
  }
  slider.hidden = false;
  slider.addEventListener("input", () => {
    field.value = slider.dataset.form.replace("{}", log ? short(10 ** slider.value) : slider.value);
    field.dispatchEvent(Object.assign(new Event("input", {bubbles: true}), {slid: true}));
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
    if (event.slid) update("rows");
    else waiting = setTimeout(update, event.target.tagName === "TEXTAREA" ? 400 : 60);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
  form.querySelectorAll("input.slide").forEach(prepareSlider);
  document.addEventListener("keydown", (event) => answer.classList.toggle("quiet", event.key === "Escape")); // no hints
  answer.addEventListener("toggle", (event) => event.target.querySelectorAll("figure.chart").forEach(drawOne), true);
  answer.addEventListener("click", (event) => { if (event.target.closest('a[href^="#"]')) setTimeout(reveal); });
  night.addEventListener("change", () => answer.querySelectorAll("figure.chart").forEach((one) => one.redraw?.()));
  for (const [event, paper] of [["beforeprint", true], ["afterprint", false]]) { // paper is light
    window.addEventListener(event, () => answer.querySelectorAll("figure.chart").forEach((one) => one.redraw?.(paper)));
  }
  reveal();
  settle();
}
