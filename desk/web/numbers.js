// The figures: a strip that is always in sight, and the page with charts behind it.

import { call } from "./api.js";
import { chart, sparkline, stackedBar } from "./chart.js";
import { byId, emptyState, h, icon, keyed, skeletons } from "./dom.js";
import { atClock, count, duration, nameOf, percent } from "./format.js";
import { section as modelSection } from "./model.js";
import { onSums } from "./queues.js";
import { onRoute } from "./routes.js";
import { section as tenantsSection } from "./tenants.js";
import { words } from "./words.js";

const said = words.numbers;
const REFRESH_EVERY_MS = 5000;
const STRIP_MINUTES = 60;
/** Columns of a chart at most; longer times share a column. */
const COLUMNS_MAX = 60;
/** Fewer would read as less time than was asked for. */
const COLUMNS_MIN = 15;
const INTENTS_SHOWN = 8;
/** The last minutes that count as "now". */
const NOW_MINUTES = 3;

const page = byId("figures");

let minutes = STRIP_MINUTES;
let inView = false;
let sums = null;
let lastHour = null;
let allIntents = false;

const orDash = (value, format) => (value === null || value === undefined ? said.dash : format(value));
const people = (settled) => settled.human + settled.owned;
const KINDS = ["auto", "human", "incident", "dropped"];
const partsOf = (settled) => KINDS.map((kind) => ({
  kind, name: said[kind], value: kind === "human" ? people(settled) : settled[kind],
}));
const total = (settled) => settled.auto + people(settled) + settled.incident + settled.dropped;

/** In what is not settled yet, what was settled but came before the window counts against it. */
const inFlight = (summary) => Math.max(0, summary.in_flight);

// ---- strip -----------------------------------------------------------------------------------

function tile(label, value, more = {}) {
  return h("div", { class: `kpi ${more.tone ?? ""}`, title: more.hint },
    h("span", { class: "kpi-name" }, label),
    h("span", { class: "kpi-line" }, h("b", { "data-testid": more.testid }, value), more.side),
    more.note && h("span", { class: "kpi-note" }, more.note));
}

function showStrip() {
  const s = lastHour;
  const perMinute = s?.series.slice(-NOW_MINUTES - 1, -1) ?? [];
  const rate = perMinute.reduce((all, { messages }) => all + messages, 0) / NOW_MINUTES;
  const waitingNote = sums && (sums.overdue > 0 ? said.overdue(sums.overdue) : said.onTime);
  byId("strip").replaceChildren(
    tile(said.autoRate, orDash(s?.auto_rate, percent), { testid: "kpi-auto-rate", note: said.lastHour }),
    tile(said.p95, orDash(s?.answer_ms.p95, duration), { testid: "kpi-p95", hint: said.p95Hint, note: s?.answer_ms.p50 != null && `${said.median} ${duration(s.answer_ms.p50)}` }),
    tile(said.perMinute, s ? count(Math.round(rate)) : said.dash, { testid: "kpi-per-minute", side: s && sparkline(s.series.slice(0, -1).map(({ messages }) => messages)) }),
    tile(said.waiting, sums ? count(sums.waiting) : said.dash, { testid: "kpi-waiting", tone: sums?.overdue ? "bad" : "", note: waitingNote }),
    tile(said.inFlight, s ? count(inFlight(s)) : said.dash, { testid: "kpi-in-flight", note: said.beingHandled }),
    tile(said.resolved, s ? count(s.conversations.resolved_auto + s.conversations.resolved_human) : said.dash, { testid: "kpi-resolved", note: said.lastHour }));
}

// ---- page ------------------------------------------------------------------------------------

const perMinuteText = (value) => new Intl.NumberFormat("pt-BR", { maximumFractionDigits: 1 }).format(value);

const throughput = chart({
  name: "throughput", title: said.throughput, hint: said.chartHint, shape: "columns", whole: true,
  series: [{ key: "auto", kind: "auto", name: said.auto }, { key: "human", kind: "human", name: said.human }],
  valueText: count, timeText: ({ ms }) => atClock(ms),
  tell: ({ auto, human }) => [`${said.auto}: ${perMinuteText(auto)}`, `${said.human}: ${perMinuteText(human)}`],
});

const latency = chart({
  name: "latency", title: said.latency, hint: said.chartHint, shape: "line", whole: false,
  series: [{ key: "p95", kind: "auto", name: said.slow95 }, { key: "p50", kind: "faint", name: said.median50 }],
  valueText: duration, timeText: ({ ms }) => atClock(ms),
  tell: ({ p50, p95 }) => (p95 === null ? [said.noAnswer] : [`${said.slow95}: ${duration(p95)}`, p50 !== null && `${said.median50}: ${duration(p50)}`]),
});

const rate = chart({
  name: "rate", title: said.rate, hint: said.chartHint, shape: "line", top: 1,
  series: [{ key: "rate", kind: "auto", name: said.rate }],
  valueText: percent, timeText: ({ ms }) => atClock(ms),
  tell: ({ rate: share }) => [share === null ? said.noAnswer : percent(share)],
});

/** The series in at most so many columns: throughput on average, times by the worst. Empty minutes
 * before the first message are left out, down to a readable few. */
function columnsOf(asked) {
  const used = ({ messages, auto, human }) => messages + auto + human > 0;
  // The minute under way would read as a fall.
  const done = asked.slice(0, -1);
  const whole = done.some(used) ? done : asked;
  const first = whole.findIndex(used);
  const series = whole.slice(Math.max(0, Math.min(first, whole.length - COLUMNS_MIN)));
  const width = Math.ceil(series.length / COLUMNS_MAX);
  const points = [];
  for (let at = 0; at < series.length; at += width) {
    const part = series.slice(at, at + width);
    const mean = (key) => part.reduce((all, one) => all + one[key], 0) / part.length;
    const worst = (key) => {
      const times = part.map((one) => one[key] ?? null).filter((ms) => ms !== null);
      return times.length ? Math.max(...times) : null;
    };
    const [auto, human] = [mean("auto"), mean("human")];
    const share = auto + human > 0 ? auto / (auto + human) : null;
    points.push({ ms: part[0].minute * 60_000, auto, human, rate: share, p50: worst("p50_ms"), p95: worst("p95_ms") });
  }
  return { points, width };
}

const tiles = h("div", { class: "tiles" });
const channels = h("ul", { class: "bars" });
const intents = h("ul", { class: "bars" });
const tones = h("div", { class: "tones" });
const moreButton = h("button", { type: "button", class: "plain small", on: { click: () => {
  allIntents = !allIntents;
  refresh();
} } });

const legend = () => h("span", { class: "legend" },
  ["auto", "human"].map((kind) => h("span", null, h("i", { class: `key ${kind}` }), said[kind])));
const panel = (title, extra, ...content) =>
  h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", null, title), extra), content);

const content = h("div", { class: "figures-grid" }, tiles,
  h("div", { class: "charts" }, throughput.element, rate.element, latency.element),
  h("div", { class: "beside" }, panel(said.byChannel, legend(), channels), panel(said.sentiment, null, tones)),
  panel(said.byIntent, legend(), intents, moreButton), modelSection, tenantsSection);

function showTiles(s) {
  const { opened, resolved_auto: auto, resolved_human: human } = s.conversations;
  tiles.replaceChildren(
    tile(said.messages, count(s.messages)),
    tile(said.p50, orDash(s.answer_ms.p50, duration)),
    tile(said.opened, count(opened)),
    tile(said.resolved, count(auto + human), { note: said.resolvedSplit(count(auto), count(human)) }),
    tile(said.breached, count(s.sla_breached), { tone: s.sla_breached > 0 ? "bad" : "" }),
    tile(said.csat, orDash(s.csat.average, (average) => said.csatValue(perMinuteText(average))), { testid: "kpi-csat",
      note: s.csat.asked > 0 && said.csatNote(count(s.csat.answered), count(s.csat.asked), percent(s.csat.answer_rate)) }));
}

function bar({ symbol, name, settled, most, told }) {
  return h("li", null,
    h("span", { class: "bar-name" }, symbol && icon(symbol), name),
    stackedBar(partsOf(settled), most), h("span", { class: "bar-told" }, told));
}

function showBars(s) {
  const byChannel = Object.entries(s.by_channel).map(([id, one]) => ({ id, ...one }))
    .sort((a, b) => b.messages - a.messages);
  const mostOf = (list) => Math.max(1, ...list.map(({ settled }) => total(settled)));
  const channelMost = mostOf(byChannel);
  keyed(channels, byChannel.map((one) => ({ ...one, most: channelMost })), ({ id }) => id, ({ id, messages, settled, auto_rate: rate, most }) =>
    bar({ symbol: id, name: nameOf(words.channels, id), settled, most,
      told: `${said.received(messages)}${rate === null ? "" : `, ${said.share(percent(rate))}`}` }));
  const byIntent = Object.entries(s.by_intent).map(([id, settled]) => ({ id, settled }))
    .sort((a, b) => total(b.settled) - total(a.settled));
  const intentMost = mostOf(byIntent);
  const visible = allIntents ? byIntent : byIntent.slice(0, INTENTS_SHOWN);
  keyed(intents, visible.map((one) => ({ ...one, most: intentMost })), ({ id }) => id, ({ id, settled, most }) =>
    bar({ name: nameOf(words.intents, id), settled, most, told: count(total(settled)) }));
  moreButton.hidden = byIntent.length <= INTENTS_SHOWN;
  moreButton.textContent = allIntents ? words.actions.fewer : words.actions.more;
}

function showTones(s) {
  const all = Object.values(s.by_sentiment).reduce((sum, n) => sum + n, 0);
  const parts = ["positivo", "neutro", "negativo"].map((kind) => ({ kind, name: nameOf(words.sentiments, kind), value: s.by_sentiment[kind] ?? 0 }));
  if (all === 0) return tones.replaceChildren(h("p", { class: "note" }, said.noData));
  tones.replaceChildren(stackedBar(parts, all), h("span", { class: "legend" },
    parts.map(({ kind, name, value }) => h("span", null, h("i", { class: `key ${kind}` }), `${name} ${percent(value / all)}`))));
}

function showPage(s) {
  page.setAttribute("aria-busy", "false");
  if (s.messages === 0) {
    page.replaceChildren(emptyState("numbers", said.emptyTitle, said.emptyHint));
    return;
  }
  if (content.parentElement !== page) page.replaceChildren(content);
  const { points, width } = columnsOf(s.series);
  showTiles(s);
  throughput.update(points, said.perStep(width));
  rate.update(points, said.ofMessages);
  latency.update(points, said.perStep(width));
  showBars(s);
  showTones(s);
}

// ---- refreshing ------------------------------------------------------------------------------

const ask = (window) => call("/v1/metrics/summary", { query: { minutes: window } });

/** Fetches the figures. What fails is shown by the connection's state and fetched again soon. */
export async function refresh() {
  try {
    lastHour = await ask(STRIP_MINUTES);
    showStrip();
    if (!inView) return;
    const wanted = minutes;
    const summary = wanted === STRIP_MINUTES ? lastHour : await ask(wanted);
    if (wanted === minutes) showPage(summary);
  } catch {
    // The next turn tries again.
  }
}

export function start() {
  const buttons = Object.entries(said.windows).map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(Number(value) === minutes), on: { click: (event) => {
      minutes = Number(value);
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === event.currentTarget)));
      refresh();
    } } }, text));
  byId("windows").replaceChildren(...buttons);
  page.replaceChildren(...skeletons(4, "panel"));
  onSums((told) => {
    sums = told;
    showStrip();
  });
  onRoute(({ view }) => {
    inView = view === "numbers";
    if (inView) refresh();
  });
  showStrip();
  refresh();
  setInterval(refresh, REFRESH_EVERY_MS);
}
