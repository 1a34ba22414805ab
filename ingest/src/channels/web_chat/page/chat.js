// The customer's page: the chat on a whole window.

import { startChat } from "./app.js";
import { words } from "./words.js";

const asked = new URLSearchParams(location.search);
const chat = startChat({
  root: document,
  place: document.getElementById("page"),
  at: { base: location.origin, account: asked.get("account") ?? asked.get("tenant") ?? "site" },
  news: (count) => (document.title = count > 0 ? words.titleWithNews(count) : words.title),
  forgotten: () => location.reload(),
});
chat.focus();
