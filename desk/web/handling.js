// What agents do with a conversation besides answering: pass it on with a note, leave a note, put it aside.

import { serverNow } from "./api.js";
import { byId, h } from "./dom.js";
import { words } from "./words.js";

const said = words.handling;
const MINUTE_MS = 60_000;
const COLLEAGUE = "@";

const box = byId("handling");
let mine = false;

const note = h("textarea", { rows: 2, maxlength: 2000, "aria-label": said.note, placeholder: said.notePlaceholder, "data-testid": "note-text" });
const to = h("select", { "aria-label": said.to, "data-testid": "transfer-to" },
  h("option", { value: "" }, said.to),
  h("optgroup", { label: said.queues }, Object.entries(words.queueNames).map(([id, name]) => h("option", { value: id }, name))),
  h("option", { value: COLLEAGUE }, said.colleague));
const colleague = h("input", { type: "text", maxlength: 40, hidden: true, "aria-label": said.colleagueName, placeholder: said.colleagueName, "data-testid": "transfer-agent" });
const time = h("select", { "aria-label": said.until, "data-testid": "snooze-for" },
  said.times.map(([minutes, name]) => h("option", { value: minutes }, name)));
const button = (name) => h("button", { type: "button", class: "plain small", "data-testid": name }, words.actions[name]);
const [transfer, leave, snooze] = ["transfer", "note", "snooze"].map(button);

/** What is asked when a button is pressed; nothing when something is missing. */
const ASKS = new Map([
  [transfer, () => {
    const text = note.value.trim() || undefined;
    if (to.value !== COLLEAGUE) return to.value && ["transfer", { queue: to.value, text }];
    const name = colleague.value.trim();
    return name && ["transfer", { to_agent: name, text }];
  }],
  [leave, () => note.value.trim() && ["note", { text: note.value.trim() }]],
  [snooze, () => ["snooze", { until_ms: Math.round(serverNow() + Number(time.value) * MINUTE_MS) }]],
]);

function tell() {
  transfer.disabled = !ASKS.get(transfer)();
  leave.disabled = !ASKS.get(leave)();
  snooze.disabled = !mine;
  time.disabled = !mine;
  colleague.hidden = to.value !== COLLEAGUE;
}

function clear() {
  note.value = "";
  to.value = "";
  colleague.value = "";
  box.open = false;
  tell();
}

/** Offers what may be done with a conversation that stands like this; nothing where there is none. */
export function offer(stands, agent) {
  const { owner = null, state = null } = stands ?? {};
  mine = owner !== null && owner === agent;
  const waits = state === "queued";
  transfer.hidden = !mine && !waits;
  to.hidden = transfer.hidden;
  box.hidden = stands === null || ["closed", "abandoned", "blocked"].includes(state);
  if (stands === null) clear();
  else tell();
}

/** `act(name, body)` resolves to "sent" once it is so. */
export function start(act) {
  for (const [pressed, asks] of ASKS) {
    pressed.addEventListener("click", async () => {
      const asked = asks();
      if (!asked) return;
      pressed.disabled = true;
      if (await act(...asked) === "sent") clear();
      else tell();
    });
  }
  for (const field of [note, to, colleague]) {
    for (const event of ["input", "change"]) field.addEventListener(event, tell);
  }
  box.replaceChildren(h("summary", { "data-testid": "handling" }, said.heading),
    h("div", { class: "handling-body" }, note,
      h("div", { class: "handling-row" }, to, colleague, transfer, leave),
      h("div", { class: "handling-row" }, time, snooze)));
  offer(null, "");
}
