// Who this browser is to the server, kept on this device: the session, the name, what is unsent.
// Where storage is closed to pages, everything lasts as long as the page.

const tenantAsked = new URLSearchParams(location.search).get("tenant");
const PREFIX = `correnteza.chat.${tenantAsked ?? ""}.`;

const memory = new Map();

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** What was kept under a name, or null. */
export function kept(name) {
  try {
    return JSON.parse(storage()?.getItem(PREFIX + name) ?? memory.get(name) ?? "null");
  } catch {
    return null;
  }
}

/** Keeps a value under a name; null forgets it. */
export function keep(name, value) {
  const text = JSON.stringify(value);
  if (value === null) memory.delete(name);
  else memory.set(name, text);
  try {
    if (value === null) storage()?.removeItem(PREFIX + name);
    else storage()?.setItem(PREFIX + name, text);
  } catch {
    // Full or closed: memory has it.
  }
}

/** The provider asked for in the address, if any. */
export const tenant = tenantAsked;

export const session = {
  get id() {
    return kept("session");
  },
  set id(value) {
    keep("session", value);
  },
  get name() {
    return kept("name") ?? "";
  },
  set name(value) {
    keep("name", value || null);
  },
};

/** This device forgets the conversation. The provider does not. */
export function forget() {
  for (const name of ["session", "name", "outbox", "draft"]) keep(name, null);
}
