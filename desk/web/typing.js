// Who is writing just now: the customer, to us; the agent, to the customer. Signs that are lost or late
// do no harm: each counts for some seconds.

import { request } from "./api.js";
import { byId } from "./dom.js";
import { agentName } from "./people.js";
import { words } from "./words.js";

/** A sign that nothing follows is forgotten. */
const LASTS_MS = 7000;
/** One who goes on writing says so that often. */
const AGAIN_MS = 3000;

const shown = byId("talk-typing");
const field = byId("reply-text");

let id = null;
let mine = false;
let saidAt = 0;
let forgetting = 0;

function show(on) {
  clearTimeout(forgetting);
  shown.hidden = !on;
  shown.textContent = on ? words.conversation.customerTypes : "";
  if (on) forgetting = setTimeout(() => show(false), LASTS_MS);
}

function say(on) {
  if (!id || !mine) return;
  saidAt = on ? Date.now() : 0;
  request(`/v1/conversations/${encodeURIComponent(id)}/typing`, { method: "POST", body: { agent: agentName(), on } }).catch(() => {});
}

/** Turns to a conversation, or none; `owned`: it is this agent's. */
export function about(conversation, owned) {
  if (conversation !== id) show(false);
  [id, mine] = [conversation, owned];
}

/** Takes a sign of the stream. */
export function hear({ conversation_id: conversation, on }) {
  if (conversation === id) show(on);
}

/** The customer has written. */
export const written = () => show(false);

export function start() {
  field.addEventListener("input", () => {
    if (field.value.trim() === "") say(false);
    else if (Date.now() - saidAt > AGAIN_MS) say(true);
  });
  field.form.addEventListener("submit", () => (saidAt = 0));
}
