// The connection: a WebSocket or, where there is none, an event stream and POST. Passes frames on and
// comes back by itself, with growing pauses.

import { viaSocket } from "./socket.js";
import { viaStream } from "./stream.js";
import { forgetToken, tokenFor } from "./visitor.js";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 15_000;
/** One that has not been welcomed by then is given up. */
const WELCOME_WITHIN_MS = 10_000;
/** So often in a row unwelcome, the other way is tried. */
const MISSES_MAX = 2;

/**
 * `at` is who to be where (see visitor.js), `name()` what the customer is called, `cursor()` how far the
 * page has come; `frame(frame)` hears every frame, `state(name)` hears "connecting", "open",
 * "reconnecting" and "offline".
 */
export function connect({ at, name, cursor, frame, state }) {
  const ways = [viaSocket, viaStream];
  const gone = new AbortController();
  let current = null;
  let timer = 0;
  let pause = FIRST_PAUSE_MS;
  let misses = 0;
  let everOpen = false;
  let ended = false;

  const away = () => (navigator.onLine ? (everOpen ? "reconnecting" : "connecting") : "offline");

  function open() {
    clearTimeout(timer);
    if (ended) return;
    const mine = { greeted: false, wire: null };
    current = mine;
    state(away());
    timer = setTimeout(() => drop(mine), WELCOME_WITHIN_MS);
    tokenFor(at).then(
      (token) => {
        if (mine === current) mine.wire = ways[0]({ at, token, name: name(), ...cursor(), heard: (told) => hear(mine, told), lost: () => drop(mine) });
      },
      (error) => {
        if (mine !== current) return;
        if (error.code) frame({ t: "error", code: error.code });
        drop(mine);
      },
    );
  }

  function hear(mine, told) {
    if (mine !== current) return;
    if (told.t === "error" && ["bad_token", "expired_token", "unauthorized"].includes(told.code)) forgetToken();
    frame(told);
    // A later welcome only tells of another conversation; a restart has left this one behind.
    if (told.t !== "welcome" || mine.greeted || mine !== current) return;
    mine.greeted = true;
    clearTimeout(timer);
    everOpen = true;
    misses = 0;
    pause = FIRST_PAUSE_MS;
    state("open");
  }

  /** This one is done for; another follows after a pause. */
  function drop(mine) {
    if (mine !== current) return;
    current = null;
    mine.wire?.close();
    if (ended) return;
    // Some networks let no WebSocket through.
    if (mine.wire && !mine.greeted && ++misses >= MISSES_MAX) {
      ways.reverse();
      misses = 0;
    }
    state(away());
    clearTimeout(timer);
    // Thousands of browsers that lost one server must not come back in one moment.
    timer = setTimeout(open, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  /** Comes back at once if away. */
  function hurry() {
    if (ended || current) return;
    pause = FIRST_PAUSE_MS;
    open();
  }

  addEventListener("online", hurry, { signal: gone.signal });
  addEventListener("offline", () => current && drop(current), { signal: gone.signal });
  document.addEventListener("visibilitychange", () => document.hidden || hurry(), { signal: gone.signal });
  // Whoever asked hears of it after they have it in hand.
  queueMicrotask(open);

  function leave() {
    const old = current;
    current = null;
    old?.wire?.close();
  }

  return {
    /** Sends if it can; whoever needs certainty waits for the answer. */
    send(told) {
      current?.wire?.send(told);
    },
    hurry,
    /** Begins anew on another connection. */
    restart() {
      leave();
      open();
    },
    /** For good. */
    end() {
      ended = true;
      clearTimeout(timer);
      gone.abort();
      leave();
    },
  };
}
