// One gate: what it says, and its course as a picture.

import { Stream, announce, morph, renew, tell } from "./live.js";
import { draw } from "./chart.js";

const gate = () => document.getElementById("gate");
const path = gate().dataset.path;
const root = new URL("../../", location.href);
let course = {};

// Records that were asked for have times too.
document.addEventListener("htmx:after:swap", () => tell(document.getElementById("decisions")));

const word = () => document.querySelector("#gate .head .word").textContent.trim();

const stream = new Stream(() => new URL(`live/${path}`, root), gate().dataset.position, {
  reset: () => renew("#gate").then(() => draw(course)),
  gate: async (html) => {
    const before = word();
    await morph(gate(), html);
    draw(course);
    if (word() !== before) announce(word());
  },
  course: (json) => {
    course = JSON.parse(json);
    draw(course);
  },
  gone: () => {
    stream.end();
    const live = document.getElementById("live");
    live.dataset.state = "gone";
    live.textContent = "This gate is gone: its Rollout was deleted. What is shown is the last that was known.";
  },
});
