// Charts drawn by hand: stacked columns or a line over time, with axes, a tooltip for the pointer and
// for the arrow keys, and a sentence for screen readers.

import { h, s } from "./dom.js";

const HEIGHT = 190;
const MARGIN = { top: 12, right: 8, bottom: 24, left: 44 };
const TICKS = 4;
/** Room a label of the time axis needs. */
const LABEL_WIDTH = 64;

/** A round number not below `most`, of which a quarter is round too (and whole, if asked). */
function roundUp(most, whole) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  const rounds = [1, 1.2, 1.6, 2, 4, 6, 8, 10, 12].map((n) => n * power);
  return rounds.find((n) => n >= most && (!whole || n % TICKS === 0));
}

function axes(svg, { top, width, valueText, points, x, timeText }) {
  const bottom = HEIGHT - MARGIN.bottom;
  for (let tick = 0; tick <= TICKS; tick += 1) {
    const y = bottom - ((bottom - MARGIN.top) * tick) / TICKS;
    svg.append(
      s("line", { class: tick ? "grid" : "base", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
      s("text", { class: "tick", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, valueText((top * tick) / TICKS)));
  }
  const every = Math.max(1, Math.ceil((points.length * LABEL_WIDTH) / (width - MARGIN.left)));
  points.forEach((point, at) => {
    if ((points.length - 1 - at) % every !== 0) return;
    const anchor = at === points.length - 1 ? "end" : "middle";
    const at_x = anchor === "end" ? width - MARGIN.right : x(at);
    if (at_x < MARGIN.left + 16) return;
    svg.append(s("text", { class: "tick", x: at_x, y: HEIGHT - 6, "text-anchor": anchor }, timeText(point)));
  });
}

function columns(svg, { points, series, x, y, step }) {
  const width = Math.max(1, Math.min(22, step * 0.72));
  points.forEach((point, at) => {
    let below = 0;
    for (const { key, kind } of series) {
      const value = point[key];
      if (!value) continue;
      const [from, to] = [y(below), y(below + value)];
      svg.append(s("rect", { class: `fill ${kind}`, x: x(at) - width / 2, y: to, width, height: Math.max(0.5, from - to), rx: Math.min(2, width / 4) }));
      below += value;
    }
  });
}

/** A line; where there is no value there is no line, and a value alone is a dot. */
function line(svg, { points, x, y }, { key, kind }) {
  const known = points.map((point, at) => ({ at, value: point[key] }));
  let path = "";
  known.forEach(({ at, value }) => {
    if (value === null) return;
    path += `${at > 0 && known[at - 1].value !== null ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  svg.append(s("path", { class: `stroke ${kind}`, d: path }));
  known.filter(({ at, value }) => value !== null && [at - 1, at + 1].every((near) => known[near]?.value == null))
    .forEach(({ at, value }) => svg.append(s("circle", { class: `fill ${kind}`, cx: x(at), cy: y(value), r: 2.5 })));
}

/**
 * A chart that draws itself anew when told new points or given another width.
 * `name`: for tests to find it; `series`: [{ key, kind, name }]; `shape`: "columns" or "line";
 * `top`: where the axis ends, if fixed; `tell(point)`: the tooltip's lines.
 */
export function chart({ name, title, hint, series, shape, whole, top: fixedTop, valueText, timeText, tell }) {
  const svg = s("svg", { class: "plot", role: "img", "aria-label": title, focusable: "false" });
  const tip = h("div", { class: "tip", role: "status" });
  const plot = h("div", { class: "chart", tabindex: "0", role: "group", "aria-label": `${title}. ${hint}` }, svg, tip);
  const legend = series.length > 1 && h("span", { class: "legend" },
    series.map(({ kind, name }) => h("span", null, h("i", { class: `key ${kind}` }), name)));
  const heading = h("h2", null, title);
  const note = h("small");
  const figure = h("figure", { class: "panel", "data-testid": `chart-${name}` }, h("figcaption", null, heading, note, legend), plot);

  let points = [];
  let at = null;
  let scale = null;

  function draw() {
    const width = plot.clientWidth;
    if (!width || !points.length) return;
    const inner = width - MARGIN.left - MARGIN.right;
    const step = inner / points.length;
    const bottom = HEIGHT - MARGIN.bottom;
    const values = (point) => series.map(({ key }) => point[key] ?? 0);
    // Columns stand on each other, lines do not.
    const height = (point) => (shape === "line" ? Math.max(...values(point)) : values(point).reduce((all, one) => all + one, 0));
    const top = fixedTop ?? roundUp(Math.max(...points.map(height)), whole);
    const x = (index) => MARGIN.left + step * (index + 0.5);
    const y = (value) => bottom - ((bottom - MARGIN.top) * value) / top;
    scale = { step, x };
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren();
    axes(svg, { top, width, valueText, points, x, timeText });
    if (shape === "line") for (const one of [...series].reverse()) line(svg, { points, x, y }, one);
    else columns(svg, { points, series, x, y, step });
    point(at);
  }

  function point(index) {
    at = index === null ? null : Math.max(0, Math.min(points.length - 1, index));
    tip.classList.toggle("on", at !== null);
    svg.querySelector(".cursor")?.remove();
    if (at === null || !scale) return;
    const here = scale.x(at);
    svg.prepend(s("rect", { class: "cursor", x: here - scale.step / 2, width: scale.step, y: MARGIN.top, height: HEIGHT - MARGIN.top - MARGIN.bottom }));
    tip.replaceChildren(h("b", null, timeText(points[at])), ...tell(points[at]).filter(Boolean).map((text) => h("span", null, text)));
    // Kept within the chart at both ends.
    const half = tip.offsetWidth / 2;
    tip.style.setProperty("--x", `${Math.max(half, Math.min(plot.clientWidth - half, here))}px`);
  }

  plot.addEventListener("pointermove", (event) => {
    if (scale) point(Math.floor((event.offsetX - MARGIN.left) / scale.step));
  });
  plot.addEventListener("pointerleave", () => point(null));
  plot.addEventListener("blur", () => point(null));
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    point((at ?? points.length - 1) + (at === null ? 0 : by));
  });
  new ResizeObserver(draw).observe(plot);

  return {
    element: figure,
    update(newPoints, caption) {
      points = newPoints;
      note.textContent = caption ?? "";
      draw();
    },
  };
}

/** A line without axes, for a tile. */
export function sparkline(values) {
  const [width, height] = [72, 22];
  const most = Math.max(1, ...values);
  const x = (at) => (at / Math.max(1, values.length - 1)) * width;
  const y = (value) => height - 2 - (value / most) * (height - 4);
  const path = values.map((value, at) => `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, s("path", { d: path }));
}

/** Parts of a whole as one bar: [{ value, kind, name }]; `of` is the length of a full bar. */
export function stackedBar(parts, of) {
  const label = parts.filter(({ value }) => value > 0).map(({ name, value }) => `${name}: ${value}`).join(", ");
  return h("span", { class: "stack", role: "img", "aria-label": label, title: label },
    parts.filter(({ value }) => value > 0).map(({ value, kind }) => h("i", { class: `fill ${kind}`, vars: { share: value / of } })));
}
