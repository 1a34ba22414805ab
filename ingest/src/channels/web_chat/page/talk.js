// Where the conversation stands, from the server's frames; tells the view what to show.

import { csatForm } from "./csat.js";
import * as outbox from "./outbox.js";
import * as view from "./view.js";
import { words } from "./words.js";

/** A cue that nothing follows goes away: whoever answers may take longer than a grouped turn. */
const CUE_MS = 45_000;

/** An agent who goes on writing says so every few seconds. */
const TYPING_MS = 7000;

/**
 * `changed(what)` hears { protocol, status, begun }; `news()` hears of a message from our side;
 * `choose(button)` hears a tapped button, `rate(rating)` how it was.
 */
export function talk({ changed, news, choose, rate }) {
  let conversation = null;
  /** The last step seen, and the last there was at the welcome: until then it is the past. */
  let lastSeq = 0;
  let pastSeq = 0;
  /** "bot", "queued", "agent" or "over". */
  let standing = "bot";
  let rewordPlace = null;
  let placeBegins = "";
  let agentName = null;
  let takeFormAway = () => {};
  let cueTimer = 0;
  const seen = new Set();
  /** Own messages whose step has come: by POST that may be before their acknowledgement. */
  const stepped = new Set();

  function stand(kind, text) {
    standing = kind;
    changed({ status: { kind, text: text ?? words.status[kind] } });
  }

  function cue(kind, lastsMs = CUE_MS) {
    clearTimeout(cueTimer);
    const told = kind && words.cue[kind];
    view.showCue(kind, typeof told === "function" ? told(agentName) : told);
    if (kind) cueTimer = setTimeout(() => view.showCue(null), lastsMs);
  }

  /** Where one stands in the queue: the words before it stay, the place is told as of now. */
  function placeText({ position, wait_s_min: least, wait_s_max: most }) {
    const wait = most ? words.notices.wait(least, most) : words.notices.noWait;
    return [placeBegins, position && words.notices.place(position), position && wait].filter(Boolean).join(" ");
  }

  /** The machine reads what people do not have: it waits for the customer to finish. */
  function heardCustomer(atMs) {
    takeFormAway();
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
      if (seq !== undefined) stepped.add(cid);
      else if (stepped.has(cid)) return;
      view.mine({ cid, state: seq === undefined ? "sent" : "received", seq });
      // A repeat is acknowledged with its old step, maybe of an earlier conversation.
      if (seq === lastSeq + 1) step(seq);
      heardCustomer(Date.now());
    },
    msg({ seq, from, name, cid, text, buttons, at_ms: atMs = Date.now() }) {
      if (!step(seq)) return;
      if (from === "customer") {
        outbox.acknowledged(cid);
        stepped.add(cid);
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
      else if (standing === "agent") cue(on ? "typing" : null, TYPING_MS);
    },
    queued(told) {
      if (!step(told.seq)) return;
      cue(null);
      placeBegins = standing === "agent" ? words.notices.queuedAgain : words.notices.queued;
      const text = placeText(told);
      if (standing === "queued" && rewordPlace) rewordPlace(text);
      else rewordPlace = view.notice("queued", text);
      // The place is told as of now; the line above is in sight for as long as one waits.
      stand("queued");
    },
    place(told) {
      if (standing === "queued") rewordPlace?.(placeText(told));
    },
    agent({ seq, name }) {
      if (!step(seq)) return;
      cue(null);
      agentName = name;
      view.notice("agent", words.notices.agent(name));
      stand("agent", words.status.agent(name));
    },
    resolved({ seq }) {
      if (!step(seq)) return;
      cue(null);
      if (standing !== "over") view.notice("over", words.notices.over);
      stand("over");
    },
    csat({ seq, score }) {
      if (!step(seq)) return;
      takeFormAway();
      if (score) view.notice("over", words.csat.thanks(score));
      else takeFormAway = view.form(csatForm((rating) => rate({ conversation, ...rating })));
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
