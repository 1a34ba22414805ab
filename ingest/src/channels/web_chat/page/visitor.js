// Who this browser is to the server: a token, asked for once and kept on this device. A customer the
// site vouches for has one that is not kept: another may use the browser after them.

import { keep, kept } from "./session.js";

const HALF = 0.5;

let customer = null;

async function ask({ base, account }, body, shown) {
  const response = await fetch(`${base}/v1/channels/web_chat/${encodeURIComponent(account)}/visitors`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(shown && { authorization: `Bearer ${shown}` }) },
    body: JSON.stringify(body),
  });
  const told = await response.json();
  if (!response.ok) throw Object.assign(new Error(told.detail), { code: told.code });
  return { token: told.token, fromMs: Date.now(), untilMs: told.expires_at_ms };
}

const lasts = (one, share) => one && Date.now() < one.fromMs + (one.untilMs - one.fromMs) * share;

/**
 * A token for `at`: { base, account, identity }. `identity`, a text or a function that gives one, is what
 * the site signed of its customer.
 */
export async function tokenFor(at) {
  if (at.identity) {
    if (!lasts(customer, HALF)) {
      const identity = typeof at.identity === "function" ? await at.identity() : at.identity;
      customer = await ask(at, { identity });
    }
    return customer.token;
  }
  const before = kept("visitor");
  if (lasts(before, HALF)) return before.token;
  const visitor = await ask(at, {}, lasts(before, 1) ? before.token : null);
  keep("visitor", visitor);
  return visitor.token;
}

/** The server does not know it any more. */
export function forgetToken() {
  customer = null;
  keep("visitor", null);
}
