// What a tenant has of its own: asked for before anything is shown, and done without where it does not come.

import { words } from "./words.js";

/** Nobody waits for a colour for longer. */
const WITHIN_MS = 3000;

async function asked({ base, account }) {
  try {
    const path = `${base}/v1/channels/web_chat/${encodeURIComponent(account)}/look`;
    const response = await fetch(path, { signal: AbortSignal.timeout(WITHIN_MS) });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

/** Takes the texts over, and answers with the colour or nothing. `at`: { base, account }. */
export async function takeLook(at) {
  const { title, greeting, introduction, suggestions, color } = await asked(at);
  words.title = title ?? words.title;
  words.intro.title = greeting ?? words.intro.title;
  words.intro.text = introduction ?? words.intro.text;
  words.intro.suggestions = suggestions ?? words.intro.suggestions;
  return color;
}

/** Gives `element` and what is in it the colour; letters on it are white, also where the page is dark. */
export function paint(element, color) {
  if (!color) return;
  element.style.setProperty("--own", color);
  element.classList.add("own-color");
}
