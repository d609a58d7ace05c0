// What the pages share: asking while somebody types, how long that took, and parts of the page.

const DELAY = 40; // milliseconds without a key before the server is asked
const REMEMBERED = 40; // round trips in the median

export const CONTROL = /[\x00-\x1f\x7f-\x9f]/g; // what no server takes

let timer = 0;
let asking = null; // AbortController of the request under way
let trips = [];

export const byId = (id) => document.getElementById(id);

export function askSoon(request) {
  clearTimeout(timer);
  timer = setTimeout(request, DELAY);
}

export function dropRequest() {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
}

// The answer from `address`; null where it was dropped, or another one was asked for in the meantime.
export async function answerOf(address, label) {
  asking?.abort(); // an older answer must never replace a newer one
  const mine = (asking = new AbortController());
  const start = performance.now();
  try {
    const answer = await sent(address, { signal: mine.signal });
    if (mine !== asking) return null;
    measure(label, answer.microseconds, performance.now() - start);
    return answer;
  } catch (error) {
    if (mine !== asking) return null; // aborted
    throw error;
  }
}

// The answer to one request; an Error with a line to show where there is none.
export async function sent(address, options) {
  let response, answer;
  try {
    response = await fetch(address, { ...options, cache: "no-store" });
    answer = await response.json();
  } catch (error) {
    throw error instanceof TypeError ? new Error("The server does not answer.") : error;
  }
  if (!response.ok) throw new Error(response.status === 429 ? "Too many requests; one moment." : answer.error);
  return answer;
}

function measure(label, taken, trip) {
  trips = [...trips, trip].slice(-REMEMBERED);
  const median = [...trips].sort((a, b) => a - b)[trips.length >> 1];
  byId("latency").replaceChildren(
    `${label} `, part("b", taken < 1000 ? `${Math.round(taken)} µs` : `${(taken / 1000).toFixed(1)} ms`),
    "   round trip ", part("b", `${trip.toFixed(1)} ms`), part("span", ` (median ${median.toFixed(1)})`, "median"),
  );
}

export function part(name, text, kind = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}

// A bar `width` long of 100, from `start` on.
export function meter(start, width, kind = "") {
  const made = svg("svg", { class: "meter", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
  made.append(svg("rect", { class: kind, x: start, width, height: 4 }));
  return made;
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
