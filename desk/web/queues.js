// The queues: what each sector has waiting, and the conversations people work on, most urgent first.

import { call, serverNow } from "./api.js";
import { byId, emptyState, gather, h, icon, keyed, skeletons } from "./dom.js";
import { count, countdown, customerName, nameOf, span } from "./format.js";
import { agentName, knownAgent, onAgent } from "./people.js";
import { conversationPath, onRoute } from "./routes.js";
import { words } from "./words.js";

const said = words.queues;
const ROWS_MAX = 100;
const REFRESH_EVERY_MS = 5000;
/** Changes heard of are fetched together. */
const GATHER_MS = 1000;
/** A full bar: this much time, or more, to the deadline. */
const FULL_BAR_S = 30 * 60;
const SOON_S = 5 * 60;
/** Events that move a conversation into, out of or within a queue. */
const MOVES = new Set(["turn_decided", "queued", "assigned", "agent_replied", "resolved", "reopened", "closed", "sla_breached"]);

const sectorsBox = byId("sectors");
const rowsBox = byId("rows");
const note = byId("rows-note");
const clearButton = byId("clear-queue");

let list = "queued";
let queue = null;
let open = null;
let sectors = [];
let inView = false;
let asked = 0;
const listeners = [];

/** Calls `listener({ waiting, overdue })` whenever the sums are known anew. */
export const onSums = (listener) => listeners.push(listener);

/** What is asked of the server for each list. */
const queryOf = () => ({
  queued: { state: "queued" },
  mine: { state: "mine", owner: agentName() },
  assigned: { state: "mine" },
  resolved: { state: "resolved" },
})[list];

// ---- sectors ---------------------------------------------------------------------------------

/** Sectors on the page, by id: each is made once and then only told new figures. */
const shown = new Map();

function sector(id) {
  const values = { waiting: h("b"), assigned: h("b"), overdue: h("b") };
  const oldest = h("span");
  const element = h("button", {
    type: "button", class: "sector", "data-testid": `queue-${id}`,
    on: { click: () => choose({ toQueue: queue === id ? null : id }) },
  },
  h("span", { class: "sector-name" }, nameOf(words.queueNames, id)),
  Object.entries(values).map(([name, value]) => h("span", { class: `figure ${name}` }, value, " ", said[name])),
  h("span", { class: "oldest" }, icon("clock"), oldest));
  const tell = (told) => {
    for (const [name, value] of Object.entries(values)) value.textContent = count(told[name]);
    oldest.textContent = told.oldest_s === null ? said.noOldest : said.oldest(span(told.oldest_s));
    element.classList.toggle("late", told.overdue > 0);
    element.classList.toggle("idle", told.waiting === 0);
    element.setAttribute("aria-pressed", String(queue === id));
  };
  return { element, tell };
}

function showSectors() {
  const known = sectors.map(({ queue: id }) => {
    if (!shown.has(id)) shown.set(id, sector(id));
    return shown.get(id);
  });
  known.forEach(({ tell }, at) => tell(sectors[at]));
  const elements = known.length ? known.map(({ element }) => element) : [h("p", { class: "note" }, said.noSectors)];
  const same = elements.length === sectorsBox.children.length && elements.every((one, at) => sectorsBox.children[at] === one);
  if (!same) sectorsBox.replaceChildren(...elements);
  clearButton.hidden = queue === null;
}

async function loadSectors() {
  const { queues } = await call("/v1/queues");
  sectors = queues;
  showSectors();
  const sum = (name) => queues.reduce((all, one) => all + one[name], 0);
  listeners.forEach((listener) => listener({ waiting: sum("waiting"), overdue: sum("overdue") }));
}

// ---- rows ------------------------------------------------------------------------------------

/** Time to the deadline as a bar and a countdown; it goes on by `tick`. */
export function slaBar(due) {
  if (!due) return h("span", { class: "sla none" }, said.noDue);
  const element = h("span", { class: "sla", data: { due } },
    h("span", { class: "meter", "aria-hidden": "true" }, h("i")), h("span", { class: "left" }));
  showSla(element);
  return element;
}

function showSla(element) {
  const left = (Number(element.dataset.due) - serverNow()) / 1000;
  const text = left >= 0 ? said.dueIn(countdown(left)) : said.late(left > -3600 ? countdown(-left) : span(-left));
  element.lastElementChild.textContent = text;
  element.style.setProperty("--share", left >= 0 ? Math.min(1, left / FULL_BAR_S) : 1);
  element.classList.toggle("late", left < 0);
  element.classList.toggle("soon", left >= 0 && left < SOON_S);
}

const ageOf = (sinceMs) => said.age(span((serverNow() - sinceMs) / 1000));

/** Moves every countdown and age on the page by a second. */
export function tick() {
  document.querySelectorAll(".sla[data-due]").forEach(showSla);
  document.querySelectorAll(".age[data-since]").forEach((age) => {
    age.textContent = ageOf(Number(age.dataset.since));
  });
}

const priorityTag = (priority) => (priority === "high" || priority === "urgent") &&
  h("span", { class: `tag ${priority === "urgent" ? "danger" : "warn"}` }, nameOf(words.priorities, priority));

/** A conversation as a row: who, what about, and how long there is left. */
export function row(one, testid = "queue-row") {
  const channel = nameOf(words.channels, one.channel);
  const waits = one.state === "queued";
  return h("li", { class: `row ${open === one.conversation_id ? "current" : ""}`, "data-testid": testid, data: { conversation: one.conversation_id } },
    h("span", { class: `channel ${one.channel}`, title: channel }, icon(one.channel, channel)),
    h("div", { class: "row-main" },
      h("div", { class: "row-top" },
        h("a", { href: conversationPath(one.conversation_id), "aria-current": open === one.conversation_id && "true" },
          customerName(one.customer)),
        priorityTag(one.priority),
        one.intent && h("span", { class: "topic" }, one.reason === "out_of_scope" ? words.decision.outOfScope : nameOf(words.intents, one.intent))),
      h("p", { class: "text" }, one.last_text ?? words.conversation.missing)),
    h("div", { class: "row-side" },
      h("span", { class: "where" }, nameOf(words.queueNames, one.queue) || nameOf(words.states, one.state)),
      waits ? slaBar(one.sla_due_ms) : h("span", { class: "owner" }, one.owner ?? nameOf(words.states, one.state)),
      h("time", { class: "age", data: { since: one.updated_at_ms } }, ageOf(one.updated_at_ms))));
}

async function loadRows() {
  const turn = ++asked;
  if (list === "mine" && !agentName()) return showRows([]);
  const { conversations } = await call("/v1/conversations", { query: { ...queryOf(), queue, limit: ROWS_MAX } });
  // Only the last question's answer counts.
  if (turn === asked) showRows(conversations);
}

function showRows(conversations) {
  const [title, hint] = said.empty[list];
  if (conversations.length) keyed(rowsBox, conversations, (one) => one.conversation_id, (one) => row(one));
  else rowsBox.replaceChildren(h("li", { class: "row-empty" }, emptyState("queues", title, hint)));
  rowsBox.setAttribute("aria-busy", "false");
  const scale = list === "queued" && conversations.length > 0 ? said.scale : "";
  note.textContent = conversations.length === ROWS_MAX ? `${said.more(ROWS_MAX)} ${scale}` : scale;
}

/** The most urgent conversations that wait, for whoever has none open. */
export async function nextInLine(most) {
  const { conversations } = await call("/v1/conversations", { query: { state: "queued", limit: most } });
  return conversations;
}

// ---- choosing --------------------------------------------------------------------------------

const tabs = new Map();

async function choose({ toList = list, toQueue = queue }) {
  if (toList === "mine" && !(await knownAgent())) return;
  list = toList;
  queue = toQueue;
  tabs.forEach((tab, name) => tab.setAttribute("aria-pressed", String(name === list)));
  showSectors();
  rowsBox.replaceChildren(...skeletons(4, "row"));
  loadRows().catch(() => {});
}

const refresh = gather(reload, GATHER_MS);

/** A line of the stream: what it changes is fetched. */
export function hear(line) {
  if (MOVES.has(line.event)) refresh();
}

/** Fetches all anew. What fails is shown by the connection's state and fetched again soon. */
export async function reload() {
  await Promise.all([loadSectors(), inView && loadRows()]).catch(() => {});
}

export function start() {
  for (const [name, text] of Object.entries(said.lists)) {
    const tab = h("button", { type: "button", "aria-pressed": String(name === list), "data-testid": `list-${name}`,
      on: { click: () => choose({ toList: name }) } }, text);
    tabs.set(name, tab);
  }
  byId("lists").replaceChildren(...tabs.values());
  clearButton.addEventListener("click", () => choose({ toQueue: null }));
  sectorsBox.replaceChildren(...skeletons(4, "sector"));
  rowsBox.replaceChildren(...skeletons(4, "row"));
  onRoute((route) => {
    open = route.conversation;
    const came = !inView && route.list === "queues";
    inView = route.list === "queues";
    if (came) reload();
    rowsBox.querySelectorAll(".row").forEach((one) => {
      const current = one.dataset.conversation === open;
      one.classList.toggle("current", current);
      one.querySelector("a")?.toggleAttribute("aria-current", current);
    });
  });
  onAgent(() => list === "mine" && loadRows().catch(() => {}));
  if (!inView) reload();
  setInterval(reload, REFRESH_EVERY_MS);
}
