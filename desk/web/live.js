// The live page: what has just arrived, and below a card a conversation, the latest decision on top.
// However fast lines come, the page is changed once a frame, and cards change places only now and
// then, so that people can read.

import { call } from "./api.js";
import { isArriving, noteArrival, showArrivals } from "./arrivals.js";
import { blank, cardContent, learn, learnRow } from "./card.js";
import { byId, emptyState, gather, h, icon, skeletons } from "./dom.js";
import { onRoute } from "./routes.js";
import { words } from "./words.js";

const CARDS_MAX = 100;
const SEED = 40;
/** Cards change places at most this often. */
const REORDER_EVERY_MS = 650;
/** Cards whose moves are animated: those in sight. */
const MOVING = 12;

const feed = byId("feed");
const newsButton = byId("live-news");
const pauseButton = byId("live-pause");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const cards = new Map();
const elements = new Map();
/** Ids of decided conversations, the latest first. What is on the page follows it with a delay. */
let order = [];
const dirty = new Set();
const unseen = new Set();
let rises = false;
let lastReorder = 0;
let frame = 0;
let seeded = false;
let hovered = false;
let held = false;
let inView = true;

const reading = () => held || hovered || feed.scrollTop > 60 || feed.querySelector(":focus-visible") !== null;

function cardOf(id) {
  if (!cards.has(id)) cards.set(id, blank(id));
  return cards.get(id);
}

/** Forgets cards that are neither shown nor about to be. */
function forget() {
  order.splice(CARDS_MAX);
  const shown = new Set(order);
  for (const id of cards.keys()) if (!shown.has(id) && !isArriving(id)) cards.delete(id);
}

function raise(id) {
  order = [id, ...order.filter((other) => other !== id)];
  rises = true;
  forget();
}

/** Takes a line of the stream. */
export function hear(line) {
  // Refusals of commands to conversations long gone carry no conversation at all.
  if (line.seq === 0) return;
  const fresh = !cards.has(line.conversation_id);
  const card = cardOf(line.conversation_id);
  if (fresh && line.event !== "opened") fillNames();
  if (!learn(card, line)) return;
  noteArrival(card, line.event === "message_received");
  if (line.event === "turn_decided" || line.event === "queued") raise(card.id);
  dirty.add(card.id);
  if (reading() && order.includes(card.id)) unseen.add(card.id);
  draw();
}

function draw() {
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  if (!inView) return;
  const paused = reading() && seeded && elements.size > 0;
  showPause(paused);
  if (paused) return;
  unseen.clear();
  showArrivals();
  for (const id of dirty) {
    if (elements.has(id) && cards.has(id)) refresh(elements.get(id), cards.get(id));
  }
  dirty.clear();
  if (!rises) return;
  const wait = lastReorder + REORDER_EVERY_MS - performance.now();
  if (wait > 0) setTimeout(draw, wait);
  else reorder();
}

function refresh(element, card) {
  const focused = element.contains(document.activeElement);
  element.replaceChildren(...cardContent(card).flat());
  element.className = `card ${card.decision && card.decided ? card.decision.route : "open"}`;
  if (focused) element.querySelector("a").focus({ preventScroll: true });
}

function elementOf(id) {
  if (!elements.has(id)) {
    const element = h("article", { class: "card", "data-testid": "live-card", data: { conversation: id } });
    refresh(element, cards.get(id));
    elements.set(id, element);
  }
  return elements.get(id);
}

/** Puts the cards in their order; those in sight slide to their new places. */
function reorder() {
  lastReorder = performance.now();
  rises = false;
  const moving = seeded && !calm.matches && !document.hidden;
  const before = new Map();
  if (moving) {
    for (const element of [...feed.children].slice(0, MOVING)) before.set(element, element.offsetTop);
  }
  for (const [id, element] of elements) {
    if (cards.has(id)) continue;
    element.remove();
    elements.delete(id);
  }
  const wanted = order.map(elementOf);
  feed.querySelectorAll(":scope > :not(.card)").forEach((other) => other.remove());
  wanted.forEach((element, at) => {
    if (feed.children[at] !== element) feed.insertBefore(element, feed.children[at] ?? null);
  });
  if (!moving) return;
  for (const element of [...feed.children].slice(0, MOVING)) {
    const from = before.get(element);
    const by = from === undefined ? -16 : from - element.offsetTop;
    if (by === 0) continue;
    const start = { transform: `translateY(${by}px)`, opacity: from === undefined ? 0 : 1 };
    element.animate([start, { transform: "none", opacity: 1 }], { duration: 320, easing: "cubic-bezier(.2,.7,.2,1)" });
  }
}

function showPause(paused) {
  const news = paused && unseen.size > 0;
  newsButton.hidden = !paused;
  if (paused) newsButton.textContent = words.live.paused(unseen.size);
  newsButton.classList.toggle("quietly", !news);
}

function hold(on) {
  held = on;
  pauseButton.setAttribute("aria-pressed", String(on));
  pauseButton.replaceChildren(icon(on ? "play" : "pause"), h("span", null, on ? words.live.resume : words.live.pause));
  draw();
}

/** Names of conversations that began before this page did. */
const fillNames = gather(() => {
  list().then((rows) => rows.forEach((row) => {
    const card = cards.get(row.conversation_id);
    if (!card || card.name) return;
    learnRow(card, row);
    noteArrival(card, false);
    dirty.add(card.id);
    if (card.decided && !order.includes(card.id)) raise(card.id);
  })).then(draw).then(explainFirst).catch(() => {});
}, 1500);

/** Lists do not tell why: for what is in sight it is asked one by one. */
async function explainFirst() {
  const dull = order.slice(0, MOVING).map((id) => cards.get(id)).filter(({ decision }) => decision?.classification?.explanation.length === 0);
  for (const card of dull) {
    const { events } = await call(`/v1/conversations/${card.id}/events`);
    const line = events.findLast(({ event }) => event === "turn_decided");
    // Meanwhile the stream may have told of a newer one.
    if (!line?.detail.classification || card.decision.atMs !== null) continue;
    card.decision = { ...card.decision, classification: line.detail.classification };
    dirty.add(card.id);
    draw();
  }
}

const list = async () => (await call("/v1/conversations", { query: { limit: SEED } })).conversations;

/** Begins with what the server knows: at first, and whenever lines may have been missed. */
export async function reload() {
  if (!seeded) feed.replaceChildren(...skeletons(6, "card"));
  const rows = await list().catch(() => null);
  if (!rows) return;
  for (const row of rows) {
    const card = cardOf(row.conversation_id);
    learnRow(card, row);
    noteArrival(card, false);
  }
  order = [...cards.values()].filter(({ decided }) => decided).sort((a, b) => b.atMs - a.atMs).map(({ id }) => id);
  forget();
  order.forEach((id) => dirty.add(id));
  rises = true;
  if (cards.size === 0) {
    feed.replaceChildren(emptyState("live", words.live.emptyTitle, words.live.emptyHint));
    rises = false;
  }
  feed.setAttribute("aria-busy", "false");
  draw();
  requestAnimationFrame(() => (seeded = true));
  explainFirst().catch(() => {});
}

export function start() {
  // A finger does not hover: there the pause button and scrolling down do.
  feed.addEventListener("pointerenter", (event) => (hovered = event.pointerType === "mouse"));
  feed.addEventListener("pointerleave", () => {
    hovered = false;
    draw();
  });
  feed.addEventListener("scroll", draw, { passive: true });
  feed.addEventListener("focusout", draw);
  pauseButton.addEventListener("click", () => hold(!held));
  newsButton.addEventListener("click", () => {
    hovered = false;
    feed.scrollTo({ top: 0 });
    hold(false);
  });
  onRoute(({ view, list: beside }) => {
    inView = view === "live" || beside === "live";
    if (inView) draw();
  });
  reload();
}
