// Making elements. Text only ever goes in as text: customers write it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "vars") for (const [key, to] of Object.entries(value)) element.style.setProperty(`--${key}`, to);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element: attributes, `on` listeners, `vars` custom properties, `data`; strings become text. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** An SVG element, likewise. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** An icon of the sprite in desk.html; silent to screen readers unless it carries a label. */
export function icon(name, label) {
  const props = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return s("svg", { class: "icon", ...props }, s("use", { href: `#i-${name}` }));
}

/** Text for screen readers only. */
export const heard = (text) => h("span", { class: "heard" }, text);

export const byId = (id) => document.getElementById(id);

/** Gathers calls and makes one of them, `wait` ms after the first. */
export function gather(act, wait) {
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      act();
    }, wait);
  };
}

/** Says something to screen readers without moving anything. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/**
 * Makes the children of `box` those of `items`, in their order. An element whose item has not changed
 * stays as it is: one replaced between press and release of a button would swallow the click.
 */
export function keyed(box, items, keyOf, build) {
  // Placeholders and empty states have no key.
  [...box.children].forEach((element) => element.dataset.key ?? element.remove());
  const old = new Map([...box.children].map((element) => [element.dataset.key, element]));
  items.forEach((item, at) => {
    const key = keyOf(item);
    const print = JSON.stringify(item);
    let element = old.get(key);
    if (element?.print !== print) {
      const fresh = build(item);
      Object.assign(fresh, { print }).dataset.key = key;
      if (element) {
        const focused = element.contains(document.activeElement);
        element.replaceWith(fresh);
        if (focused) fresh.querySelector("a, button")?.focus({ preventScroll: true });
      }
      element = fresh;
    }
    if (box.children[at] !== element) box.insertBefore(element, box.children[at] ?? null);
    old.delete(key);
  });
  old.forEach((element) => element.remove());
}

/** What a list shows while it has nothing: a title and a hint. */
export const emptyState = (name, title, hint) =>
  h("div", { class: "empty" }, icon(name), h("strong", null, title), h("p", null, hint));

/** Placeholders of things that are on their way. */
export const skeletons = (count, kind) =>
  Array.from({ length: count }, () =>
    h("div", { class: `skeleton ${kind}`, "aria-hidden": "true" }, h("i"), h("i"), h("i")));
