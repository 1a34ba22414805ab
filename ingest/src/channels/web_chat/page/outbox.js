// Messages the server has not acknowledged yet. Each has an id of its own from the start: sent
// again, it is the same message. Kept on the device, so that a reload loses nothing.

import { keep, kept } from "./session.js";

const NAME = "outbox";

/** Reads afresh each time: another tab may have sent or added some. */
const all = () => kept(NAME) ?? [];

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What waits, oldest first: { cid, text, choice, atMs }. */
export const unsent = all;

/** Adds a message and answers with it. `choice`: the button that was tapped. */
export function add(text, choice) {
  const message = { cid: newId(), text, choice, atMs: Date.now() };
  keep(NAME, [...all(), message]);
  return message;
}

/** The server has it. */
export function acknowledged(cid) {
  const rest = all().filter((message) => message.cid !== cid);
  keep(NAME, rest.length > 0 ? rest : null);
}
