// What the machine would have answered, above the answer box of whoever has the conversation: one click puts
// it there, to be read and changed. It is never sent by itself.

import { call } from "./api.js";
import { suggest } from "./composer.js";
import { byId, h } from "./dom.js";
import { words } from "./words.js";

const box = byId("suggested");
let shownFor = null;

/** Offers a suggestion for what the customer wrote up to `seq`; `id` null: there is nobody to offer it to. */
export async function offerSuggestion(id, seq) {
  const wanted = id && `${id}/${seq}`;
  if (wanted === shownFor) return;
  shownFor = wanted;
  box.hidden = true;
  if (!wanted) return;
  const { suggestion } = await call(`/v1/conversations/${encodeURIComponent(id)}/suggestion`);
  if (wanted !== shownFor || !suggestion) return;
  const use = h("button", { type: "button", class: "plain small", "data-testid": "use-suggestion" }, words.conversation.useSuggestion);
  use.addEventListener("click", () => {
    suggest(suggestion.text);
    box.hidden = true;
  });
  box.replaceChildren(h("span", { title: suggestion.text, "data-testid": "suggestion" }, suggestion.text), use);
  box.hidden = false;
}
