// How the models do: what they never saw before, whether traffic has moved from what it was, and how
// often people found an automatic answer to be about something else. Above every page: what is closed.

import { Problem, call } from "./api.js";
import { chart } from "./chart.js";
import { announce, byId, h, icon, keyed } from "./dom.js";
import { atClock, count, nameOf, percent } from "./format.js";
import { knownAgent } from "./people.js";
import { words } from "./words.js";

const said = words.model;
const REFRESH_EVERY_MS = 15_000;
const HOUR_MS = 3_600_000;
/** By convention: from here on the population is another one. */
const MOVED = 0.25;

const decimals = new Intl.NumberFormat("pt-BR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const orDash = (value, format) => (value === null || value === undefined ? words.numbers.dash : format(value));

const unknown = chart({
  name: "unknown", title: said.unknown, hint: said.chartHint, shape: "line", whole: false,
  series: [{ key: "unknown", kind: "auto", name: said.unknown }],
  valueText: percent, timeText: ({ ms }) => atClock(ms),
  tell: ({ unknown: share, turns }) => [orDash(share, percent), said.turns(count(turns))],
});

const drift = chart({
  name: "psi", title: said.drift, hint: said.chartHint, shape: "line", whole: false,
  series: [{ key: "intents", kind: "auto", name: said.ofIntents }, { key: "confidence", kind: "faint", name: said.ofConfidence }],
  valueText: (n) => decimals.format(n), timeText: ({ ms }) => atClock(ms),
  tell: (point) => (point.intents === null ? [said.noPsi]
    : [`${said.ofIntents}: ${decimals.format(point.intents)}`, `${said.ofConfidence}: ${decimals.format(point.confidence)}`]),
});

const facts = h("dl", { class: "facts model-facts" });
const rates = h("ul", { class: "bars rates" });
const noRates = h("p", { class: "note" }, said.noChecks);

const heading = h("h2", { class: "model-heading" }, said.heading);

/** The section of the numbers page. */
export const section = h("section", { class: "model", "data-testid": "model" }, heading,
  h("div", { class: "charts two" }, unknown.element, drift.element),
  h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", null, said.rates)), h("p", { class: "note" }, said.ratesHint), rates, noRates),
  h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", null, said.now)), facts));

const fact = (name, value) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value));

function rate({ intent, checked, overridden, rate: share, min, max }) {
  const label = said.rateLabel(percent(share), percent(min), percent(max));
  return h("li", { class: min > 0.05 ? "bad" : "" },
    h("span", { class: "bar-name" }, nameOf(words.intents, intent)),
    h("span", { class: "interval", role: "img", "aria-label": label, title: label, vars: { from: min, to: max, at: share } }, h("i"), h("b")),
    h("span", { class: "bar-told" }, said.checkedOf(count(overridden), count(checked))));
}

function showModel(model) {
  section.hidden = !model;
  if (!model) return;
  const points = model.hours.map(({ hour, turns, unknown_share, psi_intents, psi_confidence }) =>
    ({ ms: hour * HOUR_MS, turns, unknown: unknown_share, intents: psi_intents, confidence: psi_confidence }));
  unknown.update(points, said.perHour);
  drift.update(points, said.perHour);
  const moved = model.drift && model.drift.psi_intents >= MOVED;
  facts.replaceChildren(
    fact(words.decision.model, h("code", null, model.model_version)),
    fact(said.read, said.turns(count(model.turns))),
    fact(said.unknown, `${orDash(model.unknown_share, percent)} (${said.before(orDash(model.unknown_share_reference, percent))})`),
    fact(said.drift, model.drift
      ? h("span", { class: moved ? "tag warn" : "" }, said.psi(decimals.format(model.drift.psi_intents), decimals.format(model.drift.psi_intents_by_chance)))
      : said.noPsi));
  noRates.hidden = model.checked.length > 0;
  keyed(rates, model.checked, ({ intent }) => intent, rate);
}

// ---- what is closed --------------------------------------------------------------------------

const banner = byId("closed-paths");

async function reopen(intent, button) {
  const agent = await knownAgent();
  if (!agent) return;
  button.disabled = true;
  try {
    await call(`/v1/intents/${encodeURIComponent(intent)}/reopen`, { method: "POST", body: { agent } });
    announce(said.reopened(nameOf(words.intents, intent)));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    announce(problem.message);
  }
  setTimeout(refresh, 1000);
}

function showClosed(closed) {
  banner.hidden = closed.length === 0;
  banner.replaceChildren(...closed.map(({ intent, checked, overridden }) => {
    const button = h("button", { type: "button", class: "plain small", "data-testid": "reopen" }, said.reopen);
    button.addEventListener("click", () => reopen(intent, button));
    return h("p", { "data-testid": `closed-${intent}` }, icon("alert"),
      h("span", null, said.closed(nameOf(words.intents, intent), count(overridden), count(checked))), button);
  }));
}

/** Fetches how the models do. */
export async function refresh() {
  try {
    const { model, closed } = await call("/v1/metrics/model");
    showModel(model);
    showClosed(closed);
  } catch {
    // The next turn tries again.
  }
}

export function start() {
  section.hidden = true;
  refresh();
  setInterval(refresh, REFRESH_EVERY_MS);
}
