// One stream of events for a page. It connects again by itself, rests while nobody looks (a browser allows few
// connections to one host), and says when what is shown is not live.

const SILENCE_MS = 25_000; // the operator says something every 10 s
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
const RELATIVE_MS = 10_000;

export class Stream {
  #source = null;
  #address;
  #hearers;
  #position;
  #wait = FIRST_WAIT_MS;
  #retry = 0;
  #silence = 0;
  #heard = Date.now();
  #done = false;

  // address: says where to listen, without the position; position: where the page was drawn;
  // hearers: a function for each event, given its data.
  constructor(address, position, hearers) {
    this.#address = address;
    this.#position = position;
    this.#hearers = { tick: () => {}, ...hearers };
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    this.#open();
  }

  // Listen to something else, or from another position on.
  restart(position) {
    this.#position = position;
    this.#close();
    this.#open();
  }

  end() {
    this.#done = true;
    this.#close();
  }

  #open() {
    if (this.#done || this.#source || document.hidden) return;
    const address = new URL(this.#address(), location.href);
    address.searchParams.set("since", this.#position);
    const source = (this.#source = new EventSource(address));
    for (const [name, hear] of Object.entries(this.#hearers)) {
      source.addEventListener(name, (event) => {
        if (source === this.#source) this.#hear(event, hear);
      });
    }
    source.onerror = () => source === this.#source && this.#lose();
    this.#listen();
  }

  #hear(event, hear) {
    this.#wait = FIRST_WAIT_MS;
    this.#heard = Date.now();
    if (event.lastEventId) this.#position = event.lastEventId;
    this.#listen();
    say("live", "Live");
    hear(event.data);
  }

  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lose(), SILENCE_MS);
  }

  #lose() {
    this.#close();
    lost(this.#heard);
    this.#retry = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
  }

  #close() {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = null;
  }
}

function say(state, text) {
  const live = document.getElementById("live");
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.textContent = text;
}

// heard: when the operator said something last, by the clock of this browser.
function lost(heard) {
  const live = document.getElementById("live");
  if (live.dataset.state === "lost") return;
  say("lost", "Not live since ");
  const at = new Date(heard + ahead).toISOString();
  const time = document.createElement("time");
  time.dateTime = `${at.slice(0, 19)}Z`;
  time.textContent = `${at.slice(11, 19)} UTC`;
  live.append(time);
  tell(live);
}

// Something has happened that a reader who does not see the page should hear of.
export function announce(text) {
  document.getElementById("said").textContent = text;
}

// Read the page again and put the new content in the place of the old: what this page knows is of another process.
// A page that was drawn with other scripts is loaded as a whole.
export async function renew(selector) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.documentElement.dataset.assets !== document.documentElement.dataset.assets) return location.reload();
  await morph(document.querySelector(selector), page.querySelector(selector).outerHTML);
}

// Put new HTML in the place of an element, and keep what did not change: focus, open details, pictures.
export async function morph(element, html) {
  await htmx.swap({ sourceElement: element, target: element, text: html, swap: "outerMorph" });
  tell(element);
}

// The clock of the operator, not of the reader: how far it is ahead of this one, ms.
const ahead = 1000 * Number(document.documentElement.dataset.now) - Date.now();
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat("en");

// Say beside each time how long ago it is, or how soon.
export function tell(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const seconds = Math.round((Date.parse(time.dateTime) - Date.now() - ahead) / 1000);
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
    const said = words.format(Math.trunc(seconds / size), unit);
    // A thousand attributes that are written without a change are a thousand styles to compute.
    if (time.dataset.ago !== said) time.dataset.ago = said;
  }
}

tell(document);
setInterval(() => tell(document), RELATIVE_MS);
