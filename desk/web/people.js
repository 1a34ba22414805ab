// Who sits at the desk: the agent's name, asked once, and the token, when the desk wants one.

import { words } from "./words.js";
import { byId } from "./dom.js";

const AGENT = "correnteza.agent";

export const agentName = () => localStorage.getItem(AGENT) ?? "";

const listeners = [];

/** Calls `listener(name)` now and whenever the name changes. */
export function onAgent(listener) {
  listeners.push(listener);
  listener(agentName());
}

/** Opens a dialog with one field and resolves to what was entered; null if it was dismissed. */
function ask(dialog, { value = "", mayDismiss }) {
  const form = dialog.querySelector("form");
  const field = dialog.querySelector("input");
  field.value = value;
  return new Promise((resolve) => {
    const done = (answer) => {
      events.abort();
      dialog.close();
      resolve(answer);
    };
    const events = new AbortController();
    const { signal } = events;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const entered = field.value.trim();
      if (entered) done(entered);
    }, { signal });
    dialog.querySelector("[data-cancel]")?.addEventListener("click", () => done(null), { signal });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (mayDismiss) done(null);
    }, { signal });
    dialog.showModal();
    field.select();
  });
}

let askingAgent = null;

/** Asks for the agent's name whether it is known or not. Null if nobody answered. */
export async function changeAgent() {
  askingAgent ??= ask(byId("agent-dialog"), { value: agentName(), mayDismiss: true });
  const name = await askingAgent;
  askingAgent = null;
  if (name !== null) {
    localStorage.setItem(AGENT, name);
    listeners.forEach((listener) => listener(name));
  }
  return name;
}

/** The agent's name, asked for if it is not known yet. */
export const knownAgent = async () => agentName() || changeAgent();

/** Asks for the desk's token until there is one. */
export function askForToken(wasWrong) {
  byId("token-wrong").textContent = wasWrong ? words.token.wrong : "";
  return ask(byId("token-dialog"), { mayDismiss: false });
}
