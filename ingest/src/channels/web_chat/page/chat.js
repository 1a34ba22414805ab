// The customer's page: the chat on a whole window.

import { startChat } from "./app.js";
import { paint, takeLook } from "./look.js";
import { words } from "./words.js";

const asked = new URLSearchParams(location.search);
const at = { base: location.origin, account: asked.get("account") ?? asked.get("tenant") ?? "site" };
const color = await takeLook(at);
document.title = words.title;
paint(document.body, color);
if (color) document.querySelector("meta[name=theme-color]").content = color;
const chat = startChat({
  root: document,
  place: document.getElementById("page"),
  at,
  news: (count) => (document.title = count > 0 ? words.titleWithNews(count) : words.title),
  forgotten: () => location.reload(),
});
chat.focus();
