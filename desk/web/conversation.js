// The open conversation: who, where it stands, its history as it grows, and what an agent may do.

import { Problem, call, command } from "./api.js";
import { advise, compose, onSend } from "./composer.js";
import { showCustomer } from "./customer.js";
import { announce, byId, emptyState, gather, h, icon, skeletons } from "./dom.js";
import { customerName, nameOf } from "./format.js";
import { offer, start as startHandling } from "./handling.js";
import { agentName, knownAgent, onAgent } from "./people.js";
import { nextInLine, row, slaBar } from "./queues.js";
import { closeConversation, onRoute } from "./routes.js";
import { offerSuggestion } from "./suggested.js";
import { offerTemplates, start as startTemplates } from "./templates.js";
import { Timeline } from "./timeline.js";
import * as typing from "./typing.js";
import { words } from "./words.js";

const said = words.conversation;
/** Lines that follow each other closely are fetched together. */
const GATHER_MS = 120;
/** This near to the end one follows what comes. */
const NEAR_END = 80;
const NEXT = 5;
/** So often a line that was heard of is asked for: the store has it a little later than the stream. */
const TRIES = 50;

const head = byId("talk-head");
const box = byId("timeline");
const news = byId("talk-news");
const alert = byId("talk-alert");
const timeline = new Timeline(box);

/** What is shown: the conversation's id, and where it stands once that is known. */
let id = null;
let current = null;
/** The last line heard of, and how often it was asked for. */
let heard = { seq: 0, tries: 0 };

// ---- head ------------------------------------------------------------------------------------

const OVER = new Set(["resolved", "csat", "closed", "abandoned", "blocked"]);

function action(name, kind, enabled) {
  return h("button", { type: "button", class: kind, "data-testid": name, disabled: !enabled, on: { click: () => act(name) } },
    words.actions[name]);
}

function buttons({ owner, state }) {
  const mine = owner !== null && owner === agentName();
  const over = OVER.has(state);
  return h("div", { class: "talk-actions" },
    action("claim", mine ? "plain" : "primary", !owner && !over),
    action("release", "plain", mine && !over),
    action("resolve", mine ? "primary" : "plain", mine && !over));
}

async function copyProtocol(button, protocol) {
  await navigator.clipboard?.writeText(protocol);
  button.classList.add("copied");
  announce(words.actions.copied);
  setTimeout(() => button.classList.remove("copied"), 1500);
}

function protocolOf({ protocol }) {
  const copy = h("button", { type: "button", class: "quiet icon-only", "aria-label": words.actions.copy, title: words.actions.copy }, icon("copy"), icon("check"));
  copy.addEventListener("click", () => copyProtocol(copy, protocol).catch(() => {}));
  return h("span", { class: "protocol" }, h("small", null, said.protocol), h("b", null, protocol), copy);
}

/** How the customer is known, but for the random name of a browser. */
const idsOf = ({ customer }) => (customer?.ids ?? [])
  .filter(({ kind }) => kind !== "web_chat")
  .map(({ kind, value }) => h("span", { class: "contact" }, h("small", null, nameOf(words.contactKinds, kind)), value));

/** The last line of the history that may change what the machine would say. */
let askedAt = 0;

const isMine = () => current.owner !== null && current.owner === agentName() && !OVER.has(current.state);

function suggestNext() {
  const mine = isMine();
  typing.about(id, mine);
  const to = mine ? id : null;
  offerSuggestion(to, askedAt).catch(() => {});
  offerTemplates(to, askedAt).catch(() => {});
}

function showHead() {
  const channel = nameOf(words.channels, current.channel);
  const waits = current.state === "queued";
  const focused = document.activeElement?.dataset?.testid;
  head.replaceChildren(
    h("div", { class: "talk-top" },
      h("span", { class: `channel ${current.channel}`, title: channel }, icon(current.channel, channel)),
      h("h2", null, customerName(current.customer)),
      h("span", { class: `state ${current.state}` }, nameOf(words.states, current.state)),
      h("button", { type: "button", class: "quiet icon-only close", "aria-label": words.actions.close, title: words.actions.close, on: { click: closeConversation } }, icon("close"))),
    h("div", { class: "talk-facts" },
      protocolOf(current), idsOf(current),
      current.queue && h("span", null, words.outcome.queue(nameOf(words.queueNames, current.queue))),
      current.owner && h("span", null, `${said.owner} ${current.owner}`),
      waits && current.queue_position && h("span", null, said.position(current.queue_position)),
      (current.priority === "high" || current.priority === "urgent") &&
        h("span", { class: `tag ${current.priority === "urgent" ? "danger" : "warn"}` }, nameOf(words.priorities, current.priority)),
      current.sla_due_ms && !OVER.has(current.state) && slaBar(current.sla_due_ms)),
    buttons(current));
  if (focused) head.querySelector(`[data-testid="${focused}"]:not(:disabled)`)?.focus();
  advise(current, agentName());
  offer(current, agentName());
  suggestNext();
}

// ---- history ---------------------------------------------------------------------------------

/** Whether the end is what is being read: until somebody scrolls up. */
let following = true;
let lastTop = 0;

function toEnd() {
  following = true;
  box.scrollTop = box.scrollHeight;
  news.hidden = true;
}

function grow(lines) {
  const before = timeline.seq;
  timeline.add(lines);
  if (timeline.seq === before) return;
  const turns = lines.filter(({ event }) => event === "turn_decided" || event === "action_done");
  if (turns.length > 0) {
    askedAt = turns.at(-1).seq;
    if (current) suggestNext();
  }
  if (following) toEnd();
  else news.hidden = false;
}

/** Fetches what has been said since. The stream masks personal numbers; this does not. */
const catchUp = gather(async () => {
  const asked = id;
  if (!current) return;
  try {
    const { events } = await call(`/v1/conversations/${asked}/events`, { query: { after: timeline.seq } });
    if (asked !== id) return;
    grow(events);
    if (timeline.seq < heard.seq && ++heard.tries < TRIES) catchUp();
  } catch (problem) {
    complain(problem);
  }
}, GATHER_MS);

/** Takes a line of the stream. */
export function hear(line) {
  if (line.conversation_id !== id || !current || line.seq <= timeline.seq) return;
  const { state, owner, queue, priority, sla_due_ms } = line;
  if (line.event === "message_received") typing.written();
  heard = { seq: line.seq, tries: 0 };
  current = { ...current, state, owner, queue, priority, sla_due_ms, queue_position: null };
  showHead();
  catchUp();
}

// ---- opening ---------------------------------------------------------------------------------

function showEmpty() {
  current = null;
  showCustomer(null).catch(() => {});
  offer(null, "");
  offerSuggestion(null);
  offerTemplates(null);
  typing.about(null, false);
  timeline.clear();
  compose(null);
  alert.textContent = "";
  news.hidden = true;
  head.replaceChildren();
  box.replaceChildren(h("li", { class: "nothing" }, emptyState("conversation", said.emptyTitle, said.emptyHint)));
  offerNext().catch(() => {});
}

/** Whoever has nothing open sees who has waited longest. */
async function offerNext() {
  const waiting = await nextInLine(NEXT);
  if (id !== null || waiting.length === 0) return;
  box.querySelector(".next")?.remove();
  box.append(h("li", { class: "next" }, h("h2", null, said.next),
    h("ul", { class: "rows" }, waiting.map((one) => row(one, "next-row")))));
}

async function show(opened) {
  id = opened;
  current = null;
  heard = { seq: 0, tries: 0 };
  offer(null, "");
  offerSuggestion(null);
  offerTemplates(null);
  alert.textContent = "";
  timeline.clear();
  compose(null);
  head.replaceChildren(...skeletons(1, "head"));
  box.replaceChildren(...skeletons(4, "bubble"));
  await load();
}

async function load() {
  const asked = id;
  if (asked === null) return;
  try {
    const { history, ...stands } = await call(`/v1/conversations/${encodeURIComponent(asked)}`);
    if (asked !== id) return;
    if (!current) {
      timeline.clear();
      following = true;
    }
    current = stands;
    showCustomer(current.contact_id).catch(() => {});
    grow(history);
    showHead();
    compose(id);
  } catch (problem) {
    if (asked !== id || current) return;
    head.replaceChildren(h("button", { type: "button", class: "quiet icon-only close", "aria-label": words.actions.close, on: { click: closeConversation } }, icon("close")));
    box.replaceChildren(h("li", { class: "nothing" }, emptyState("alert", problem.message, ""),
      h("button", { type: "button", class: "plain", on: { click: () => show(id) } }, words.actions.retry)));
  }
}

/** Fetches anew what may have been missed. */
export async function reload() {
  if (id === null) await offerNext().catch(() => {});
  else await load();
}

// ---- acting ----------------------------------------------------------------------------------

function complain(problem) {
  if (!(problem instanceof Problem)) throw problem;
  alert.textContent = problem.message;
}

/** Does as the agent asks; resolves to "sent", "refused" or "unknown". */
async function act(name, more = {}) {
  const agent = await knownAgent();
  if (!agent) return "refused";
  alert.textContent = "";
  const asked = id;
  try {
    const line = await command(asked, name, { agent, ...more });
    if (asked !== id) return "sent";
    if (name === "reply") following = true;
    if (line.status === "accepted") alert.textContent = words.errors.later;
    else hear(line);
    return "sent";
  } catch (problem) {
    if (asked === id) complain(problem);
    // A conflict tells that the page was behind.
    if (problem.status === 409) load();
    return problem.status >= 400 && problem.status < 500 ? "refused" : "unknown";
  }
}

export function start() {
  startHandling(act);
  startTemplates(act);
  onSend((text, command_id) => act("reply", { text, command_id }));
  news.addEventListener("click", toEnd);
  box.addEventListener("scroll", () => {
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    if (near) following = true;
    else if (box.scrollTop < lastTop) following = false;
    lastTop = box.scrollTop;
    if (near) news.hidden = true;
  }, { passive: true });
  // What stands above and below the history takes its room when it is known.
  new ResizeObserver(() => following && current && toEnd()).observe(box);
  onAgent(() => current && showHead());
  onRoute((route) => {
    if (route.conversation === id && (id !== null || box.childElementCount)) return;
    if (route.conversation) show(route.conversation);
    else {
      id = null;
      showEmpty();
    }
  });
}
