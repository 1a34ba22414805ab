// Where the conversation stands, from the server's frames; tells the view what to show.

import * as outbox from "./outbox.js";
import * as view from "./view.js";
import { words } from "./words.js";

/** A cue that nothing follows goes away: whoever answers may take longer than a grouped turn. */
const CUE_MS = 45_000;

/**
 * `changed(what)` hears { protocol, status, begun }; `news()` hears of a message from our side;
 * `choose(button)` hears a tapped button.
 */
export function talk({ changed, news, choose }) {
  let conversation = null;
  /** The last step seen, and the last there was at the welcome: until then it is the past. */
  let lastSeq = 0;
  let pastSeq = 0;
  /** "bot", "queued", "agent" or "over". */
  let standing = "bot";
  let rewordPlace = null;
  let cueTimer = 0;
  const seen = new Set();

  function stand(kind, text) {
    standing = kind;
    changed({ status: { kind, text: text ?? words.status[kind] } });
  }

  function cue(kind) {
    clearTimeout(cueTimer);
    view.showCue(kind);
    if (kind) cueTimer = setTimeout(() => view.showCue(null), CUE_MS);
  }

  /** The machine reads what people do not have: it waits for the customer to finish. */
  function heardCustomer(atMs) {
    if (standing === "over") stand("bot");
    if (standing === "bot" && Date.now() - atMs < CUE_MS) cue("reading");
  }

  /** Takes a step's number; false for one that has been seen. */
  function step(seq) {
    const key = `${conversation}:${seq}`;
    if (seen.has(key)) return false;
    seen.add(key);
    lastSeq = Math.max(lastSeq, seq);
    changed({ begun: true, past: lastSeq < pastSeq });
    return true;
  }

  const heard = {
    welcome(told) {
      const other = told.conversation && told.conversation !== conversation;
      if (other) {
        if (conversation) {
          view.divider(words.notices.anew);
          stand("bot");
        }
        conversation = told.conversation;
        lastSeq = 0;
        rewordPlace = null;
      }
      pastSeq = told.seq;
      changed({ protocol: told.protocol ?? undefined, begun: told.seq > 0 || undefined, past: lastSeq < pastSeq });
    },
    ack({ cid, seq }) {
      outbox.acknowledged(cid);
      view.mine({ cid, state: seq === undefined ? "sent" : "received", seq });
      // A repeat is acknowledged with its old step, maybe of an earlier conversation.
      if (seq === lastSeq + 1) step(seq);
      heardCustomer(Date.now());
    },
    msg({ seq, from, name, cid, text, buttons, at_ms: atMs = Date.now() }) {
      if (!step(seq)) return;
      if (from === "customer") {
        outbox.acknowledged(cid);
        view.mine({ cid, text, atMs, state: "received", seq });
        heardCustomer(atMs);
        return;
      }
      cue(null);
      view.theirs({ from, name, text, atMs, buttons, choose });
      if (seq > pastSeq) news();
    },
    typing({ on, who }) {
      if (who === "bot") cue(on ? "writing" : null);
    },
    queued({ seq, position, eta_s: wait }) {
      if (!step(seq)) return;
      cue(null);
      const first = standing === "agent" ? words.notices.queuedAgain : words.notices.queued;
      const text = [first, position && words.notices.place(position), wait && words.notices.wait(wait)].filter(Boolean).join(" ");
      if (standing === "queued" && rewordPlace) rewordPlace(text);
      else rewordPlace = view.notice("queued", text);
      // The place is told as of now; the line above is in sight for as long as one waits.
      stand("queued");
    },
    agent({ seq, name }) {
      if (!step(seq)) return;
      cue(null);
      view.notice("agent", words.notices.agent(name));
      stand("agent", words.status.agent(name));
    },
    resolved({ seq }) {
      if (!step(seq)) return;
      cue(null);
      if (standing !== "over") view.notice("over", words.notices.over);
      stand("over");
    },
  };

  return {
    /** How far this page has come. */
    get cursor() {
      return { conversation: conversation ?? undefined, last_seq: lastSeq };
    },
    hear(told) {
      heard[told.t]?.(told);
    },
    get begun() {
      return conversation !== null;
    },
    get lastSeq() {
      return lastSeq;
    },
  };
}
