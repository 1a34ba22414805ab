// What is kept on this device: who this browser is to the server, the name, what is unsent. Where
// storage is closed to pages, everything lasts as long as the page.

let prefix = "correnteza.chat.";

/** Everything is kept apart by account. */
export function keepFor(account) {
  prefix = `correnteza.chat.${account}.`;
}

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
    return JSON.parse(storage()?.getItem(prefix + name) ?? memory.get(name) ?? "null");
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
    if (value === null) storage()?.removeItem(prefix + name);
    else storage()?.setItem(prefix + name, text);
  } catch {
    // Full or closed: memory has it.
  }
}

export const session = {
  get name() {
    return kept("name") ?? "";
  },
  set name(value) {
    keep("name", value || null);
  },
};

/** This device forgets the conversation. The provider does not. */
export function forget() {
  for (const name of ["visitor", "name", "outbox", "draft"]) keep(name, null);
}
