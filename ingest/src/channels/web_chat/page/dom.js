// Making elements. Text only ever goes in as text.

const SVG = "http://www.w3.org/2000/svg";

/** Where the chat is: our page, or the shadow of a widget on somebody else's. */
let root = document;

export function mountIn(place) {
  root = place;
}

export const inside = () => root;
export const byId = (id) => root.getElementById(id);

/** An HTML element: attributes, `on` listeners, `data`; strings become text. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon of the sprite in panel.js; always beside words that say the same. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Text for screen readers only. */
export const heard = (text) => h("span", { class: "heard" }, text);

/** A button that copies `text()` and says so. */
export function copies(button, text, { copy, copied }) {
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return; // The text is in sight and can be marked by hand.
    }
    button.textContent = copied;
    setTimeout(() => (button.textContent = copy), 2000);
  });
  return button;
}
