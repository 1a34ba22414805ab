// One card of the live page: what is remembered of a conversation, and how it is shown.

import { h, icon } from "./dom.js";
import { atSecond, duration, nameOf } from "./format.js";
import { confidenceBar, intentName, marks, ngramChips, routeBadge } from "./decision.js";
import { conversationPath } from "./routes.js";
import { words } from "./words.js";

const said = words.outcome;

/** What a card remembers before it has heard anything. */
export const blank = (id) => ({
  id, channel: "other", protocol: "", name: null, atMs: 0, state: "triage", owner: null, queue: null,
  texts: [], decision: null, decided: false, action: null, reply: null, agentWrote: null,
  resolved: null, breached: false,
});

/** The last decision as a list tells it: without the n-grams. */
const decisionOf = (row) => row.route === null ? null : {
  route: row.route, reason: row.reason, atMs: null,
  classification: row.intent && {
    intents: [{ id: row.intent }], confidence: row.confidence, sentiment: row.sentiment,
    in_scope: row.reason !== "out_of_scope", explanation: [],
  },
};

/** Takes what a list knows of the conversation; of what was heard since, only what is missing. */
export function learnRow(card, row) {
  const behind = card.atMs >= row.updated_at_ms;
  if (!behind) {
    const { channel, protocol, state, owner, queue, updated_at_ms: atMs } = row;
    Object.assign(card, blank(card.id), { channel, protocol, state, owner, queue, atMs });
    if (state === "resolved" || state === "csat") card.resolved = { by: null };
  }
  card.name = row.customer?.name ?? card.name;
  // Lines heard before any message or decision belong to those the list tells of.
  if (card.texts.length > 0) return;
  card.texts = row.last_text ? [row.last_text] : [];
  if (!card.decision) {
    card.decision = decisionOf(row);
    card.decided = card.decision !== null && row.state !== "triage";
  }
}

/** A message in words: its text, or what it is. */
export function messageText({ text, choice, kind, attachments, deleted }) {
  if (deleted) return words.kinds.delete;
  if (text) return text;
  if (choice) return `${words.live.tapped} “${choice.title}”`;
  const file = attachments?.[0]?.filename;
  const name = kind === "text" ? words.conversation.missing : nameOf(words.kinds, kind);
  return file ? `${name}: ${file}` : name;
}

/** What each event changes. Events that change nothing a card shows are not here. */
const LEARN = {
  opened(card, { customer }) {
    card.name = customer?.name ?? null;
  },
  message_received(card, detail) {
    // A message after a decision begins another turn.
    if (card.decided) Object.assign(card, { texts: [], decided: false });
    card.texts.push(messageText(detail));
    card.resolved = null;
  },
  turn_decided(card, detail, line) {
    const { route, reason, action, classification } = detail;
    card.decision = { route, reason, classification, atMs: line.at_ms };
    card.decided = true;
    card.action = action ? { action, finding: null, result: null } : null;
    card.reply = null;
    card.agentWrote = null;
  },
  action_done(card, { action, finding, result }) {
    card.action = { action, finding, result };
  },
  queued(card, { reason }) {
    card.decision = { ...(card.decision ?? { classification: null, atMs: null }), route: "human", reason };
    card.decided = true;
    card.reply = null;
  },
  reply_sent(card, { purpose, result, agent }, line) {
    const since = card.decision?.atMs;
    card.reply = { purpose, result, agent, afterMs: since ? line.at_ms - since : null };
  },
  assigned() {},
  transferred() {},
  noted() {},
  snoozed() {},
  woken() {},
  media_fetched() {},
  transcribed() {},
  agent_replied(card, { agent }) {
    card.agentWrote = agent;
  },
  status_changed(card, { status }) {
    if (card.reply) card.reply.result = status;
  },
  resolved(card, { by }) {
    card.resolved = { by };
  },
  reopened(card) {
    card.resolved = null;
  },
  closed() {},
  sla_breached(card) {
    card.breached = true;
  },
};

/** Takes account of a line; false if it changes nothing a card shows. */
export function learn(card, line) {
  const change = LEARN[line.event];
  if (!change) return false;
  const { channel, protocol, state, owner, queue, at_ms: atMs } = line;
  Object.assign(card, { channel, protocol, state, owner, queue, atMs });
  change(card, line.detail, line);
  return true;
}

const step = (symbol, text, tone = "") => h("span", { class: `step ${tone}` }, icon(symbol), text);

function replyStep({ purpose, result, afterMs, agent }) {
  const failed = result === "failed" || result === "expired";
  const delivery = result === "sent" ? "" : ` (${nameOf(words.deliveries, result)})`;
  if (purpose === "agent_reply") return step(failed ? "alert" : "check", said.agentReplied(agent) + delivery, failed ? "bad" : "done");
  if (purpose === "handoff_notice") return step(failed ? "alert" : "check", said.noticed + delivery, failed ? "bad" : "");
  const text = afterMs === null ? said.answeredNow : said.answered(duration(afterMs));
  return step(failed ? "alert" : "check", text + delivery, failed ? "bad" : "done");
}

function actionStep({ action, finding, result }) {
  const name = nameOf(words.crmActions, action);
  if (!result) return step("clock", said.looking(name));
  const found = finding ? nameOf(words.findings, finding).toLocaleLowerCase("pt-BR") : nameOf(words.actionResults, result);
  return step(result === "failed" ? "alert" : "check", `${name}: ${found}`, result === "failed" ? "bad" : "");
}

function outcome(card) {
  const { decision } = card;
  if (!decision || !card.decided) return card.owner ? [step("person", said.withAgent(card.owner))] : [];
  const steps = [routeBadge(decision.route, card)];
  const { route, reason } = decision;
  if (route !== "auto" && route !== "owned") steps.push(h("span", { class: "why" }, nameOf(words.reasons, reason)));
  if (card.action && route === "auto") steps.push(actionStep(card.action));
  if (card.resolved) {
    steps.push(step("check", card.resolved.by ? said.resolvedBy(card.resolved.by) : said.resolved, "done"));
  } else if (card.reply?.purpose === "agent_reply") {
    steps.push(replyStep(card.reply));
  } else if (card.owner && route !== "owned") {
    steps.push(step("person", card.agentWrote ? said.agentReplied(card.agentWrote) : said.withAgent(card.owner)));
  } else if (card.reply) {
    steps.push(replyStep(card.reply));
  }
  if (card.breached && !card.owner && !card.resolved) steps.push(step("alert", said.breached, "bad"));
  return steps;
}

function understanding(card) {
  const c = card.decision?.classification;
  if (!card.decided) {
    return h("span", { class: "thinking" }, h("i"), h("i"), h("i"),
      card.owner ? nameOf(words.states, card.state) : words.live.waitingDecision);
  }
  if (!c) return h("span", { class: "why" }, words.live.noText);
  return [
    h("div", { class: "intent-line" }, h("strong", { class: "intent" }, intentName(c)), confidenceBar(c), marks(c)),
    ngramChips(c.explanation ?? [], 4),
  ];
}

/** The card's content. */
export function cardContent(card) {
  const name = card.name || words.conversation.unknownCustomer;
  const channel = nameOf(words.channels, card.channel);
  const shown = card.texts.slice(-2);
  const hidden = card.texts.length - shown.length;
  return [
    h("div", { class: "said" },
      h("div", { class: "who" },
        h("span", { class: `channel ${card.channel}`, title: channel }, icon(card.channel, channel)),
        h("a", { href: conversationPath(card.id), "aria-label": words.live.open(name) }, name),
        h("span", { class: "protocol", title: words.conversation.protocol }, card.protocol.slice(-6)),
        h("time", null, atSecond(card.atMs))),
      hidden > 0 && h("span", { class: "note" }, words.live.earlier(hidden)),
      h("p", { class: "text" }, shown.join("\n"))),
    h("div", { class: "understood" }, understanding(card)),
    h("div", { class: "outcome" }, outcome(card)),
  ];
}
