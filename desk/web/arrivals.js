// What has just come in and is not decided yet: the customer may still be writing. A few lines, so
// that the cards below are decisions only.

import { serverNow } from "./api.js";
import { byId, h, icon, keyed } from "./dom.js";
import { nameOf } from "./format.js";
import { conversationPath } from "./routes.js";
import { words } from "./words.js";

const SHOWN = 3;
/** Whatever is not decided by then is stuck, and not arriving. */
const OLD_MS = 60_000;

const box = byId("arrivals");
const list = h("ul", { class: "arriving" });
const count = h("span");

/** Cards by conversation, the latest last. */
const waiting = new Map();

/** Takes note of where a card stands; `wrote`: its customer has just written. */
export function noteArrival(card, wrote) {
  const arriving = !card.decided && !card.owner && card.texts.length > 0;
  if (!arriving) waiting.delete(card.id);
  else if (wrote || !waiting.has(card.id)) {
    waiting.delete(card.id);
    waiting.set(card.id, card);
  }
}

/** Whether a conversation is among them. */
export const isArriving = (id) => waiting.has(id);

const itemOf = (card) => ({ id: card.id, channel: card.channel, name: card.name, text: card.texts.at(-1) });

function line({ id, channel, name, text }) {
  const who = name || words.conversation.unknownCustomer;
  return h("li", null,
    h("span", { class: `channel ${channel}` }, icon(channel, nameOf(words.channels, channel))),
    h("a", { href: conversationPath(id), "aria-label": words.live.open(who) }, who),
    h("span", { class: "text" }, text));
}

/** Shows the latest. */
export function showArrivals() {
  const oldest = serverNow() - OLD_MS;
  for (const [id, card] of waiting) if (card.atMs < oldest) waiting.delete(id);
  count.textContent = waiting.size > 0 ? words.live.arrivingCount(waiting.size) : words.live.arrivingNone;
  box.classList.toggle("none", waiting.size === 0);
  const latest = [...waiting.values()].slice(-SHOWN).reverse();
  list.style.setProperty("--lines", String(latest.length));
  keyed(list, latest.map(itemOf), ({ id }) => id, line);
}

box.replaceChildren(
  h("h2", null, h("span", { class: "thinking", "aria-hidden": "true" }, h("i"), h("i"), h("i")), words.live.arriving, count), list);
