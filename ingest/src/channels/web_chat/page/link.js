// The socket: says hello, passes frames on, comes back by itself with growing pauses.

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 15_000;
/** A socket that has not been welcomed by then is given up. */
const WELCOME_WITHIN_MS = 10_000;

/**
 * `hello()` makes the first frame, `frame(frame)` hears every one, `state(name)` hears
 * "connecting", "open", "reconnecting" and "offline".
 */
export function connect({ hello, frame, state }) {
  let socket = null;
  let timer = 0;
  let pause = FIRST_PAUSE_MS;
  let everOpen = false;
  let ended = false;

  function open() {
    clearTimeout(timer);
    if (ended) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(`${scheme}//${location.host}/v1/chat/ws`);
    let greeted = false;
    socket = mine;
    state(navigator.onLine ? (everOpen ? "reconnecting" : "connecting") : "offline");
    timer = setTimeout(() => drop(mine), WELCOME_WITHIN_MS);
    mine.addEventListener("open", () => mine.send(JSON.stringify(hello())));
    mine.addEventListener("message", ({ data }) => {
      if (mine !== socket) return;
      const told = JSON.parse(data);
      frame(told);
      // A later welcome only tells of another conversation; a restart has left this socket behind.
      if (told.t !== "welcome" || greeted || mine !== socket) return;
      greeted = true;
      clearTimeout(timer);
      everOpen = true;
      pause = FIRST_PAUSE_MS;
      state("open");
    });
    mine.addEventListener("close", () => drop(mine));
  }

  /** This socket is done for; another follows after a pause. */
  function drop(mine) {
    if (mine !== socket) return;
    socket = null;
    mine.close();
    if (ended) return;
    state(navigator.onLine ? (everOpen ? "reconnecting" : "connecting") : "offline");
    clearTimeout(timer);
    // Thousands of browsers that lost one server must not come back in one moment.
    timer = setTimeout(open, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  /** Comes back at once if away. */
  function hurry() {
    if (ended || socket) return;
    pause = FIRST_PAUSE_MS;
    open();
  }

  addEventListener("online", hurry);
  addEventListener("offline", () => socket && drop(socket));
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  open();

  return {
    /** Sends if it can; whoever needs certainty waits for the answer. */
    send(told) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(told));
    },
    hurry,
    /** Says hello anew on another socket. */
    restart() {
      const old = socket;
      socket = null;
      old?.close();
      open();
    },
    /** For good. */
    end() {
      ended = true;
      clearTimeout(timer);
      const old = socket;
      socket = null;
      old?.close();
    },
  };
}
