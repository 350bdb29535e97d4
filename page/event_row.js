// An event as a row of the card: who and by how much, for how long, and on request what it was held
// against and what can be done about it.

import { durationText, waitText } from "./clock.js";
import { h, keyed, mark, say } from "./elements.js";
import { inWords } from "./status.js";

export const MARKS = { watch: "●", alert: "▲", extreme: "◆" };

const HISTORY = "Found in the past hour when the dashboard started";
const EARLY = "Early: what is usual for it is not known from six hours of its own minutes yet";
const SNOOZES = [
  ["15 min", 900_000],
  ["1 h", 3_600_000],
];

export class EventRow {
  // `show` opens what it is of, `choose` asks for its detail; `acknowledge`, `snooze` and `mute` are
  // what can be done.
  constructor(actions) {
    Object.assign(this, actions);
    this.shape = h("span", { class: "shape", "aria-hidden": "true" });
    this.title = h("b");
    this.open = h(
      "button",
      { type: "button", class: "open", onclick: () => this.show(this.told) },
      ...[this.shape, this.title],
    );
    this.state = h("span", { class: "state" });
    this.about = h(
      "button",
      {
        type: "button",
        class: "about",
        "aria-expanded": "false",
        onclick: () => this.choose({ event: this.isOpen ? "" : this.event.id }),
      },
      "⋯",
    );
    this.brief = h("span");
    this.notes = h("span", { class: "meta" });
    this.more = h("p", { class: "more note" });
    this.element = h(
      "li",
      {},
      h("div", {}, this.open, this.state, this.about),
      h("p", {}, this.brief, this.notes),
      this.more,
    );
  }

  draw(event, payload, board, { isDone, isSnoozed, isMarked, isNew }) {
    const { now } = payload;
    const { clock, choices } = board;
    this.event = event;
    this.told = { id: event.id, symbol: event.symbol, ts: Math.floor(event.peak) };
    mark(this.element, "data-severity", event.severity);
    mark(this.element, "data-running", event.over_ts === null);
    mark(this.element, "data-done", isDone);
    mark(this.element, "data-marked", isMarked);
    mark(this.element, "data-new", isNew);
    say(this.shape, MARKS[event.severity]);
    say(this.title, event.title);
    mark(this.open, "title", `${event.text}.\nLook back at ${clock.long(event.peak)}`);
    mark(this.open, "aria-label", `${event.severity}: ${event.title}, look back at it`);
    say(this.state, stateText(event, now, clock));
    mark(this.state, "title", `From ${clock.full(event.ts, now)}`);
    mark(this.about, "aria-label", `About ${event.title}`);
    mark(this.about, "title", "What it was held against, and what can be done about it");
    say(this.brief, event.brief);
    const times = event.count > 1 && `×${event.count}`;
    const notes = [isDone && "acknowledged", isSnoozed && "snoozed", times];
    const found = [...notes, event.early && "early", event.history && "history"].filter(Boolean);
    say(this.notes, found.map((note) => ` · ${note}`).join(""));
    const why = [event.early && EARLY, event.history && HISTORY].filter(Boolean);
    mark(this.notes, "title", why.length ? `${why.join(". ")}.` : null);
    say(this.more, event.more);
    mark(this.more, "title", event.more || null);
    this.more.hidden = !event.more;
    this.isOpen = choices.event === event.id;
    mark(this.about, "aria-expanded", String(this.isOpen));
    if (this.isOpen) this.drawDetail(payload, clock, isDone);
    else this.closeDetail();
  }

  closeDetail() {
    this.detail?.remove();
    this.detail = null;
  }

  drawDetail({ event: found, now, alerts }, clock, isDone) {
    if (!this.detail) this.build();
    const rows = found?.id === this.event.id ? found.rows : [];
    keyed(
      this.facts,
      rows.map(([label, words], place) => ({ label, words, place })),
      ({ place }) => place,
      () => h("div", {}, h("dt"), h("dd")),
      (item, { label, words }) => {
        say(item.firstChild, label);
        say(
          item.lastChild,
          inWords(words, (second) => clock.full(second, now)),
        );
      },
    );
    say(this.done, isDone ? "Acknowledged" : "Acknowledge");
    mark(this.done, "aria-pressed", String(isDone));
    this.kinds = alerts.kinds;
  }

  build() {
    const button = (text, title, onclick) =>
      h("button", { type: "button", class: "chip", title, onclick }, text);
    this.facts = h("dl");
    this.done = button("", "Dealt with: told no more unless it becomes more severe", () =>
      this.acknowledge(this.event, this.done.getAttribute("aria-pressed") !== "true"),
    );
    const { symbol } = this.event;
    const snoozes = symbol
      ? SNOOZES.map(([text, ms]) =>
          button(`Snooze ${text}`, `Tell nothing of ${symbol} in this browser for ${text}`, () =>
            this.snooze(symbol, ms),
          ),
        )
      : [];
    this.muting = button(
      "Mute",
      "Send no alerts of it to anybody for a while",
      ({ currentTarget }) =>
        this.mute(currentTarget, this.element, mutable(this.event, this.kinds)),
    );
    this.muting.classList.add("mute");
    this.detail = h(
      "div",
      { class: "detail" },
      this.facts,
      h("div", { class: "chips" }, this.done, ...snoozes, this.muting),
    );
    this.element.append(this.detail);
  }
}

// How long it runs, or when it was and how long it lasted.
function stateText(event, now, clock) {
  const peak = clock.full(event.peak, now);
  if (event.over_ts === null) return `running ${briefly(now - event.ts)} · peak ${peak}`;
  return `${peak} · ${briefly(event.over_ts - event.ts)}`;
}

function briefly(seconds) {
  return seconds < 60 ? durationText(seconds) : waitText(seconds);
}

// What may be muted of an event, kinds by the words for them.
function mutable({ symbol, kind, rule }, kinds) {
  const alike = rule
    ? { of: "rule", name: rule, text: `the rule ${rule}` }
    : { of: "kind", name: kind, text: kinds[kind] ?? kind };
  return symbol ? [{ of: "symbol", name: symbol, text: symbol }, alike] : [alike];
}
