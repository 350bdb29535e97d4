// Panels: what opens over the page and is closed again, so that nothing below it moves.

import { h } from "./elements.js";

const NAMES = ["details", "alerts", "golive"];

// An element with a heading of its own over `parts`; `close` is called by its button.
export function overlay(name, title, close, ...parts) {
  const button = h(
    "button",
    {
      type: "button",
      class: "close",
      "aria-label": `Close ${title.toLowerCase()}`,
      onclick: close,
    },
    "✕",
  );
  const head = h("div", { class: "head" }, h("h2", {}, title), button);
  return h(
    "section",
    { class: `panel ${name}`, "aria-label": title, hidden: true },
    head,
    ...parts,
  );
}

// The choice that opens one panel alone, or closes all of them.
export function opened(name) {
  return Object.fromEntries(NAMES.map((other) => [other, other === name]));
}
