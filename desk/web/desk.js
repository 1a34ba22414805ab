// The desk's page: puts its parts together and lets each hear what happens.

import { onUnauthorized } from "./api.js";
import * as checks from "./checks.js";
import * as conversation from "./conversation.js";
import { byId, h } from "./dom.js";
import * as letters from "./letters.js";
import * as live from "./live.js";
import * as model from "./model.js";
import * as numbers from "./numbers.js";
import { askForToken, changeAgent, onAgent } from "./people.js";
import * as queues from "./queues.js";
import { onRoute } from "./routes.js";
import { follow } from "./stream.js";
import * as tenants from "./tenants.js";
import * as typing from "./typing.js";
import { words } from "./words.js";

const word = (path) => path.split(".").reduce((at, name) => at[name], words);

/** Puts the catalogue's words where the page asks for them. */
function fillWords() {
  document.querySelectorAll("[data-word]").forEach((one) => one.append(word(one.dataset.word)));
  document.querySelectorAll("[data-label]").forEach((one) => one.setAttribute("aria-label", word(one.dataset.label)));
  document.querySelectorAll("[data-placeholder]").forEach((one) => (one.placeholder = word(one.dataset.placeholder)));
}

function showConnection(state) {
  const connection = byId("connection");
  connection.dataset.state = state;
  connection.lastElementChild.textContent = words.connection[state];
}

function showRoute({ view, list }) {
  document.body.dataset.view = view;
  document.body.dataset.list = list;
  document.querySelectorAll(".nav a").forEach((link) => {
    // On a wide screen the conversation stands beside a list, and the list is the current page.
    const current = link.dataset.view === view || (view === "conversation" && link.dataset.view === list);
    link.classList.toggle("current", current);
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
}

function showAgent(name) {
  const button = byId("agent");
  button.lastElementChild.textContent = name || words.agent.unknown;
  button.setAttribute("aria-label", `${words.agent.chip}: ${name || words.agent.unknown}`);
  button.classList.toggle("unknown", !name);
}

function showWaiting({ waiting, overdue }) {
  const badge = byId("nav-waiting");
  badge.hidden = waiting === 0;
  badge.replaceChildren(h("span", null, String(waiting)));
  badge.classList.toggle("late", overdue > 0);
  document.title = words.app.title(waiting);
}

fillWords();
onUnauthorized(askForToken);
byId("skip").addEventListener("click", () => byId("main").focus());
byId("agent").addEventListener("click", changeAgent);
onAgent(showAgent);
onRoute(showRoute);
queues.onSums(showWaiting);
for (const part of [live, queues, checks, letters, numbers, model, tenants, conversation, typing]) part.start();
setInterval(queues.tick, 1000);
follow({
  state: showConnection,
  line(line) {
    live.hear(line);
    queues.hear(line);
    checks.hear(line);
    conversation.hear(line);
  },
  typing: typing.hear,
  anew() {
    for (const part of [live, queues, checks, letters, conversation]) part.reload();
    for (const part of [numbers, model, tenants]) part.refresh();
  },
});
