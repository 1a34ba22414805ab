// What the machine understood and how it decided, shown: used by live cards and by the timeline.

import { h, heard, icon } from "./dom.js";
import { nameOf, percent, weight } from "./format.js";
import { verdict } from "./verdict.js";
import { words } from "./words.js";

const said = words.decision;
/** N-grams below this weight decided nothing. */
const TELLING = 0.05;
/** From these weights on an n-gram is shown bigger. */
const STRONG = 1.2;
const FAIR = 0.4;

/** The intent a turn was taken for: none of them, when the models found it out of scope. */
export function intentName(classification) {
  if (!classification.in_scope) return said.outOfScope;
  return nameOf(words.intents, classification.intents[0]?.id);
}

/** Confidence as a bar, with a tick where the machine may answer by itself. */
export function confidenceBar({ confidence, threshold }) {
  const enough = threshold === undefined || confidence >= threshold;
  const limit = threshold === undefined ? "" : ` (${said.threshold(percent(threshold))})`;
  const label = `${said.confidence}: ${percent(confidence)}${limit}`;
  return h("span", { class: `confidence ${enough ? "enough" : "short"}`, title: label },
    h("span", { class: "meter", "aria-hidden": "true", vars: { share: confidence, limit: threshold ?? 0 } },
      h("i"), threshold !== undefined && h("b")),
    h("span", { class: "amount", "aria-hidden": "true" }, percent(confidence)), heard(label));
}

/** A part of an explanation: words of the customer, or in brackets what was known beside them. */
function telling(part) {
  const known = /^\[(no )?(after )?(.+)\]$/.exec(part);
  if (!known) return part;
  const [, no, after, name] = known;
  if (after) return said.after(nameOf(words.intents, name));
  return nameOf(no ? said.absent : said.known, name);
}

/** The n-grams that decided, heavier ones bigger. */
export function ngramChips(explanation, most = 5) {
  const heaviest = explanation.filter((part) => Math.abs(part.weight) >= TELLING).slice(0, most);
  if (heaviest.length === 0) return null;
  return h("ul", { class: "ngrams", "data-testid": "ngrams", "aria-label": said.ngrams },
    heaviest.map(({ ngram, weight: w }) => {
      const size = Math.abs(w) >= STRONG ? "strong" : Math.abs(w) >= FAIR ? "fair" : "slight";
      const told = w >= 0 ? said.pro(weight(w)) : said.contra(weight(w));
      return h("li", { class: `${w >= 0 ? "pro" : "contra"} ${size}`, title: told }, telling(ngram), heard(`, ${told}`));
    }));
}

/** What stands out in how the customer wrote. A neutral tone does not. */
export function marks(classification) {
  const { sentiment, frustrated, urgent } = classification;
  return [
    urgent && h("span", { class: "tag danger" }, icon("alert"), said.urgent),
    frustrated && h("span", { class: "tag warn" }, icon("flame"), said.frustrated),
    sentiment && sentiment !== "neutro" && h("span", { class: `tag tone ${sentiment}` },
      icon(sentiment), nameOf(words.sentiments, sentiment)),
  ].filter(Boolean);
}

/** Where a turn went, as a badge. */
export function routeBadge(route, { queue, owner } = {}) {
  const outcome = words.outcome;
  const names = {
    auto: [outcome.auto, "bot"],
    human: [outcome.queue(nameOf(words.queueNames, queue)), "queues"],
    owned: [outcome.withAgent(owner ?? ""), "person"],
    incident: [outcome.incident, "alert"],
    dropped: [outcome.dropped, "close"],
  };
  const [text, symbol] = names[route] ?? names.dropped;
  return h("span", { class: `route ${route}` }, icon(symbol), text);
}

const fact = (name, ...value) => value[0] && h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value));

function candidates(classification) {
  return h("div", { class: "candidates" },
    h("h3", null, said.candidates),
    h("ol", null, classification.intents.map(({ id, probability }, rank) =>
      h("li", { class: rank === 0 ? "first" : "" },
        h("span", null, nameOf(words.intents, id)),
        h("span", { class: "meter", "aria-hidden": "true", vars: { share: probability } }, h("i")),
        h("span", { class: "amount" }, percent(probability))))));
}

/** The n-grams with their weights in figures: bars to the right for, to the left against. */
function weights(explanation) {
  if (explanation.length === 0) return null;
  const most = Math.max(...explanation.map((part) => Math.abs(part.weight)));
  return h("div", { class: "weights" }, h("h3", null, said.ngrams),
    h("ol", null, explanation.map(({ ngram, weight: w }) => h("li", { class: w >= 0 ? "pro" : "contra" },
      h("span", null, telling(ngram)),
      h("span", { class: "scale", "aria-hidden": "true", vars: { share: Math.abs(w) / most } }, h("i")),
      h("span", { class: "amount" }, `${w >= 0 ? "+" : "−"}${weight(w)}`)))),
    h("p", { class: "note" }, said.legend));
}

function facts(detail, line) {
  const c = detail.classification;
  return h("dl", { class: "facts" },
    c && fact(said.confidence, `${percent(c.confidence)} (${said.threshold(percent(c.threshold))})`),
    typeof detail.transcript_confidence === "number" && fact(said.transcript, percent(detail.transcript_confidence)),
    fact(said.reason, nameOf(words.reasons, detail.reason)),
    fact(said.action, nameOf(words.crmActions, detail.action)),
    c && fact(said.sentiment, `${nameOf(words.sentiments, c.sentiment)} (${percent(c.sentiment_confidence)})`),
    fact(said.closedBy, nameOf(words.closings, detail.closed_by)),
    fact(said.messages, String(detail.messages.length)),
    line.priority !== "normal" && fact(said.priority, nameOf(words.priorities, line.priority)),
    c && fact(said.unknown, percent(c.unknown_share)),
    c && fact(said.model, h("code", null, c.model_version)));
}

/** A decision of the timeline: the essentials in sight, everything behind them on demand. */
export function explained(line) {
  const detail = line.detail;
  const c = detail.classification;
  const nearest = c && !c.in_scope && c.intents[0] && said.nearest(nameOf(words.intents, c.intents[0].id));
  return h("details", { class: "decided", "data-testid": "decision" },
    h("summary", { title: said.heading },
      h("span", { class: "intent" }, c ? intentName(c) : said.none, nearest && h("small", null, ` ${nearest}`)),
      c && confidenceBar(c), routeBadge(detail.route, line), c && marks(c),
      c && ngramChips(c.explanation, 5)),
    h("div", { class: "decided-body" },
      c && candidates(c),
      c && weights(c.explanation),
      c && verdict({ ...line, turn: detail.turn, classification: c }),
      facts(detail, line)));
}
