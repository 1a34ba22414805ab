// The widget: a button in the corner, and the chat in a dialog above the page.

import { startChat } from "./app.js";
import { h } from "./dom.js";
import { paint, takeLook } from "./look.js";
import { keepFor, kept } from "./session.js";
import { words } from "./words.js";

const STYLES = ["chat", "messages", "widget"];

/** Which element has the focus inside `root`, or nothing. */
const focused = (root) => root.activeElement;

/** Everything in `panel` the Tab key stops at, as long as it is in sight. */
const stops = (panel) =>
  [...panel.querySelectorAll("button, input, textarea, a[href]")].filter((one) => !one.disabled && one.getClientRects().length > 0);

const chatIcon = () => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z");
  svg.append(path);
  return svg;
};

/** `at`: { base, account, identity } (see visitor.js). */
export async function startWidget(at) {
  const color = await takeLook(at);
  const host = document.createElement("correnteza-chat");
  // No rule of the page outranks these; without them `div { display: none }` would.
  for (const [name, value] of [["all", "initial"], ["display", "block"], ["position", "fixed"], ["z-index", "2147483000"], ["inset", "auto 0 0 auto"]]) {
    host.style.setProperty(name, value, "important");
  }
  host.lang = "pt-BR";
  const root = host.attachShadow({ mode: "open" });
  const styles = STYLES.map((name) => h("link", { rel: "stylesheet", href: `${at.base}/chat/${name}.css` }));
  const badge = h("span", { class: "badge", hidden: true, "aria-hidden": "true" });
  const launch = h("button", {
    class: "launch", type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": "panel",
    "aria-label": words.open, "data-testid": "widget-open", hidden: true, on: { click: () => show(true) },
  }, chatIcon(), badge);
  const panel = h("div", { class: "panel", id: "panel", role: "dialog", "aria-modal": "true", "aria-label": words.title, "data-testid": "widget-panel", hidden: true });
  let chat = null;

  function begin() {
    chat ??= startChat({
      root,
      place: panel,
      at,
      news(count) {
        badge.textContent = String(count);
        badge.hidden = count === 0;
        launch.setAttribute("aria-label", count > 0 ? words.openWithNews(count) : words.open);
      },
      forgotten() {
        host.remove();
        startWidget(at);
      },
    });
    const shut = root.getElementById("shut");
    shut.hidden = false;
    shut.onclick = () => show(false);
  }

  function show(yes) {
    if (yes) begin();
    panel.hidden = !yes;
    launch.hidden = yes;
    launch.setAttribute("aria-expanded", String(yes));
    chat.looking(yes);
    if (yes) root.getElementById("text").focus();
    else launch.focus();
  }

  panel.addEventListener("keydown", (event) => {
    if (root.getElementById("about").open) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      show(false);
    } else if (event.key === "Tab") {
      const all = stops(panel);
      const [from, to] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
      if (focused(root) !== from) return;
      event.preventDefault();
      to.focus();
    }
  });

  [launch, panel].forEach((one) => paint(one, color));
  root.append(...styles, launch, panel);
  document.body.append(host);
  // Nothing is shown before it looks as it should.
  Promise.allSettled(styles.map((link) => new Promise((done) => (link.onload = link.onerror = done)))).then(() => (launch.hidden = false));
  keepFor(at.account);
  // Whoever has a conversation is told of news without opening it.
  if (kept("visitor")) {
    begin();
    chat.looking(false);
  }
}
