// The frame around the cards: the switches behind the settings, the tabs of a phone, and the way out of
// a kiosk.

import { link } from "./address.js";
import { h, mark } from "./elements.js";
import { opened } from "./panels.js";

const TABS = [
  ["pulse", "Pulse"],
  ["stress", "Stress"],
  ["together", "Together"],
];
const KEPT = "market-pulse.tab";
const SHOWN_MS = 3000;

// What a phone shows one of at a time; kept for as long as the browser's tab.
export class Tabs {
  // `root` is marked with the one that is shown.
  constructor(root) {
    this.root = root;
    this.buttons = TABS.map(([name, text]) =>
      h("button", { type: "button", "data-name": name, onclick: () => this.show(name) }, text),
    );
    this.element = h("nav", { class: "tabs", "aria-label": "Cards" }, ...this.buttons);
    this.show(kept());
  }

  show(name) {
    mark(this.root, "data-tab", name);
    for (const button of this.buttons)
      mark(button, "aria-current", button.dataset.name === name ? "page" : null);
    try {
      sessionStorage.setItem(KEPT, name);
    } catch {
      // Without storage it is kept for as long as the page.
    }
  }
}

function kept() {
  try {
    const name = sessionStorage.getItem(KEPT);
    if (TABS.some(([known]) => known === name)) return name;
  } catch {
    // As above.
  }
  return TABS[0][0];
}

// The way out of a kiosk: a button that is there for a while after a pointer has moved.
export class Leave {
  constructor(leave) {
    this.element = h(
      "button",
      { type: "button", class: "leave chip", title: "Escape, too", onclick: leave },
      "Leave kiosk",
    );
    this.onMove = () => this.show();
    document.addEventListener("pointermove", this.onMove);
    document.addEventListener("pointerdown", this.onMove);
  }

  show() {
    mark(this.element, "data-shown", true);
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => mark(this.element, "data-shown", null), SHOWN_MS);
  }

  close() {
    clearTimeout(this.hiding);
    document.removeEventListener("pointermove", this.onMove);
    document.removeEventListener("pointerdown", this.onMove);
  }
}

// Have an Escape close what lies over the page, from the top, and leave a kiosk; but not if it is for
// what Streamlit has opened over the page. Returned is what ends it.
export function onEscape(board) {
  const close = ({ choices }) => {
    if (!choices) return;
    if (Object.keys(opened("")).some((name) => choices[name])) board.choose(opened(""));
    else if (choices.symbol) board.open("");
    else if (choices.kiosk) board.choose({ kiosk: false });
  };
  const listener = (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const over = document.querySelector('[data-testid="stPopoverBody"], [data-testid="stDialog"]');
    if (!over?.checkVisibility()) close(board);
  };
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}

// The board's own switches, which stand among Streamlit's controls: `buttons` are those of the cards.
export class Menu {
  constructor({ choose, slip, play }, buttons) {
    this.slip = slip;
    const button = (text, title, onclick) =>
      h("button", { type: "button", class: "chip", title, onclick }, text);
    this.awake = button("Keep the screen on", "While it is a kiosk", () =>
      choose({ awake: !this.choices.awake }),
    );
    mark(this.awake, "role", "switch");
    const what = "A symbol of the simulated market jumps within seconds";
    this.stress = button("Play a stress", what, () => play());
    this.element = h(
      "div",
      { class: "chips", role: "group", "aria-label": "This tab" },
      ...buttons,
      button("Copy link", "To all that is chosen, but without sound and notifications", () =>
        this.copyLink(),
      ),
      button("Kiosk", "For a wall: big type, no controls; Escape leads back", () =>
        choose({ kiosk: true }),
      ),
      ...[this.awake, this.stress],
    );
  }

  drawChoices({ choices, payload }) {
    Object.assign(this, { choices, first: payload.first });
    mark(this.awake, "aria-checked", String(choices.awake));
    this.stress.hidden = !payload.watch.play;
    // The style of Streamlit's own elements keeps the room that this takes.
    mark(document.documentElement, "data-plays", payload.watch.play);
  }

  async copyLink() {
    const text = link(this.choices, this.first);
    try {
      await navigator.clipboard.writeText(text);
      this.slip("Copied", text);
    } catch {
      this.slip("This browser lets no page copy: the link is", text);
    }
  }
}
