// A message's text as elements: addresses become links, payment codes can be copied.

import { copies, h } from "./dom.js";
import { words } from "./words.js";

const LINK = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}])/;
/** Pix "copia e cola": the whole line, since names in it have spaces. */
const PIX = /^000201[\x20-\x7e]{40,}$/;
/** The typeable line of a bill, with or without its dots and spaces. */
const BILL = /(\d{5}\.?\d{5} ?\d{5}\.?\d{6} ?\d{5}\.?\d{6} ?\d ?\d{14}|\d{47,48})/;

const code = (text) => h("span", { class: "code" }, h("code", null, text),
  copies(h("button", { type: "button", class: "text-button" }, words.copy), () => text, words));

const links = (text) => text.split(LINK).map((part, at) =>
  at % 2 === 1 ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part);

function line(text) {
  if (PIX.test(text.trim())) return [code(text.trim())];
  return text.split(BILL).flatMap((part, at) => (at % 2 === 1 ? [code(part)] : links(part)));
}

/** The text's elements; line ends stay as they are. */
export function textParts(text) {
  return text.split("\n").flatMap((one, at) => (at > 0 ? ["\n", ...line(one)] : line(one)))
    .filter((part) => part !== "");
}
