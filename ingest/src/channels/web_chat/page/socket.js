// One WebSocket.

/** Says hello at once; `heard(frame)` hears every frame, `lost()` that it is over. */
export function viaSocket({ at, token, name, conversation, last_seq, heard, lost }) {
  let socket;
  try {
    socket = new WebSocket(`${at.base.replace(/^http/, "ws")}/v1/chat/ws`);
  } catch {
    queueMicrotask(lost);
    return { send() {}, close() {} };
  }
  socket.addEventListener("open", () =>
    socket.send(JSON.stringify({ t: "hello", account: at.account, token, name, conversation, last_seq })));
  socket.addEventListener("message", ({ data }) => heard(JSON.parse(data)));
  socket.addEventListener("close", lost);
  return {
    send(told) {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(told));
    },
    close: () => socket.close(),
  };
}
