// Which part of the desk is looked at, kept in the address: #/ao-vivo, #/filas, #/conferir, #/falhas, #/numeros,
// #/conversa and #/conversa/<id>. On a wide screen the conversation stands beside the live page or
// the queues (`list`); on a phone each route is a page of its own.

const VIEWS = { "ao-vivo": "live", filas: "queues", conferir: "checks", falhas: "letters", numeros: "numbers", conversa: "conversation" };
const PATHS = Object.fromEntries(Object.entries(VIEWS).map(([path, view]) => [view, path]));

export const pathTo = (view) => `#/${PATHS[view]}`;
export const conversationPath = (id) => `#/conversa/${id}`;

let list = "live";
let conversation = null;
const listeners = [];

function read() {
  const [path, id] = location.hash.replace(/^#\//, "").split("/");
  const view = VIEWS[path] ?? "live";
  if (view === "live" || view === "queues" || view === "checks" || view === "letters") list = view;
  if (view === "conversation" && id) conversation = id;
  return { view, list: view === "numbers" ? "numbers" : list, conversation };
}

function tell() {
  const route = read();
  listeners.forEach((listener) => listener(route));
}

/** Calls `listener(route)` now and whenever the route changes. */
export function onRoute(listener) {
  listeners.push(listener);
  listener(read());
}

/** Lets go of the open conversation and goes back to the list it was opened from. */
export function closeConversation() {
  conversation = null;
  location.hash = pathTo(list);
}

addEventListener("hashchange", tell);
