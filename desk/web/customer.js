// The customer behind the open conversation: what is open on their other channels, who may be the same
// person, and contacts merged and parted, with a reason.

import { call, Problem } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { customerName, nameOf } from "./format.js";
import { knownAgent } from "./people.js";
import { conversationPath } from "./routes.js";
import { words } from "./words.js";

const said = words.customer;
const box = byId("customer");

/** The store has it this long after the log, at most nearly always. */
const STORED_MS = 600;

/** The contact whose customer is shown; nothing where no conversation is open. */
let shown = null;

const channel = (name) => h("span", { class: `channel ${name}`, title: nameOf(words.channels, name) }, icon(name, nameOf(words.channels, name)));
const ids = (customer) => (customer?.ids ?? []).filter(({ kind }) => kind !== "web_chat").map(({ value }) => value).join(" · ");

/** Asks for a reason, in place. `done(reason)` resolves once it is so, or throws a [`Problem`]. */
function asking(name, done) {
  const reason = h("input", { type: "text", maxlength: 300, "aria-label": said.reason, placeholder: said.reason, "data-testid": `${name}-reason` });
  const ok = h("button", { type: "button", class: "plain small", disabled: true, "data-testid": name }, said[name]);
  const problem = h("span", { class: "alert", role: "alert" });
  reason.addEventListener("input", () => (ok.disabled = reason.value.trim() === ""));
  ok.addEventListener("click", async () => {
    ok.disabled = true;
    try {
      await done(reason.value.trim());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.textContent = error.message;
      ok.disabled = false;
    }
  });
  return h("span", { class: "reason" }, reason, ok, problem);
}

async function ask(what, body) {
  const agent = await knownAgent();
  if (!agent) return;
  await call(`/v1/customers/${encodeURIComponent(shown)}/${what}`, { method: "POST", body: { agent, ...body } });
  await load();
  setTimeout(() => load().catch(() => {}), STORED_MS);
}

function contactRow({ contact_id, channel: on, customer, confirmed, latest }) {
  const open = h("a", { href: conversationPath(latest.conversation_id) }, said.open);
  return h("li", { class: "customer-contact" }, channel(on), h("b", null, customerName(customer)), h("span", null, ids(customer)),
    h("span", { class: `state ${latest.state}` }, nameOf(words.states, latest.state)),
    confirmed && h("span", { class: "tag" }, said.confirmed),
    contact_id !== shown && open,
    contact_id !== shown && asking("unmerge", (reason) => ask("unmerge", { contact: contact_id, reason })));
}

function suggestion({ contact_id, channel: on, customer }) {
  return h("li", { class: "customer-contact", "data-testid": "suggestion" }, channel(on), h("b", null, customerName(customer)), h("span", null, ids(customer)),
    asking("merge", (reason) => ask("merge", { with: contact_id, reason })));
}

function linkRow({ source, holds, made, undone }) {
  const by = made?.by ?? nameOf(said.sources, source);
  const told = holds ? said.made(by, made?.reason ?? "") : said.undone(undone?.by ?? "", undone?.reason ?? "");
  return h("li", null, told);
}

function show({ contacts, suggestions, links, intents }) {
  const others = contacts.filter(({ contact_id }) => contact_id !== shown);
  box.hidden = false;
  box.replaceChildren(
    h("summary", { "data-testid": "customer" }, others.length > 0 ? said.others(others.length) : said.alone,
      suggestions.length > 0 && h("span", { class: "tag warn" }, said.suggested(suggestions.length))),
    h("ul", { class: "rows" }, contacts.map(contactRow)),
    intents.length > 0 && h("p", null, said.intents, " ", intents.map((id) => nameOf(words.intents, id)).join(", ")),
    suggestions.length > 0 && h("p", null, said.mayBe),
    suggestions.length > 0 && h("ul", { class: "rows" }, suggestions.map(suggestion)),
    links.length > 0 && h("ul", { class: "links" }, links.map(linkRow)));
}

async function load() {
  const asked = shown;
  if (asked === null) return;
  const customer = await call(`/v1/customers/${encodeURIComponent(asked)}`);
  if (asked === shown) show(customer);
}

/** Shows the customer of `contact`; nothing where there is none. */
export async function showCustomer(contact) {
  if (contact !== shown) {
    box.hidden = true;
    box.replaceChildren();
  }
  shown = contact;
  await load();
}
