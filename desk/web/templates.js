// What may be said to a customer whose channel takes no free text any more: one click sends it.

import { call } from "./api.js";
import { byId, h } from "./dom.js";
import { words } from "./words.js";

const said = words.conversation.templates;
const box = byId("templates");
let shownFor = null;
let act = null;

/** `does(action, more)` does as the agent asks. */
export function start(does) {
  act = does;
}

async function send(button, template) {
  button.disabled = true;
  try {
    if (await act("reply", { template }) === "sent") box.hidden = true;
  } finally {
    button.disabled = false;
  }
}

/** Offers them for what the history says up to `seq`; `id` null: there is nobody to offer them to. */
export async function offerTemplates(id, seq) {
  const wanted = id && `${id}/${seq}`;
  if (wanted === shownFor) return;
  shownFor = wanted;
  box.hidden = true;
  if (!wanted) return;
  const { window_open, templates } = await call(`/v1/conversations/${encodeURIComponent(id)}/templates`);
  if (wanted !== shownFor || window_open) return;
  const offered = templates.map(({ answer_id, text }) => {
    const button = h("button", { type: "button", class: "plain small", "data-testid": "use-template" }, said.send);
    button.addEventListener("click", () => send(button, answer_id));
    return h("li", null, h("span", { title: text }, text), button);
  });
  box.replaceChildren(
    h("p", null, templates.length > 0 ? said.closed : said.none),
    h("ul", null, offered));
  box.hidden = false;
}
