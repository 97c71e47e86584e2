// The table of gates: rows come and go, and stay in the order that the operator gives them.

import { Stream, announce, morph, renew, tell } from "./live.js";

const MOST_NAMES = 3;

const list = () => document.getElementById("list");

const stream = new Stream(() => `live?${list().dataset.query}`, list().dataset.position, {
  reset: async () => {
    await renew("#list");
    stream.restart(list().dataset.position);
  },
  rows: show,
  verdicts: (html) => morph(document.getElementById("verdicts"), html),
});

function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const news = [];
  for (const row of [...template.content.children]) {
    const old = document.getElementById(row.id);
    const said = replace(old, row);
    if (said) news.push(said);
  }
  recount();
  if (news.length) announce(news.length > MOST_NAMES ? `${news.length} verdicts have changed` : news.join("; "));
}

// Puts a row where it belongs, and returns what should be said about it.
function replace(old, row) {
  if ("gone" in row.dataset) {
    old?.remove();
    return "";
  }
  const focused = old?.contains(document.activeElement);
  const changed = old && old.dataset.verdict !== row.dataset.verdict;
  row.classList.toggle("changed", Boolean(changed));
  tell(row);
  place(old, row);
  if (focused) row.querySelector("a").focus({ preventScroll: true });
  return changed ? `${row.querySelector("a").textContent}: ${row.querySelector(".word").textContent.trim()}` : "";
}

function place(old, row) {
  if (old && old.dataset.key === row.dataset.key && old.dataset.group === row.dataset.group) {
    old.replaceWith(row);
    return;
  }
  old?.remove();
  const group = document.getElementById(`group-${row.dataset.group}`);
  const next = [...group.querySelectorAll("tr.gate")].find((each) => each.dataset.key > row.dataset.key);
  group.insertBefore(row, next ?? null);
}

function recount() {
  for (const group of list().querySelectorAll("tbody")) {
    group.querySelector(".count").textContent = (group.rows.length - 1).toLocaleString("en");
  }
}

// A filter has given another table: what is told from now on is about that one.
let query = list().dataset.query;
document.addEventListener("htmx:after:swap", () => {
  if (list().dataset.query === query) return;
  query = list().dataset.query;
  tell(list());
  stream.restart(list().dataset.position);
});

const filter = document.getElementById("filter");
filter.hidden = false;
// What is looked for and which verdict stands in two places; one must not undo the other.
filter.addEventListener("htmx:config:request", (event) => {
  const verdict = new URLSearchParams(list().dataset.query).get("verdict");
  const action = new URL(event.detail.ctx.request.action, location.href);
  if (verdict) action.searchParams.set("verdict", verdict);
  event.detail.ctx.request.action = action.pathname + action.search;
});
