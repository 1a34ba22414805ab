// What happens, as it happens: server-sent events over fetch, which unlike EventSource can send the
// token as a header (a token in an address ends up in logs) and tells why it failed.

import { request } from "./api.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** The server says something at least every 15 s; longer silence is a dead connection. */
const SILENCE_MS = 40_000;

/** Reads one connection to its end. */
async function read(response, abort, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const silence = setTimeout(() => abort.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) tell(block, heard);
  }
}

function tell(block, heard) {
  let event = "message";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data += line.slice(5).trimStart();
  }
  if (data) heard(event, JSON.parse(data));
}

/**
 * Follows the stream for as long as the page lives. `on.line(line)` for each line, `on.typing(sign)` for
 * each sign of a customer who is writing, `on.anew()` when
 * lines may have been missed, `on.state(name)`: connecting, live, reconnecting, offline.
 */
export function follow(on) {
  let failures = 0;
  let wake = () => {};
  let abort = null;

  const heard = (event, data) => {
    if (event === "line") on.line(data);
    else if (event === "typing") on.typing(data);
    else if (event === "lagged") on.anew();
  };

  async function once() {
    abort = new AbortController();
    const response = await request("/v1/stream", { signal: abort.signal });
    if (!response.ok) throw new Error(`stream: ${response.status}`);
    // Whatever was said while there was no connection has to be fetched.
    if (failures > 0) on.anew();
    failures = 0;
    on.state("live");
    await read(response, abort, heard);
  }

  async function forever() {
    on.state("connecting");
    for (;;) {
      await once().catch(() => {});
      failures += 1;
      on.state(navigator.onLine ? "reconnecting" : "offline");
      const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
      // Spread out, so that all desks do not come back at once after a restart.
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      });
    }
  }

  addEventListener("online", () => wake());
  addEventListener("offline", () => abort?.abort());
  forever();
}
