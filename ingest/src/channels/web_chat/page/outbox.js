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

/** What waits, oldest first: { cid, text, atMs }. */
export const unsent = all;

/** Adds a message and answers with it. */
export function add(text) {
  const message = { cid: newId(), text, atMs: Date.now() };
  keep(NAME, [...all(), message]);
  return message;
}

/** The server has it. */
export function acknowledged(cid) {
  const rest = all().filter((message) => message.cid !== cid);
  keep(NAME, rest.length > 0 ? rest : null);
}
