// Records no stage could use: where, why and when, and a way to have them read again. What was in them is
// not shown: it may be a customer's words.

import { call } from "./api.js";
import { announce, byId, emptyState, h, icon, keyed, skeletons } from "./dom.js";
import { atSecond, count, nameOf } from "./format.js";
import { onRoute } from "./routes.js";
import { words } from "./words.js";

const said = words.letters;
const REFRESH_EVERY_MS = 30_000;
const AGAIN_MS = 2500;

const list = byId("letters-list");
const badge = byId("nav-letters");
const all = byId("letters-all");
const alert = byId("letters-alert");

let inView = false;

async function putBack(place) {
  alert.textContent = "";
  all.disabled = true;
  try {
    const told = await call("/v1/dead-letters/replay", { method: "POST", body: place ? { place } : {} });
    announce(said.done(told.put_back));
    // What is still unreadable comes back in a moment.
    setTimeout(reload, AGAIN_MS);
    const left = [told.requests > 0 && said.requests(told.requests), told.states > 0 && said.states(told.states)];
    alert.textContent = left.filter(Boolean).join(" ");
  } catch (problem) {
    alert.textContent = problem.message;
  } finally {
    all.disabled = false;
  }
  await reload();
}

function card(one) {
  return h("li", { class: "letter", "data-testid": "letter" },
    h("header", null,
      h("b", null, nameOf(said.reasons, one.reason)),
      h("span", null, said.stage(one.stage)),
      h("time", { datetime: new Date(one.at_ms).toISOString() }, atSecond(one.at_ms))),
    h("p", { class: "letter-detail" }, one.detail),
    h("div", { class: "letter-foot" },
      h("span", null, `${said.from} ${one.from}`), h("span", null, said.bytes(count(one.bytes))),
      h("button", { type: "button", class: "plain small", "data-testid": "letter-again", on: { click: () => putBack(one.place) } }, icon("out"), said.again)));
}

function show({ dead_letters: letters, beyond }) {
  badge.hidden = letters.length === 0;
  badge.replaceChildren(h("span", null, count(letters.length)));
  all.hidden = letters.length < 2;
  byId("letters-beyond").textContent = beyond > 0 ? said.beyond(count(beyond)) : "";
  if (!inView) return;
  list.setAttribute("aria-busy", "false");
  if (letters.length === 0) {
    list.replaceChildren(h("li", { class: "nothing" }, emptyState("check", said.emptyTitle, said.emptyHint)));
    return;
  }
  keyed(list, letters, ({ place }) => place, card);
}

/** Fetches what there is. */
export async function reload() {
  try {
    show(await call("/v1/dead-letters"));
  } catch {
    // The next turn tries again.
  }
}

export function start() {
  list.replaceChildren(...skeletons(3, "row"));
  all.addEventListener("click", () => putBack(null));
  onRoute((route) => {
    inView = route.view === "letters" || route.list === "letters";
    if (inView) reload();
  });
  reload();
  setInterval(reload, REFRESH_EVERY_MS);
}
