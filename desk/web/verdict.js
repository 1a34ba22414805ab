// What a person says a turn was about: right as the machine took it, or something else. Used by the
// timeline and by the answers picked to be looked at. Nothing changes for the customer.

import { call, commandId } from "./api.js";
import { announce, h, icon } from "./dom.js";
import { nameOf } from "./format.js";
import { knownAgent } from "./people.js";
import { words } from "./words.js";

const said = words.verdict;
const NEW = "+";

/** A name models can be trained with, of what somebody typed: "Troca de número" → troca_de_numero. */
const idOf = (typed) => typed.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase()
  .replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60);

/** The intents there are, those the machine thought of first. */
function options(candidates) {
  const known = Object.keys(words.intents).filter((id) => !candidates.includes(id))
    .sort((a, b) => words.intents[a].localeCompare(words.intents[b], "pt-BR"));
  const option = (id) => h("option", { value: id }, nameOf(words.intents, id));
  return [
    h("option", { value: "" }, said.choose),
    candidates.length > 0 && h("optgroup", { label: said.likely }, candidates.map(option)),
    h("optgroup", { label: said.others }, known.map(option)),
    h("option", { value: NEW }, said.another),
  ];
}

/**
 * The question and what answers it. `turn`: of which conversation, which number, what the models said;
 * `done(intent)` is called once the word is in the log.
 */
export function verdict({ conversation_id, turn, classification }, done) {
  const predicted = classification.intents[0]?.id;
  const problem = h("span", { class: "alert", role: "alert" });
  const right = h("button", { type: "button", class: "plain small", "data-testid": "verdict-right" }, icon("check"), said.right);
  const wrong = h("button", { type: "button", class: "plain small", "aria-expanded": "false", "data-testid": "verdict-wrong" }, icon("close"), said.wrong);
  const choice = h("select", { "aria-label": said.choose, "data-testid": "verdict-intent" }, options(classification.intents.slice(1).map(({ id }) => id)));
  const typed = h("input", { type: "text", maxlength: 60, placeholder: said.anotherName, "aria-label": said.anotherName, hidden: true });
  const tone = h("select", { "aria-label": said.tone, "data-testid": "verdict-tone" },
    h("option", { value: "" }, said.toneSame),
    Object.entries(words.sentiments).map(([id, name]) => h("option", { value: id }, name)));
  const save = h("button", { type: "submit", class: "primary small", "data-testid": "verdict-save" }, words.actions.save);
  const form = h("form", { class: "verdict-form", hidden: true }, choice, typed, tone, save);
  const box = h("div", { class: "verdict" }, h("span", { class: "verdict-question" }, said.question), right, wrong, form, problem);
  // Sent again after a failure, it is the same command.
  let command = null;

  async function tell(intent, sentiment) {
    const agent = await knownAgent();
    if (!agent) return;
    problem.textContent = "";
    command ??= { id: commandId(), of: `${intent}/${sentiment}` };
    if (command.of !== `${intent}/${sentiment}`) command = { id: commandId(), of: `${intent}/${sentiment}` };
    for (const button of [right, save]) button.disabled = true;
    try {
      const body = { agent, turn, intent, sentiment: sentiment || undefined, command_id: command.id };
      await call(`/v1/conversations/${encodeURIComponent(conversation_id)}/label`, { method: "POST", body });
      const name = nameOf(words.intents, intent);
      box.replaceChildren(h("span", { class: "verdict-told" }, icon("check"), said.told(name)));
      announce(said.told(name));
      done?.(intent);
    } catch (failed) {
      problem.textContent = failed.message;
    } finally {
      for (const button of [right, save]) button.disabled = false;
    }
  }

  right.addEventListener("click", () => tell(predicted, ""));
  wrong.addEventListener("click", () => {
    form.hidden = !form.hidden;
    wrong.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) choice.focus();
  });
  choice.addEventListener("change", () => (typed.hidden = choice.value !== NEW));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const intent = choice.value === NEW ? idOf(typed.value) : choice.value;
    if (intent) tell(intent, tone.value);
    else problem.textContent = said.missing;
  });
  return box;
}
