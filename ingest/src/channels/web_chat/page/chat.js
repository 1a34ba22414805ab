// The customer's page: puts the socket, the outbox, the conversation and the view together.

import { byId, copies, h } from "./dom.js";
import { connect } from "./link.js";
import * as outbox from "./outbox.js";
import { forget, keep, kept, session, tenant } from "./session.js";
import { talk } from "./talk.js";
import * as view from "./view.js";
import { words } from "./words.js";

/** A message that is not acknowledged by then went into a dead socket. */
const ACK_WITHIN_MS = 10_000;
const BUSY_PAUSE_MS = 4000;
/** A connection lost for less is nobody's concern. */
const BANNER_AFTER_MS = 900;
const BACK_SHOWN_MS = 2500;

const text = byId("text");
const banner = byId("banner");
const touch = matchMedia("(pointer: coarse)");

let connection = "connecting";
let refused = false;
let unread = 0;
let bannerTimer = 0;
let readTimer = 0;

const word = (path) => path.split(".").reduce((at, name) => at[name], words);

function fillWords() {
  document.querySelectorAll("[data-word]").forEach((one) => one.append(word(one.dataset.word)));
  document.querySelectorAll("[data-label]").forEach((one) => one.setAttribute("aria-label", word(one.dataset.label)));
  document.querySelectorAll("[data-placeholder]").forEach((one) => (one.placeholder = word(one.dataset.placeholder)));
  byId("composer-hint").textContent = touch.matches ? words.composer.hintTouch : words.composer.hintEnter;
  byId("chips").append(...words.intro.suggestions.map((title) =>
    h("button", { type: "button", class: "chip", "data-testid": "suggestion", on: { click: () => say(title) } }, title)));
}

// ---- the conversation --------------------------------------------------------------------------

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
    if (document.hidden) showUnread(unread + 1);
    else tellRead();
  },
  again: () => link.restart(),
  choose: (title) => say(title),
});

function showUnread(count) {
  unread = count;
  document.title = count > 0 ? words.titleWithNews(count) : words.title;
}

function tellRead() {
  clearTimeout(readTimer);
  readTimer = setTimeout(() => link.send({ t: "read", seq: conversation.lastSeq }), 600);
}

function deliver({ cid, text: said }) {
  link.send({ t: "msg", cid, text: said });
  setTimeout(() => {
    if (connection === "open" && outbox.unsent().some((message) => message.cid === cid)) link.restart();
  }, ACK_WITHIN_MS);
}

/** Says something now, or as soon as there is a connection. */
function say(said) {
  const message = outbox.add(said);
  byId("intro").hidden = true;
  view.mine({ ...message, state: connection === "open" ? "sending" : "waiting" });
  if (connection === "open") deliver(message);
  else link.hurry();
}

// ---- the connection ----------------------------------------------------------------------------

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

function hearError({ code }) {
  if (code === "busy") {
    showBanner("busy");
    setTimeout(() => connection === "open" && outbox.unsent().forEach(deliver), BUSY_PAUSE_MS);
    setTimeout(() => banner.dataset.state === "busy" && hideBanner(), BUSY_PAUSE_MS);
  } else if (code === "bad_session") {
    session.id = null;
  } else if (code === "unknown_tenant") {
    refused = true;
    link.end();
    showBanner("refused");
    text.disabled = true;
    byId("send").disabled = true;
  }
}

const link = connect({
  hello: () => conversation.hello({ tenant: tenant ?? undefined, name: session.name || undefined }),
  frame: (told) => (told.t === "error" ? hearError(told) : conversation.hear(told)),
  state: changeConnection,
});

// ---- writing -----------------------------------------------------------------------------------

function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  byId("send").disabled = refused || text.value.trim() === "";
}

function start() {
  fillWords();
  view.startView();
  byId("status").lastElementChild.textContent = words.status.bot;
  copies(byId("protocol-copy"), () => byId("protocol").textContent, words);
  byId("banner-retry").addEventListener("click", () => link.restart());
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
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch.matches) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  });
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const said = text.value.trim();
    if (!said || refused) return;
    say(said);
    text.value = "";
    keep("draft", null);
    fitText();
    text.focus();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (unread > 0) tellRead();
    showUnread(0);
  });

  byId("about-open").addEventListener("click", () => byId("about").showModal());
  byId("forget").addEventListener("click", () => {
    link.end();
    forget();
    location.reload();
  });

  const waiting = outbox.unsent();
  waiting.forEach((message) => view.mine({ ...message, state: "waiting" }));
  byId("intro").hidden = waiting.length > 0;
  fitText();
  if (!touch.matches) text.focus();
}

start();
