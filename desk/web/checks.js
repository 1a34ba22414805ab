// Answers of the machine that were picked by chance for a person to look at. The customer notices
// nothing; what is said here trains the next model and keeps the automatic path of an intent open.

import { call } from "./api.js";
import { confidenceBar, intentName } from "./decision.js";
import { byId, emptyState, gather, h, icon, keyed, skeletons } from "./dom.js";
import { atClock, count, nameOf } from "./format.js";
import { conversationPath, onRoute } from "./routes.js";
import { verdict } from "./verdict.js";
import { words } from "./words.js";

const said = words.checks;
const REFRESH_EVERY_MS = 30_000;
/** Changes heard of are fetched together. */
const GATHER_MS = 1500;

const list = byId("checks-list");
const badge = byId("nav-checks");

let inView = false;

const keyOf = ({ conversation_id, turn }) => `${conversation_id}/${turn}`;

function card(one) {
  const { classification: c, text, answer } = one;
  const channel = nameOf(words.channels, one.channel);
  return h("li", { class: "check", "data-testid": "check" },
    h("header", null,
      h("span", { class: `channel ${one.channel}`, title: channel }, icon(one.channel, channel)),
      h("a", { href: conversationPath(one.conversation_id) }, said.open),
      h("time", { datetime: new Date(one.at_ms).toISOString() }, atClock(one.at_ms))),
    h("p", { class: "check-text" }, text ?? words.conversation.missing),
    h("p", { class: "check-answer" }, h("small", null, said.answered), " ", answer ?? ""),
    h("div", { class: "check-said" }, h("span", { class: "intent" }, intentName(c)), confidenceBar(c)),
    verdict(one));
}

function show(checks) {
  badge.hidden = checks.length === 0;
  badge.replaceChildren(h("span", null, count(checks.length)));
  if (!inView) return;
  list.setAttribute("aria-busy", "false");
  if (checks.length === 0) {
    list.replaceChildren(h("li", { class: "nothing" }, emptyState("check", said.emptyTitle, said.emptyHint)));
    return;
  }
  keyed(list, checks, keyOf, card);
}

/** Fetches what is to be looked at. */
export async function reload() {
  try {
    const { checks } = await call("/v1/checks");
    show(checks);
  } catch {
    // The next turn tries again.
  }
}

const soon = gather(reload, GATHER_MS);

/** Takes a line of the stream: only those that tell what is to be looked at matter. */
export function hear(line) {
  if (line.to_check) soon();
}

export function start() {
  list.replaceChildren(...skeletons(3, "row"));
  onRoute((route) => {
    inView = route.view === "checks" || route.list === "checks";
    if (inView) reload();
  });
  reload();
  setInterval(reload, REFRESH_EVERY_MS);
}
