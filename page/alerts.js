// The alerts: where events are told outside the page, what may be asked of that, and what is muted.

import { Clock } from "./clock.js";
import { h, keyed, mark, say } from "./elements.js";
import { opened, overlay } from "./panels.js";
import { inWords } from "./status.js";

const SPANS = [
  ["15 min", "15 min"],
  ["1 h", "1 h"],
  ["morning", "until 07:00"],
];

// A chip that says how they are, and the panel it opens.
export class AlertsCard {
  constructor({ choose, ask }, muting) {
    Object.assign(this, { ask, muting });
    this.button = h("button", {
      class: "chip",
      type: "button",
      "aria-expanded": "false",
      onclick: () => choose(opened(this.choices.alerts ? "" : "alerts")),
    });
    // What is wrong is seen without opening anything.
    this.trouble = h("button", {
      class: "chip trouble",
      type: "button",
      onclick: () => choose(opened("alerts")),
    });
    this.notes = h("div", { class: "notes" });
    this.lines = h("ul", { class: "lines", "aria-label": "Destinations" });
    this.mutes = h("ul", { class: "mutes", "aria-labelledby": "muted" });
    this.muted = h("div", {}, h("h3", { id: "muted" }, "Muted"), this.mutes);
    this.letters = h("ul", { "aria-labelledby": "dead" });
    this.left = h("p", { class: "note" });
    this.dead = h("div", {}, h("h3", { id: "dead" }, "Not delivered"), this.letters, this.left);
    const parts = [this.notes, this.lines, this.muted, this.dead];
    this.element = overlay("destinations", "Alerts", () => choose(opened("")), ...parts);
  }

  draw({ alerts, view }, { choices }) {
    say(this.button, alerts.text);
    mark(this.button, "title", alerts.title);
    mark(this.button, "data-state", alerts.state);
    this.trouble.hidden = alerts.state !== "trouble";
    say(this.trouble, alerts.text);
    mark(this.trouble, "data-state", alerts.state);
    // Deliveries go by the computer's clock, whatever the market's is.
    if (this.zone !== view.tz) [this.zone, this.clock] = [view.tz, new Clock(view, true)];
    const { panel } = alerts;
    if (!panel || !choices.alerts) return;
    this.element.hidden = false;
    const words = (parts) => this.words(parts);
    const paragraph = () => h("p");
    keyed(this.notes, panel.notes, (text) => text, paragraph, say);
    keyed(
      this.lines,
      panel.destinations,
      (line) => line.name,
      (line) => this.line(line),
      (item, line) => correctLine(item, line, words),
    );
    keyed(
      this.mutes,
      panel.mutes,
      ({ of, name }) => `${of} ${name}`,
      ({ of, name }) => entry("Lift", () => this.ask({ ask: "lift", of, name })),
      (item, { text }) => say(item.firstChild.firstChild, words(text)),
    );
    this.muted.hidden = !panel.mutes.length;
    keyed(
      this.letters,
      panel.dead,
      ({ destination, key }) => `${destination} ${key}`,
      ({ destination, key }) =>
        entry("Send again", () => this.ask({ ask: "again", destination, key })),
      (item, { text, why }) => {
        say(item.firstChild.firstChild, words(text));
        say(item.firstChild.lastChild, why);
      },
    );
    this.dead.hidden = !panel.dead.length;
    say(this.left, panel.dead_left ? `and ${panel.dead_left} older ones` : "");
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.button, "aria-expanded", String(choices.alerts));
    if (!choices.alerts) this.element.hidden = true;
  }

  words(parts) {
    const now = Date.now() / 1000;
    return inWords(parts, (second) => this.clock.full(second, now));
  }

  line({ name, shown }) {
    const button = (label, title, onclick) =>
      h("button", { type: "button", class: "chip", title, onclick }, label);
    const send = (ask) => () => this.ask({ ask, destination: name });
    const muted = { of: "destination", name, text: shown };
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("span", { class: "dot", "aria-hidden": "true" }),
        h("b"),
        h("span", { class: "note" }),
        h("span", { class: "state" }),
        h(
          "span",
          { class: "tail" },
          h("span", { class: "note" }),
          h(
            "span",
            { class: "chips" },
            button("Try", `Try ${shown} now`, send("try")),
            button("Test", `Send a marked message to ${shown}`, send("test")),
            button("Mute", `Send nothing to ${shown} for a while`, (event) =>
              this.muting.open(event.currentTarget, event.currentTarget.closest("li"), [muted]),
            ),
            button("Lift", `Send to ${shown} again`, () =>
              this.ask({ ask: "lift", of: "destination", name }),
            ),
          ),
        ),
      ),
      h("p", { class: "why" }),
    );
  }
}

// Something with a button of its own.
function entry(label, onclick) {
  const button = h("button", { type: "button", class: "chip", onclick }, label);
  return h("li", {}, h("p", {}, h("span"), h("span", { class: "why" })), button);
}

function correctLine(item, line, words) {
  mark(item, "data-state", line.state);
  const [, name, type, state, tail] = item.firstChild.children;
  const [counts, buttons] = tail.children;
  say(name, line.shown);
  say(type, line.type);
  say(state, words(line.state_text));
  say(counts, words(line.counts));
  const [attempt, , mute, lift] = buttons.children;
  attempt.hidden = !line.can_try;
  mute.hidden = line.is_muted;
  lift.hidden = !line.is_muted;
  say(item.children[1], line.why);
  item.children[1].hidden = !line.why;
}

// For how long something is to be muted: one menu, shown where it was asked for.
export class Muting {
  constructor({ ask }) {
    this.what = h("select", { "aria-label": "What to mute" });
    this.label = h("span");
    this.element = h(
      "div",
      { class: "muting", role: "group", "aria-label": "Mute alerts" },
      h("span", {}, "Mute "),
      ...[this.what, this.label],
      ...SPANS.map(([span, text]) => {
        const onclick = () => {
          const { of, name } = this.things[this.what.selectedIndex];
          ask({ ask: "mute", of, name, span });
          this.close();
        };
        return h("button", { type: "button", class: "chip", onclick }, text);
      }),
      h(
        "button",
        { type: "button", class: "chip", "aria-label": "Close", onclick: () => this.close() },
        "✕",
      ),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // It is this that is closed, and nothing around it.
      event.stopPropagation();
      this.close();
    });
  }

  // `things` are what may be muted: each of a kind and name, with its text.
  open(button, parent, things) {
    if (this.element.parentNode === parent) return this.close();
    Object.assign(this, { button, things });
    this.what.replaceChildren(...things.map(({ text }) => h("option", {}, text)));
    this.what.hidden = things.length === 1;
    say(this.label, things.length === 1 ? things[0].text : "");
    parent.append(this.element);
    this.element.querySelector(".chip").focus({ preventScroll: true });
  }

  close() {
    this.element.remove();
    this.button.focus({ preventScroll: true });
  }
}
