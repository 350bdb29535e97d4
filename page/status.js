// The status of everything behind the page: the messages, and the details.

import { h, keyed, mark, say } from "./elements.js";
import { opened, overlay } from "./panels.js";

// What is said over the page, at its foot.
export class Messages {
  constructor() {
    this.element = h("div", { class: "messages" });
    this.troubleSince = {};
    this.closed = new Set();
    this.shown = [];
  }

  // `carried` are notes of this browser's own.
  draw(payload, { clock }, carried) {
    const messages = this.messages(payload, clock, carried);
    const names = messages.map(({ name }) => name);
    this.closed = new Set(names.filter((name) => this.closed.has(name)));
    this.shown = messages.filter(({ name }) => !this.closed.has(name));
    this.correct();
  }

  correct() {
    keyed(
      this.element,
      this.shown.map((message, place) => ({ ...message, place })),
      ({ place }) => place,
      ({ place }) => messageLine(() => this.close(place)),
      correctMessage,
    );
  }

  // What is closed stays closed for as long as it would be shown.
  close(place) {
    this.closed.add(this.shown[place].name);
    this.shown.splice(place, 1);
    this.correct();
  }

  // Something happened again, so it is shown again.
  reopen(name) {
    this.closed.delete(name);
  }

  // What can be closed has a name, by which it is known whatever figures are in it.
  messages(payload, clock, carried) {
    const { notes, status, pulse, refresh } = payload;
    const moment = (second) => clock.moment(second, payload.live_now);
    const messages = pausedMessages(payload, clock);
    for (const text of new Set([clock.note, ...carried, ...notes].filter(Boolean)))
      messages.push(noteOf(text));
    for (const { kind, text, counts, is_over } of this.lasting(status)) {
      const words = inWords(text, moment);
      messages.push({ kind, text: words, counts, name: is_over || kind === "note" ? words : null });
    }
    if (pulse.warming.length) {
      const parts = pulse.warming.map(([name, wait]) => `${name} in ${wait}`);
      messages.push(noteOf(`Warming up: ${parts.join(", ")}.`, "warming up"));
    }
    if (refresh.sec > 2) {
      const text = `${refresh.tabs} tabs are open, so each refreshes every ${refresh.sec} s.`;
      messages.push(noteOf(text, "tabs"));
    }
    return messages;
  }

  fail() {
    const text =
      "The page cannot draw what it was sent: reload it, and report what the browser's console says.";
    this.element.keyed?.clear();
    this.element.replaceChildren(
      h("div", { "data-kind": "error" }, h("p", { role: "alert" }, text)),
    );
  }

  // Without those that may pass within seconds: the page must not jump for these.
  lasting({ messages, passing }) {
    const known = this.troubleSince;
    this.troubleSince = Object.fromEntries(
      Object.keys(passing).map((name) => [name, known[name] ?? Date.now()]),
    );
    const lasts = (name) => Date.now() - this.troubleSince[name] > passing[name] * 1000;
    return messages.filter((message) => !message.passing.length || message.passing.some(lasts));
  }
}

// A sentence in parts, its instants as `instant` says.
export function inWords(parts, instant) {
  return parts.map((part) => (typeof part === "string" ? part : instant(part.at))).join("");
}

// That what is shown is not the present.
function pausedMessages({ view, at, pulse, missed, now, live_now }, clock) {
  const moment = clock.moment(now, live_now);
  const news = missed === null ? "" : `, ${missed} new event${missed === 1 ? "" : "s"}`;
  let text = `Looking back at ${moment}. Collection goes on.`;
  if (view.freeze) text = `Paused at ${moment}${news}. Collection goes on.`;
  else if (at === null) return [];
  else if (!pulse.recorded)
    text = `Looking back at ${moment}. Nothing was recorded at this moment: the dashboard was off, or no feed brought a price.`;
  return [{ kind: "paused", text, name: null }];
}

function noteOf(text, name = text) {
  return { kind: "note", text, name };
}

// Counts that never rest are for the eye: read out, they would never end.
function messageLine(close) {
  return h(
    "div",
    {},
    h("p", {}, h("span"), h("span", { "aria-hidden": "true" })),
    h("button", { type: "button", class: "close", "aria-label": "Dismiss", onclick: close }, "✕"),
  );
}

function correctMessage(line, { kind, text, counts = "", name }) {
  const [words, close] = line.children;
  mark(line, "data-kind", kind);
  mark(words, "role", kind === "note" ? null : "status");
  say(words.firstChild, text);
  say(words.lastChild, counts && ` ${counts}`);
  close.hidden = name === null;
}

// All that the status knows, in tables.
export class Details {
  constructor({ choose }) {
    this.tables = h("div", { class: "tables" });
    this.element = overlay("details", "Details", () => choose(opened("")), this.tables);
    const onclick = () => choose(opened(this.choices.details ? "" : "details"));
    this.button = h(
      "button",
      { class: "chip", type: "button", "aria-expanded": "false", onclick },
      "Details",
    );
  }

  draw(payload, { choices, clock }) {
    if (!payload.details || !choices.details) return;
    this.element.hidden = false;
    const moment = (second) => clock.moment(second, payload.live_now);
    keyed(
      this.tables,
      payload.details,
      (table) => table.name,
      (table) => h("div", {}, h("h3", {}, table.name), h("dl")),
      (block, table) => {
        keyed(
          block.lastChild,
          table.entries,
          ([name]) => name,
          () => h("div", {}, h("dt"), h("dd")),
          (pair, [name, value]) => {
            say(pair.firstChild, name);
            say(pair.lastChild, inWords([value], moment));
          },
        );
      },
    );
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.button, "aria-expanded", String(choices.details));
    if (!choices.details) this.element.hidden = true;
  }
}
