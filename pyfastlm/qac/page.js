// The page of `pyfastlm qac serve`: a combobox (ARIA APG, list autocomplete with manual selection) over /complete.

import { CONTROL, answerOf, askSoon, byId, dropRequest, meter, part } from "./shared.js";

const WANTED = 10;
const MOST_PAST = 16; // the server takes no more,
const MOST_BYTES = 512; // no longer ones, and none with CONTROL

const query = byId("query");
const list = byId("suggestions");
const empty = byId("empty");
const typos = byId("typos");

let past = restore();
let shown = []; // suggestions on the page
let chosen = -1; // index of the highlighted one

// --- asking

async function request() {
  const text = query.value.replace(CONTROL, " ");
  if (!text) return close();
  const fields = new URLSearchParams({ q: text, k: WANTED, edits: typos.checked ? "auto" : "0" });
  for (const search of past) fields.append("past", search);
  try {
    const answer = await answerOf(`complete?${fields}`, "look-up");
    if (answer) show(answer.suggestions, text);
  } catch (error) {
    show([], text, error.message);
  }
}

const ask = () => askSoon(request);

// --- showing

function show(suggestions, text, problem = "") {
  shown = suggestions;
  const most = Math.max(...shown.map((one) => one.score), Number.MIN_VALUE);
  list.replaceChildren(...shown.map((one, number) => option(one, number, text, most)));
  list.hidden = !shown.length;
  empty.textContent = problem || (shown.length ? "" : "Nothing begins like this.");
  empty.hidden = !empty.textContent;
  query.setAttribute("aria-expanded", String(!list.hidden));
  choose(-1);
  byId("state").textContent = empty.textContent || `${shown.length} suggestion${shown.length === 1 ? "" : "s"}`;
}

function close() {
  dropRequest();
  shown = [];
  list.replaceChildren();
  list.hidden = empty.hidden = true;
  query.setAttribute("aria-expanded", "false");
  byId("state").textContent = "";
  choose(-1);
}

function option(one, number, text, most) {
  const item = part("li", "");
  item.id = `suggestion-${number}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  const term = part("bdi", "", "term");
  // What was typed is light and what the suggestion adds is strong; a term with a typo is strong as a whole.
  const typed = one.term.slice(0, text.length);
  const same = one.distance === 0 && typed.toLowerCase() === text.toLowerCase() ? text.length : 0;
  term.append(part("span", typed.slice(0, same), "typed"), one.term.slice(same));
  const bar = meter(0, Math.max((100 * one.score) / most, 2));
  item.append(term, tags(one), bar, part("span", compact.format(one.score), "score"));
  item.title = `score ${one.score.toLocaleString("en")}`;
  item.addEventListener("pointerdown", (event) => event.preventDefault()); // keep the focus
  item.addEventListener("click", () => search(one.term));
  return item;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

function tags(one) {
  const found = part("span", "", "tags");
  if (past.includes(one.term)) found.append(part("span", "again", "tag again"));
  if (one.stage === "typo") found.append(part("span", `${one.distance} typo${one.distance === 1 ? "" : "s"}`, "tag"));
  else if (one.stage !== "exact") found.append(part("span", one.stage, "tag"));
  return found;
}

function choose(number) {
  list.children[chosen]?.setAttribute("aria-selected", "false");
  chosen = number;
  const item = list.children[chosen];
  if (!item) return query.removeAttribute("aria-activedescendant");
  item.setAttribute("aria-selected", "true");
  item.scrollIntoView({ block: "nearest" });
  query.setAttribute("aria-activedescendant", item.id);
}

// --- the session

function search(term) {
  const text = term.trim();
  if (!text) return;
  query.value = text;
  const fits = new TextEncoder().encode(text).length <= MOST_BYTES && text.search(CONTROL) < 0;
  if (fits) past = [...past.filter((one) => one !== text), text].slice(-MOST_PAST);
  close();
  query.select();
  keep();
}

function forget(text) {
  past = past.filter((one) => one !== text);
  keep();
  query.focus();
  if (!list.hidden) ask();
}

function keep() {
  try {
    sessionStorage.setItem("past", JSON.stringify(past));
  } catch {} // a browser without storage forgets on reload
  byId("past").replaceChildren(...past.map(chip));
  byId("no-past").hidden = past.length > 0;
}

function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("past"));
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(-MOST_PAST) : [];
  } catch {
    return [];
  }
}

function chip(text) {
  const item = part("li", "");
  const again = part("button", "", "text");
  again.type = "button";
  again.append(part("bdi", text));
  again.addEventListener("click", () => {
    query.value = text;
    query.focus();
    changed();
  });
  const remove = part("button", "×", "remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Forget ${text}`);
  remove.addEventListener("click", () => forget(text));
  item.append(again, remove);
  return item;
}

// --- keys

function changed() {
  byId("clear").hidden = !query.value;
  query.value ? ask() : close();
}

const KEYS = {
  ArrowDown: () => (list.hidden ? changed() : choose(chosen + 1 < shown.length ? chosen + 1 : -1)),
  ArrowUp: () => !list.hidden && choose(chosen < 0 ? shown.length - 1 : chosen - 1),
  Enter: () => search(shown[chosen]?.term ?? query.value),
  Escape: () => {
    if (list.hidden && empty.hidden) query.value = "";
    byId("clear").hidden = !query.value;
    close();
  },
};

query.addEventListener("input", changed);
query.addEventListener("keydown", (event) => {
  if (event.isComposing || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => {
  query.value = "";
  changed();
  query.focus();
});
typos.addEventListener("change", () => {
  if (query.value) ask();
});

keep();
changed();
fetch("health").then((response) => response.json()).then(({ terms }) => {
  byId("size").textContent = `· ${terms.toLocaleString("en")} terms`;
}).catch(() => {});
