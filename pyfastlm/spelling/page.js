// The page of `pyfastlm spell serve`: what becomes of a query while it is typed, and names that are added.

import { CONTROL, answerOf, askSoon, byId, dropRequest, meter, part, sent } from "./shared.js";

const WIDEST = 8; // log-odds of half a bar

const query = byId("query");
const list = byId("candidates");
const empty = byId("empty");
const verdict = byId("verdict");

let takes = false; // whether the server takes names

// --- asking

async function request() {
  const text = query.value.replace(CONTROL, " ");
  if (!text.trim()) return close();
  try {
    const answer = await answerOf(`correct?${new URLSearchParams({ q: text })}`, "correction");
    if (answer) show(answer);
  } catch (error) {
    close();
    tell(empty, error.message);
  }
}

// --- showing

function show(answer) {
  const [tag, ...said] = answer.changed
    ? [part("span", "changed", "tag changed"), "to ", part("bdi", answer.text)]
    : [part("span", answer.catalogued ? "safe" : "left alone", "tag"), reason(answer)];
  verdict.replaceChildren(tag, " ", ...said);
  list.replaceChildren(...answer.candidates.map((one) => row(one, answer)));
  list.hidden = false;
  tell(empty, "");
  byId("adding").hidden = !takes || answer.catalogued;
  byId("add").replaceChildren("Add ", part("bdi", answer.query.trim()), " to the catalogue");
}

function reason(answer) {
  if (answer.catalogued) return "a name of the catalogue";
  return answer.margin === null ? "nothing resembles it, or all of it is known" : "nothing else is likely enough";
}

function row(one, answer) {
  const item = part("li", "");
  const typed = one.text === answer.query;
  item.classList.toggle("taken", one.text === answer.text);
  item.classList.toggle("as-typed", typed);
  const tags = part("span", "", "tags");
  if (typed) tags.append(part("span", "as typed", "tag"));
  const half = Math.min(Math.abs(one.score) / WIDEST, 1) * 50;
  const bar = one.score < 0 ? meter(50 - half, half, "against") : meter(50, half);
  item.append(part("bdi", one.text, "term"), tags, bar, part("span", signed.format(one.score), "score"));
  item.title = `log-odds over the threshold ${one.score.toFixed(3)}, cost of the edits ${one.cost.toFixed(2)}`;
  return item;
}

const signed = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });

function close() {
  dropRequest();
  verdict.replaceChildren();
  list.replaceChildren();
  list.hidden = byId("adding").hidden = true;
  tell(empty, "");
}

function tell(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

function count(names) {
  byId("size").textContent = `· ${names.toLocaleString("en")} names`;
}

// --- a name that is added

async function add() {
  const name = query.value.replace(CONTROL, " ").trim();
  const body = JSON.stringify({ name });
  const options = { method: "POST", headers: { "content-type": "application/json" }, body };
  try {
    const answer = await sent("names", options);
    count(answer.names);
    byId("added").replaceChildren(part("bdi", answer.name), ` is a name now, added in ${Math.round(answer.microseconds)} µs.`);
  } catch (error) {
    byId("added").textContent = error.message;
  }
  query.focus();
  changed();
}

// --- events

function changed() {
  byId("clear").hidden = !query.value;
  query.value.trim() ? askSoon(request) : close();
}

query.addEventListener("input", changed);
byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("add").addEventListener("click", add);
byId("clear").addEventListener("click", () => {
  query.value = "";
  changed();
  query.focus();
});

fetch("health").then((response) => response.json()).then((facts) => {
  takes = facts.adding;
  count(facts.names);
}).catch(() => {}).finally(changed);
