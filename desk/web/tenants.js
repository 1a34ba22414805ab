// Each tenant as it is now: whether it takes messages in, what is in use, and what customers are
// writing just now, before it is read. An operator ends open groups, or switches grouping, here.

import { call } from "./api.js";
import { announce, h, keyed } from "./dom.js";
import { duration } from "./format.js";
import { onRoute } from "./routes.js";
import { words } from "./words.js";

const said = words.tenants;
const REFRESH_EVERY_MS = 2_000;
/** Of a version, enough to tell it from the one before. */
const VERSION_LETTERS = 8;

const list = h("ul", { class: "tenants" });
const failed = h("p", { class: "alert", role: "alert" });

/** The section of the numbers page. */
export const section = h("section", { class: "panel tenants-panel", "data-testid": "tenants", hidden: true },
  h("header", { class: "panel-head" }, h("h2", null, said.heading)), list, failed);

let inView = false;

const fact = (name, value) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, value));
const versionOf = (text) => (text
  ? [h("code", null, text.version.slice(0, VERSION_LETTERS)), ` ${text.inherited ? said.inherited : said.own}, `, text.configured ? said.configured : said.appliedBy(text.by)]
  : words.numbers.dash);
const groupingOf = (slug, rest = "") => `/v1/tenants/${encodeURIComponent(slug)}/grouping${rest}`;

async function act(event, path, options, told) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    await call(path, options);
    failed.textContent = "";
    announce(told);
    await refresh();
  } catch (problem) {
    failed.textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

function card({ tenant, active, accounts, answers, policy, grouping }) {
  const { enabled, window_ms, open_count, open_messages, oldest_age_ms } = grouping;
  const open = open_count === 0 ? said.nothingOpen : said.open(open_count, open_messages, duration(oldest_age_ms));
  return h("li", { class: "tenant", "data-testid": `tenant-${tenant}` },
    h("h3", null, tenant, " ", h("span", { class: active ? "tag" : "tag warn" }, active ? said.active : said.inactive)),
    h("dl", { class: "facts" },
      fact(said.accounts, accounts.length === 0 ? said.noAccounts : accounts.map(({ channel, account }) => `${channel}: ${account}`).join(", ")),
      fact(said.answers, versionOf(answers)),
      fact(said.policy, versionOf(policy)),
      fact(said.grouping, enabled ? said.window(duration(window_ms)) : said.off),
      fact(said.writing, open)),
    h("div", { class: "tenant-acts" },
      h("button", { type: "button", class: "plain", disabled: open_count === 0, on: { click: (event) =>
        act(event, groupingOf(tenant, "/flush"), { method: "POST", body: {} }, said.flushed) } }, said.flush),
      h("button", { type: "button", class: "plain", on: { click: (event) =>
        act(event, groupingOf(tenant), { method: "PUT", body: { enabled: !enabled } }, enabled ? said.switchedOff : said.switchedOn) } }, enabled ? said.switchOff : said.switchOn)));
}

/** Fetches them. What fails is shown by the connection's state and fetched again soon. */
export async function refresh() {
  if (!inView) return;
  try {
    const { tenants } = await call("/v1/tenants");
    section.hidden = tenants.length === 0;
    keyed(list, tenants, ({ tenant }) => tenant, card);
  } catch {
    // The next turn tries again.
  }
}

export function start() {
  onRoute(({ view }) => {
    inView = view === "numbers";
    refresh();
  });
  setInterval(refresh, REFRESH_EVERY_MS);
}
