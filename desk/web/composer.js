// The answer box. What is not sent yet is kept for as long as the tab lives, for each conversation.

import { commandId } from "./api.js";
import { byId } from "./dom.js";
import { words } from "./words.js";

const DRAFT = "correnteza.draft.";
const said = words.conversation;

const form = byId("composer");
const field = byId("reply-text");
const button = byId("reply-send");
const hint = byId("reply-hint");

const touch = matchMedia("(pointer: coarse)");

let id = null;
/** The wish being sent: sent again after a failure it keeps its id, so that it is obeyed once. */
let wish = null;

const keep = () => {
  if (field.value) sessionStorage.setItem(DRAFT + id, field.value);
  else sessionStorage.removeItem(DRAFT + id);
};

function grow() {
  field.style.setProperty("--lines", String(Math.min(8, Math.max(2, field.value.split("\n").length))));
}

/** Turns to another conversation, or none. */
export function compose(conversation) {
  if (conversation === id) return;
  id = conversation;
  wish = null;
  form.hidden = id === null;
  field.value = id === null ? "" : (sessionStorage.getItem(DRAFT + id) ?? "");
  grow();
}

/** Puts a text into the box, behind what is there. */
export function suggest(text) {
  field.value = field.value.trim() ? `${field.value.trimEnd()}\n\n${text}` : text;
  keep();
  grow();
  field.focus();
}

/** Opens the box to whoever has the conversation, and tells others what stands in the way. */
export function advise({ state, owner }, agent) {
  const mine = owner !== null && owner === agent;
  form.classList.toggle("closed", !mine);
  const over = state === "resolved" || state === "csat" || state === "closed";
  if (over) hint.textContent = said.hint.over;
  else if (!owner) hint.textContent = said.hint.claim;
  else hint.textContent = mine ? (touch.matches ? "" : said.hint.keys) : said.hint.other(owner);
}

/**
 * `send(text, commandId)` resolves to "sent", "refused" (a refused wish is spent: the next try is
 * another one) or "unknown" (it may have arrived: the next try is the same one).
 */
export function onSend(send) {
  const submit = async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text || button.disabled) return;
    if (wish?.text !== text) wish = { text, command: commandId() };
    const conversation = id;
    button.disabled = true;
    try {
      const outcome = await send(text, wish.command);
      if (outcome === "sent") sessionStorage.removeItem(DRAFT + conversation);
      if (conversation !== id) return;
      if (outcome !== "unknown") wish = null;
      if (outcome !== "sent") return;
      field.value = "";
      grow();
    } finally {
      button.disabled = false;
    }
    field.focus();
  };
  form.addEventListener("submit", submit);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  });
  field.addEventListener("input", () => {
    keep();
    grow();
  });
  button.title = words.conversation.hint.keys;
}
