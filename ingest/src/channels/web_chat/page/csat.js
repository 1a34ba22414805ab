// The form that asks how it was.

import { h } from "./dom.js";
import { words } from "./words.js";

const said = words.csat;

/** The form; `rate({ score, comment })` hears what is chosen. May be sent again until it is answered. */
export function csatForm(rate) {
  const comment = h("textarea", { rows: 2, maxlength: 1000, "aria-label": said.comment, placeholder: said.comment });
  const send = h("button", { type: "submit", class: "plain", disabled: true, "data-testid": "csat-send" }, said.send);
  const scores = Object.entries(said.scores).map(([score, name]) =>
    h("label", { class: "score" },
      h("input", { type: "radio", name: "score", value: score, "aria-label": name, on: { change: () => (send.disabled = false) } }),
      h("span", { "aria-hidden": "true" }, score)));
  const form = h("form", { class: "csat-form", on: { submit(event) {
    event.preventDefault();
    rate({ score: Number(new FormData(form).get("score")), comment: comment.value.trim() || undefined });
  } } },
  h("fieldset", null, h("legend", null, said.question), h("div", { class: "scores" }, scores), h("p", { class: "csat-hint" }, said.hint)),
  comment, send);
  return h("li", { class: "csat", "data-testid": "csat" }, form);
}
