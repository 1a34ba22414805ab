// The chat: puts the connection, the outbox, the conversation and the view together, on our page or in
// a widget.

import { byId, copies, h, inside, mountIn } from "./dom.js";
import { connect } from "./link.js";
import * as outbox from "./outbox.js";
import { panel } from "./panel.js";
import { forget, keep, keepFor, kept, session } from "./session.js";
import { talk } from "./talk.js";
import * as view from "./view.js";
import { words } from "./words.js";

/** A message that is not acknowledged by then went into a dead connection. */
const ACK_WITHIN_MS = 10_000;
const BUSY_PAUSE_MS = 4000;
/** One who goes on writing says so that often. */
const TYPING_EVERY_MS = 3000;
/** A connection lost for less is nobody's concern. */
const BANNER_AFTER_MS = 900;
const BACK_SHOWN_MS = 2500;

const word = (path) => path.split(".").reduce((at, name) => at[name], words);

/**
 * Starts the chat in `place`, an element of `root` (the document, or a shadow). `at`: { base, account,
 * identity } (see visitor.js). `news(count)` hears how many messages nobody has looked at; `forgotten()`
 * that the device is to forget the conversation. Answers with { looking(yes), focus(), end() }.
 */
export function startChat({ root, place, at, news, forgotten }) {
  mountIn(root);
  keepFor(at.account);
  place.insertAdjacentHTML("beforeend", panel(at.base));

  const text = byId("text");
  const banner = byId("banner");
  const touch = matchMedia("(pointer: coarse)");
  const gone = new AbortController();
  let connection = "connecting";
  let refused = false;
  let looked = true;
  let unread = 0;
  let bannerTimer = 0;
  let readTimer = 0;
  let typingToldAt = 0;

  function fillWords() {
    inside().querySelectorAll("[data-word]").forEach((one) => one.append(word(one.dataset.word)));
    inside().querySelectorAll("[data-label]").forEach((one) => one.setAttribute("aria-label", word(one.dataset.label)));
    inside().querySelectorAll("[data-placeholder]").forEach((one) => (one.placeholder = word(one.dataset.placeholder)));
    byId("composer-hint").textContent = touch.matches ? words.composer.hintTouch : words.composer.hintEnter;
    byId("chips").append(...words.intro.suggestions.map((title) =>
      h("button", { type: "button", class: "chip", "data-testid": "suggestion", on: { click: () => say(title) } }, title)));
  }

  // ---- the conversation ------------------------------------------------------------------------

  const conversation = talk({
    changed({ protocol, status, begun, past }) {
      if (protocol) {
        byId("protocol").textContent = protocol;
        byId("protocol-bar").hidden = false;
      }
      if (status) {
        byId("status").dataset.kind = status.kind;
        byId("status").lastElementChild.textContent = status.text;
      }
      if (begun) byId("intro").hidden = true;
      // What was said before is not read out again.
      if (past !== undefined) byId("log").setAttribute("aria-busy", String(past));
    },
    news() {
      if (!looked || document.hidden) showUnread(unread + 1);
      else tellRead();
    },
    choose: (button) => say(button.title, button),
    rate: (rating) => link.send({ t: "csat", ...rating }),
  });

  function showUnread(count) {
    unread = count;
    news(count);
  }

  function tellRead() {
    clearTimeout(readTimer);
    readTimer = setTimeout(() => link.send({ t: "read", seq: conversation.lastSeq }), 600);
  }

  function looking(yes) {
    looked = yes;
    if (!looked || document.hidden) return;
    if (unread > 0) tellRead();
    showUnread(0);
  }

  function deliver({ cid, text: said, choice }) {
    link.send({ t: "msg", cid, text: said, choice });
    setTimeout(() => {
      if (connection === "open" && outbox.unsent().some((message) => message.cid === cid)) link.restart();
    }, ACK_WITHIN_MS);
  }

  /** Says something now, or as soon as there is a connection. */
  function say(said, choice) {
    const message = outbox.add(said, choice);
    byId("intro").hidden = true;
    view.mine({ ...message, state: connection === "open" ? "sending" : "waiting" });
    if (connection === "open") deliver(message);
    else link.hurry();
  }

  // ---- the connection --------------------------------------------------------------------------

  function showBanner(state, told = words.connection[state]) {
    banner.hidden = false;
    banner.dataset.state = state;
    byId("banner-text").textContent = told;
    byId("banner-retry").hidden = state !== "reconnecting";
  }

  function hideBanner() {
    if (!refused) banner.hidden = true;
  }

  function changeConnection(state) {
    connection = state;
    const waiting = outbox.unsent();
    view.mineOnTheWay(waiting.map(({ cid }) => cid), state === "open" ? "sending" : "waiting");
    if (refused) return;
    if (state !== "open") {
      if (banner.hidden) bannerTimer ||= setTimeout(() => showBanner(connection), BANNER_AFTER_MS);
      else showBanner(state);
      return;
    }
    clearTimeout(bannerTimer);
    bannerTimer = 0;
    waiting.forEach(deliver);
    if (banner.hidden) return;
    if (banner.dataset.state === "connecting") hideBanner();
    else {
      showBanner("back");
      setTimeout(() => banner.dataset.state === "back" && hideBanner(), BACK_SHOWN_MS);
    }
  }

  /** What was not taken is sent again after a pause, under the same id. */
  function sendLater(state, pauseMs) {
    showBanner(state);
    setTimeout(() => {
      if (connection === "open") outbox.unsent().forEach(deliver);
      if (banner.dataset.state === state) hideBanner();
    }, pauseMs);
  }

  function refuse() {
    refused = true;
    link.end();
    showBanner("refused");
    text.disabled = true;
    byId("send").disabled = true;
  }

  function hearError({ code, retry_after_ms: pauseMs }) {
    if (code === "rate_limited") sendLater("slower", pauseMs ?? BUSY_PAUSE_MS);
    else if (code === "busy") sendLater("busy", pauseMs ?? BUSY_PAUSE_MS);
    else if (["unknown_tenant", "unknown_account", "bad_origin", "not_found"].includes(code)) refuse();
  }

  const link = connect({
    at,
    name: () => session.name || undefined,
    cursor: () => conversation.cursor,
    frame: (told) => (told.t === "error" ? hearError(told) : conversation.hear(told)),
    state: changeConnection,
  });

  // ---- writing ---------------------------------------------------------------------------------

  function tellTyping(on) {
    const { conversation: id } = conversation.cursor;
    if (!id || (on && Date.now() - typingToldAt < TYPING_EVERY_MS) || (!on && typingToldAt === 0)) return;
    typingToldAt = on ? Date.now() : 0;
    link.send({ t: "typing", conversation: id, on });
  }

  function fitText() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
    byId("send").disabled = refused || text.value.trim() === "";
  }

  function submit(event) {
    event.preventDefault();
    const said = text.value.trim();
    if (!said || refused) return;
    say(said);
    typingToldAt = 0;
    text.value = "";
    keep("draft", null);
    fitText();
    text.focus();
  }

  function listenToWriting() {
    byId("name").value = session.name;
    byId("name").addEventListener("change", ({ target }) => {
      session.name = target.value.trim();
      // The server learns a name from the hello.
      if (!conversation.begun) link.restart();
    });
    byId("name").addEventListener("keydown", (event) => event.key === "Enter" && text.focus());
    text.value = kept("draft") ?? "";
    text.addEventListener("input", () => {
      fitText();
      keep("draft", text.value || null);
      tellTyping(text.value.trim() !== "");
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch.matches) return;
      event.preventDefault();
      byId("composer").requestSubmit();
    });
    byId("composer").addEventListener("submit", submit);
  }

  fillWords();
  view.startView();
  byId("status").lastElementChild.textContent = words.status.bot;
  copies(byId("protocol-copy"), () => byId("protocol").textContent, words);
  byId("banner-retry").addEventListener("click", () => link.restart());
  listenToWriting();
  document.addEventListener("visibilitychange", () => looking(looked), { signal: gone.signal });
  byId("about-open").addEventListener("click", () => byId("about").showModal());
  byId("forget").addEventListener("click", () => {
    end();
    forget();
    forgotten();
  });
  const waiting = outbox.unsent();
  waiting.forEach((message) => view.mine({ ...message, state: "waiting" }));
  byId("intro").hidden = waiting.length > 0;
  fitText();

  function end() {
    link.end();
    gone.abort();
  }

  return { looking, focus: () => touch.matches || text.focus(), end };
}
