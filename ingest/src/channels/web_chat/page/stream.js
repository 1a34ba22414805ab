// Where there is no WebSocket: what happens comes as an event stream, what is said goes by POST. The
// token goes in a header, never in an address, so the stream is read by hand.

/** The server says something every 15 s at least. */
const SILENT_MS_MAX = 45_000;

/** The frames of an event stream, as they come. */
async function* frames(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let read = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    read += value;
    const events = read.split("\n\n");
    read = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}

/** As `viaSocket` does, without one. */
export function viaStream({ at, token, name, conversation, last_seq, heard, lost }) {
  const url = `${at.base}/v1/channels/web_chat/${encodeURIComponent(at.account)}`;
  const authorization = `Bearer ${token}`;
  const over = new AbortController();
  let silence = 0;

  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => over.abort(), SILENT_MS_MAX);
  };

  async function refusal(response, cid) {
    const told = await response.json().catch(() => ({}));
    const seconds = Number(response.headers.get("retry-after"));
    return { t: "error", code: told.code ?? "busy", cid, retry_after_ms: seconds ? seconds * 1000 : undefined };
  }

  async function follow() {
    const after = conversation && { "last-event-id": `${conversation}/${last_seq}` };
    const response = await fetch(`${url}/events`, { headers: { authorization, ...after }, signal: over.signal, cache: "no-store" });
    if (!response.ok) return heard(await refusal(response));
    alive();
    for await (const frame of frames(response.body, alive)) heard(frame);
  }

  async function post(kind, body) {
    const response = await fetch(`${url}/${kind}`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: over.signal,
    });
    if (!response.ok) heard(await refusal(response, body.cid));
    else if (response.status !== 204) heard(await response.json());
  }

  follow().catch(() => {}).finally(() => {
    clearTimeout(silence);
    lost();
  });
  return {
    send({ t, ...said }) {
      if (t === "msg") post("messages", { ...said, name }).catch(lost);
      else if (t === "csat") post("csat", said).catch(lost);
      else if (t === "typing") post("typing", said).catch(() => {});
    },
    close: () => over.abort(),
  };
}
