// The log as it is seen: bubbles, notices, the cue that somebody is at it, and scrolling.

import { byId, h, heard, icon } from "./dom.js";
import { textParts } from "./text.js";
import { words } from "./words.js";

/** So close to the end counts as reading the end. */
const NEAR_PX = 90;

const clock = new Intl.DateTimeFormat("pt-BR", { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("pt-BR", { day: "numeric", month: "long" });

let log, scroll, newer, cue;

/** The customer's own messages, by client id. */
const own = new Map();
let lastDay = "";
let atEnd = true;
let lastTop = 0;

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
  newer.hidden = true;
}

/** Whoever reads further up is not torn away, only told. */
function follow(always) {
  if (always || atEnd) toEnd();
  else newer.hidden = false;
}

/** Steps come in order; what has no step yet stays below them. */
function place(element) {
  const open = [...log.children].find((one) => one !== element && one.dataset.open);
  log.insertBefore(element, element.dataset.open ? null : open ?? null);
}

function dayOf(ms) {
  const start = (at) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((start(Date.now()) - start(ms)) / 86_400_000);
  return days === 0 ? words.days.today : days === 1 ? words.days.yesterday : date.format(ms);
}

/** A line between days; none above a conversation of today. */
function divide(ms) {
  const day = dayOf(ms);
  if (day === lastDay) return;
  const first = lastDay === "";
  lastDay = day;
  if (!(first && day === words.days.today)) divider(day);
}

/** A line across with words in it. */
export function divider(text) {
  const element = h("li", { class: "divider" }, h("span", null, text));
  place(element);
}

function showState({ element, mark }, state) {
  element.dataset.state = state;
  const symbol = { waiting: "clock", sending: "clock", sent: "sent", received: "received" }[state];
  const told = words.states[state];
  mark.replaceChildren(icon(symbol), state === "waiting" ? told : heard(told));
  mark.title = told;
}

/** A message of the customer's: new, or known by its client id and now in another state. */
export function mine({ cid, text, atMs, state, seq }) {
  const known = cid && own.get(cid);
  if (known) {
    if (state) showState(known, state);
    if (seq !== undefined && known.element.dataset.open) {
      delete known.element.dataset.open;
      place(known.element);
    }
    return;
  }
  divide(atMs);
  const mark = h("span", { class: "state" });
  const element = h("li", { class: "message customer", "data-testid": "message", data: { from: "customer" } },
    h("div", { class: "bubble" }, heard(words.saidBy(words.authors.customer)), text),
    h("p", { class: "meta" }, h("time", null, clock.format(atMs)), mark));
  showState({ element, mark }, state);
  if (seq === undefined) element.dataset.open = "1";
  if (cid) own.set(cid, { element, mark });
  place(element);
  follow(true);
}

/** Every own message that is still on its way is shown in this state. */
export function mineOnTheWay(cids, state) {
  for (const cid of cids) {
    const known = own.get(cid);
    if (known) showState(known, state);
  }
}

const group = (from, name) => {
  const last = [...log.children].findLast((one) => !one.dataset.open);
  return last?.dataset.from === from && last.dataset.name === (name ?? "");
};

/** A message of the bot's or an agent's. `choose(button)` hears a tapped button. */
export function theirs({ from, name, text, atMs, buttons = [], choose }) {
  divide(atMs);
  const author = name || words.authors[from];
  const goesOn = group(from, name);
  const row = buttons.length > 0 && h("div", { class: "chips" }, buttons.map(({ id, title }) =>
    h("button", { type: "button", class: "chip", on: { click: () => choose({ id, title }) } }, title)));
  const element = h("li", {
    class: `message ${from}${goesOn ? " goes-on" : ""}`, "data-testid": from === "bot" ? "bot-message" : "agent-message",
    data: { from, name: name ?? "" },
  },
  h("span", { class: "avatar", "aria-hidden": "true" }, from === "bot" ? icon("bot") : author.slice(0, 1).toLocaleUpperCase("pt-BR")),
  h("div", { class: "body" },
    h("p", { class: "author" }, author),
    h("div", { class: "bubble" }, textParts(text)),
    row,
    h("p", { class: "meta" }, h("time", null, clock.format(atMs)))));
  place(element);
  follow(false);
}

/** What happened, in the middle. Answers with a way to reword it. */
export function notice(kind, text) {
  const told = h("span", null, text);
  const symbol = { queued: "queue", agent: "agent", over: "over" }[kind];
  place(h("li", { class: `notice ${kind}`, "data-testid": "notice", data: { kind } }, icon(symbol), told));
  follow(false);
  return (other) => (told.textContent = other);
}

/** Puts a form below what was said; answers with a way to take it away. */
export function form(element) {
  place(element);
  follow(false);
  return () => element.remove();
}

/** Shows in words that an answer is on its way; null: no longer. */
export function showCue(kind, told) {
  const shown = cue.hidden ? null : cue.dataset.kind;
  if (shown === kind) return;
  cue.hidden = kind === null;
  if (kind === null) return;
  cue.dataset.kind = kind;
  byId("cue-text").textContent = told;
  follow(false);
}

/** Begins anew on what is in the page now. */
export function startView() {
  [log, scroll, newer, cue] = ["log", "log-scroll", "newer", "cue"].map(byId);
  own.clear();
  [lastDay, atEnd, lastTop] = ["", true, 0];
  scroll.addEventListener("scroll", () => {
    const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_PX;
    // Only who scrolls up leaves the end: what grows below does not take it away.
    if (near) atEnd = true;
    else if (scroll.scrollTop < lastTop) atEnd = false;
    lastTop = scroll.scrollTop;
    if (near) newer.hidden = true;
  }, { passive: true });
  // The keyboard of a phone takes room from below.
  new ResizeObserver(() => atEnd && toEnd()).observe(scroll);
  newer.addEventListener("click", toEnd);
}
