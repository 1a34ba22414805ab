// The desk's HTTP API: one way to call it, one way to fail.

import { words } from "./words.js";
import { capital } from "./format.js";

const TOKEN = "correnteza.token";
const TENANT = new URLSearchParams(location.search).get("tenant");

/** A refusal or a failure, with `message` in words to show. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let askForToken = null;
let asking = null;
let skewMs = 0;

/** `ask(wasWrong)` resolves to a token once somebody has given one. */
export function onUnauthorized(ask) {
  askForToken = ask;
}

/** The server's time: deadlines are by its clock, not by this machine's. */
export const serverNow = () => Date.now() + skewMs;

function learnClock(response) {
  const told = Date.parse(response.headers.get("date") ?? "");
  // The header is rounded down to a second: only a real difference counts.
  const skew = told + 500 - Date.now();
  if (Number.isFinite(skew)) skewMs = Math.abs(skew) > 2000 ? skew : 0;
}

/** All calls that are refused at once share one question. */
async function renewToken() {
  asking ??= askForToken(sessionStorage.getItem(TOKEN) !== null).finally(() => (asking = null));
  sessionStorage.setItem(TOKEN, await asking);
}

/** Asks the server and answers with its response, whatever the status but 401. */
export async function request(path, { method = "GET", query = {}, body, signal } = {}) {
  const url = new URL(path, location.origin);
  if (TENANT) url.searchParams.set("tenant", TENANT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  }
  const token = sessionStorage.getItem(TOKEN);
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "offline", words.errors.offline);
  }
  learnClock(response);
  if (response.status !== 401) return response;
  // Somebody else may have given the token while this call was under way.
  if (sessionStorage.getItem(TOKEN) === token) await renewToken();
  return request(path, { method, query, body, signal });
}

async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  const { code = "other", detail } = told;
  // Conflicts are told in the agent's language; everything else is for programmers.
  const words409 = response.status === 409 && detail ? `${capital(detail)}.` : null;
  return new Problem(response.status, code, words409 ?? words.errors[code] ?? words.errors.other);
}

/** Asks and answers with the JSON; throws a [`Problem`]. */
export async function call(path, options) {
  const response = await request(path, options);
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/** Saves a file of the server as `name`: the token is in a header, where a link has none. */
export async function download(path, name) {
  const response = await request(path);
  if (!response.ok) throw await problemOf(response);
  const url = URL.createObjectURL(await response.blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** An id of a command, made here so that one sent again after a failure is the same command. */
export function commandId() {
  const digits = "0123456789abcdefghijklmnopqrstuv";
  let bits = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(2).padStart(8, "0")).join("");
  bits = bits.padEnd(130, "0");
  return `cmd_${bits.match(/.{5}/g).map((five) => digits[parseInt(five, 2)]).join("")}`;
}

/** An agent's wish: claim, release, reply or resolve. */
export const command = (id, action, body) =>
  call(`/v1/conversations/${encodeURIComponent(id)}/${action}`, { method: "POST", body });
