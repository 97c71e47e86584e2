// How near a gate is to an abort and to a promotion, over time. The table beside each picture says the same.

const HEIGHT = 170;
const drawn = new Map();

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const clock = (seconds, from, to) => new Date(1000 * seconds).toISOString().slice(11, to - from < 600 ? 19 : 16);

// course: for the key of each evidence its columns: at (Unix seconds), abort and promote (0 to 1).
export function draw(course) {
  for (const [element, chart] of drawn) {
    if (element.isConnected) continue;
    chart.destroy();
    drawn.delete(element);
  }
  for (const element of document.querySelectorAll(".plot")) {
    const { at, abort, promote } = course[element.dataset.key] ?? { at: [] };
    if (at.length === 0) continue;
    const data = [at, promote, abort];
    const chart = drawn.get(element);
    if (chart) chart.setData(data);
    else drawn.set(element, new uPlot(options(element), data, element));
  }
}

function options(element) {
  const axis = { stroke: color("quiet"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false } };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const percent = (value) => `${Math.round(100 * value)} %`;
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: [0, 1] } },
    axes: [
      { ...axis, font, size: 30, values: (chart, splits) => splits.map((at) => clock(at, splits[0], splits.at(-1))) },
      { ...axis, font, size: 48, splits: () => [0, 0.5, 1], values: (chart, splits) => splits.map(percent) },
    ],
    series: [
      { label: "UTC", value: (chart, at) => clock(at ?? chart.data[0].at(-1), 0, 0) },
      line("towards promote", "promote", []),
      line("towards abort", "abort", [6, 4]),
    ],
  };

  function line(label, name, dash) {
    // Where nobody points at, the legend says the newest values.
    const value = (chart, at, series) => percent(at ?? chart.data[series].at(-1));
    return { label, dash, value, stroke: color(name), width: 2, points: { show: false } };
  }
}

function redraw() {
  const kept = [...drawn].map(([element, chart]) => [element.dataset.key, chart.data]);
  for (const chart of drawn.values()) chart.destroy();
  drawn.clear();
  draw(Object.fromEntries(kept.map(([key, [at, promote, abort]]) => [key, { at, promote, abort }])));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("resize", () => {
  for (const [element, chart] of drawn) chart.setSize({ width: element.clientWidth, height: HEIGHT });
});
