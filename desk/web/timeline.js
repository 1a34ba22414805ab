// The history of a conversation as a chat: the customer on the left, the machine and agents on the
// right, what the system did as thin lines, each decision explained. Lines are only ever added.

import { download, serverNow } from "./api.js";
import { messageText } from "./card.js";
import { explained } from "./decision.js";
import { h, icon } from "./dom.js";
import { atClock, atSecond, day, nameOf, percent } from "./format.js";
import { agentName } from "./people.js";
import { words } from "./words.js";

const said = words.conversation;

const time = (ms) => h("time", { datetime: new Date(ms).toISOString(), title: atSecond(ms) }, atClock(ms));

function bubble(side, author, text, line, { status, buttons = [], attachments = [] } = {}) {
  return h("li", { class: `bubble ${side}` },
    h("span", { class: "author" }, author && [h("b", null, author), " "], time(line.at_ms), status),
    h("p", null, text),
    attachments.map(({ mime, filename }) => h("span", { class: "attachment" }, filename ?? mime)),
    buttons.length > 0 && h("span", { class: "offered", "aria-label": said.buttons },
      buttons.map((button) => h("span", null, button.title))));
}

const thin = (symbol, text, line, tone = "") =>
  h("li", { class: `event ${tone}` }, icon(symbol), h("span", null, text), " ", time(line.at_ms));

const FAILED = new Set(["failed", "expired", "uncertain", "superseded"]);

function deliveryMark(result) {
  const mark = h("span", { class: "delivery" });
  showDelivery(mark, result);
  return mark;
}

function showDelivery(mark, result) {
  const failed = FAILED.has(result);
  mark.className = `delivery ${failed ? "bad" : result}`;
  mark.replaceChildren(icon(failed ? "alert" : result === "sending" ? "clock" : "check"), nameOf(words.deliveries, result));
}

/** A message that was edited stays and says so; of one that was deleted nothing is left to read. */
function showChanged(message, kind) {
  message.classList.add(kind === "delete" ? "deleted" : "edited");
  if (kind === "delete") {
    message.querySelector("p").textContent = words.kinds.delete;
    message.querySelectorAll(".attachment").forEach((file) => file.remove());
  } else if (!message.querySelector(".changed")) {
    message.querySelector(".author").append(" ", h("span", { class: "changed" }, said.edited));
  }
}

function actionText({ action, finding, result }) {
  const found = finding ? nameOf(words.findings, finding) : nameOf(words.actionResults, result);
  return said.events.action_done(nameOf(words.crmActions, action), found);
}

/** Shows lines of the history in `box`, each once and in order. */
export class Timeline {
  constructor(box) {
    this.box = box;
    this.clear();
  }

  clear() {
    this.box.replaceChildren();
    this.seq = 0;
    this.day = null;
    /** Bubbles of messages by id: an edit or a deletion that comes later changes them. */
    this.messages = new Map();
    /** Agents' replies whose delivery has not been told yet, oldest first. */
    this.undelivered = [];
    this.lastDelivery = null;
  }

  add(lines) {
    for (const line of lines) {
      if (line.seq <= this.seq) continue;
      this.seq = line.seq;
      const element = this.element(line);
      if (!element) continue;
      this.addDay(line.at_ms);
      this.box.append(element);
    }
  }

  addDay(ms) {
    const name = day(ms, serverNow());
    if (name === this.day) return;
    this.day = name;
    this.box.append(h("li", { class: "day" }, h("span", null, name)));
  }

  element(line) {
    const show = SHOW[line.event];
    return show ? show(this, line.detail, line) : thin("other", said.events.other(line.event), line);
  }
}

const SHOW = {
  opened: (_, __, line) => thin("conversation", said.events.opened(nameOf(words.channels, line.channel)), line),
  message_received(timeline, detail, line) {
    const ours = detail.direction === "outbound";
    const before = timeline.messages.get(detail.changes);
    if (before) showChanged(before, detail.kind);
    const text = messageText(detail);
    const shown = bubble(ours ? "right agent" : "left", ours ? said.ourSide : null, text, line, { attachments: detail.attachments });
    timeline.messages.set(detail.message_id, shown);
    if (detail.edited) showChanged(shown, "edit");
    return shown;
  },
  turn_decided: (_, __, line) => h("li", { class: "decision" }, explained(line)),
  action_done: (_, detail, line) => thin(detail.result === "failed" ? "alert" : "check", actionText(detail), line),
  queued: (_, detail, line) =>
    thin("queues", said.events.queued(nameOf(words.queueNames, line.queue), nameOf(words.reasons, detail.reason)), line),
  reply_sent(timeline, detail, line) {
    if (detail.purpose === "agent_reply") {
      // The words are on the page since the agent sent them; this tells what became of them.
      const at = timeline.undelivered.findIndex((one) => one.text === detail.text);
      if (at >= 0) {
        const [{ mark }] = timeline.undelivered.splice(at, 1);
        showDelivery(mark, detail.result);
        timeline.lastDelivery = mark;
        return null;
      }
    }
    const status = deliveryMark(detail.result);
    timeline.lastDelivery = status;
    const author = detail.agent ?? said.bot;
    return bubble(`right ${detail.agent ? "agent" : "bot"}`, author, detail.text ?? "", line, { status, buttons: detail.buttons });
  },
  assigned: (_, detail, line) => thin("person", said.events.assigned(detail.agent), line),
  agent_replied(timeline, detail, line) {
    const mark = deliveryMark("sending");
    timeline.undelivered.push({ text: detail.text, mark });
    const author = detail.agent === agentName() ? said.you : detail.agent;
    return bubble("right agent", author, detail.text, line, { status: mark });
  },
  resolved: (_, detail, line) =>
    thin("check", detail.by ? said.events.resolvedBy(detail.by) : said.events.resolved, line, "good"),
  reopened: (_, __, line) => thin("conversation", said.events.reopened, line),
  closed: (_, __, line) => thin("close", said.events.closed, line),
  refused(_, { agent, action, reason }, line) {
    const text = said.events.refused(agent || said.customer, nameOf(words.commands, action), nameOf(words.refusals, reason));
    return thin("alert", text, line);
  },
  sla_breached(_, { due_ms, resolution }, line) {
    const told = resolution ? said.events.resolution_breached : said.events.sla_breached;
    return thin("alert", told(atClock(due_ms)), line, "bad");
  },
  transferred(_, { agent, queue, to_agent, note }, line) {
    const told = said.events.transferred(agent, to_agent ?? nameOf(words.queueNames, queue));
    return note ? bubble("note", told, note, line) : thin("out", told, line);
  },
  noted: (_, { agent, text }, line) => bubble("note", said.events.noted(agent), text, line),
  snoozed: (_, { agent, until_ms }, line) =>
    thin("clock", said.events.snoozed(agent, `${day(until_ms, serverNow())}, ${atClock(until_ms)}`), line),
  linked: (_, { agent, source }, line) =>
    thin("person", said.events.linked(agent ?? nameOf(words.customer.sources, source)), line),
  unlinked: (_, { agent }, line) => thin("person", said.events.unlinked(agent ?? ""), line),
  csat_asked: (_, __, line) => thin("check", said.events.csat_asked, line),
  csat_answered(_, { score, comment, by }, line) {
    const told = by ? said.events.csatBy(score, by) : said.events.csat_answered(score);
    return comment ? bubble("left", told, comment, line) : thin("check", told, line, score >= 4 ? "good" : "");
  },
  woken: (_, __, line) => thin("clock", said.events.woken, line),
  labeled(_, { agent, intent, predicted }, line) {
    const name = nameOf(words.intents, intent);
    const told = intent === predicted ? said.events.labeledRight : said.events.labeled;
    return thin("check", told(agent, name), line);
  },
  media_fetched(_, { result, sha256, mime, filename }, line) {
    if (result !== "stored") return thin("alert", said.events.fileMissing(nameOf(words.files, result)), line);
    const name = filename ?? mime;
    const path = `/v1/conversations/${encodeURIComponent(line.conversation_id)}/files/${sha256}`;
    const save = () => download(path, name).catch((problem) => { button.title = problem.message; });
    const button = h("button", { type: "button", class: "attachment", on: { click: save } }, said.events.file(name));
    return h("li", { class: "event" }, icon("out"),
      button, " ", time(line.at_ms));
  },
  transcribed(_, { text, confidence, result }, line) {
    if (!text) return thin("alert", nameOf(words.transcripts, result), line);
    return bubble("left", said.events.transcribed(percent(confidence)), text, line);
  },
  status_changed(timeline, detail) {
    if (timeline.lastDelivery) showDelivery(timeline.lastDelivery, detail.status);
    return null;
  },
};
