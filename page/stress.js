// The card of what is happening now: the events that go on, then those that are over, as far as they
// pass the viewer's filter.

import { durationText } from "./clock.js";
import { gliding, h, keyed, mark, say } from "./elements.js";
import { EventRow } from "./event_row.js";

export const SEVERITIES = ["watch", "alert", "extreme"];
export const CLASSES = ["stocks", "forex", "crypto"];

const FROM = { watch: "all events", alert: "alert +", extreme: "extreme" };
const EARLIER = "earlier";

// Whether an event passes the viewer's filter.
export function passes(event, { severity, events }) {
  const least = SEVERITIES.indexOf(severity);
  return SEVERITIES.indexOf(event.severity) >= least && events.includes(event.asset);
}

export class StressCard {
  constructor({ choose, show, mute, silence }, remembered) {
    Object.assign(this, { choose, show, mute, silence, remembered });
    this.severity = h(
      "select",
      { "aria-label": "Least severity", onchange: () => choose({ severity: this.severity.value }) },
      ...SEVERITIES.map((name) => h("option", { value: name }, FROM[name])),
    );
    this.classes = CLASSES.map((name) =>
      h("button", { type: "button", class: "chip", onclick: () => this.toggle(name) }, name),
    );
    this.empty = h("p", { class: "empty" });
    this.searching = h("p", { class: "searching note" }, "Still looking through the past hour");
    this.snoozed = h("ul", { class: "snoozed", "aria-label": "Snoozed in this browser" });
    this.events = h("div", {
      class: "events",
      tabindex: "0",
      role: "region",
      "aria-label": "Events",
    });
    this.build();
    this.element = h(
      "section",
      { class: "card stress", "aria-label": "Happening now" },
      h(
        "div",
        { class: "head" },
        h("h2", {}, "Happening now"),
        h("div", { class: "chips" }, this.severity, ...this.classes),
      ),
      h("div", { class: "feed" }, this.empty, this.events, this.searching),
    );
    this.isInView = false;
    this.view = new IntersectionObserver(
      ([{ isIntersecting }]) => {
        this.isInView = isIntersecting;
      },
      { threshold: 0.5 },
    );
    this.view.observe(this.events);
  }

  build() {
    this.running = h("ol", { class: "running", "aria-label": "Running" });
    this.fold = h("button", { type: "button", class: "fold", onclick: () => this.toggleFold() });
    this.earlier = h("ol", { class: EARLIER, "aria-label": "Earlier, newest first" });
    this.older = h("button", { type: "button", class: "link older", onclick: () => this.askAll() });
    const parts = [this.snoozed, this.running, this.fold, this.earlier, this.older];
    this.events.replaceChildren(...parts);
  }

  close() {
    this.view.disconnect();
  }

  toggle(name) {
    const { events } = this.choices;
    const chosen = CLASSES.filter((other) => events.includes(other) !== (other === name));
    this.choose({ events: chosen.length ? chosen : CLASSES });
  }

  toggleFold() {
    this.remembered.fold(EARLIER, !this.remembered.isFolded(EARLIER));
    this.redraw();
  }

  askAll() {
    this.choose({ earlier: true });
  }

  // Mark the row of an event, and bring it into view as soon as it is listed.
  mark(id) {
    Object.assign(this, { marked: id, sought: id });
    if (id) this.remembered.fold(EARLIER, false);
    this.redraw();
  }

  // Mark what began at an instant or later.
  markSince(since) {
    this.since = since;
    this.remembered.fold(EARLIER, false);
    this.choose({ earlier: true });
    this.events.scrollTo({ top: 0 });
    this.element.scrollIntoView({ block: "nearest" });
  }

  draw(payload, board) {
    Object.assign(this, { payload, board, choices: board.choices });
    this.redraw();
  }

  redraw() {
    const { payload, board, choices } = this;
    if (this.severity.value !== choices.severity) this.severity.value = choices.severity;
    this.classes.forEach((chip, place) => {
      mark(chip, "aria-pressed", String(choices.events.includes(CLASSES[place])));
    });
    const { events } = payload;
    const passing = (event) => passes(event, choices);
    const running = events.running.filter(passing);
    const earlier = events.earlier.filter(passing);
    this.searching.hidden = !payload.status.searching;
    const text = emptyText(payload, running.length + earlier.length === 0);
    say(this.empty, text);
    this.empty.hidden = !text;
    const names = [running, earlier].map((list) => list.map(({ id, more }) => id + Boolean(more)));
    const key = names.join("|");
    const drawLists = () => {
      this.drawSnoozed();
      this.drawRows(this.running, running);
      this.drawFold(events, earlier);
    };
    // While moments pass another list is not the one before in other places: it is made anew.
    if (key !== this.key && board.isPassing) this.build();
    // Further down the browser itself keeps what is read in its place.
    if (key === this.key || board.isPassing || this.events.scrollTop) drawLists();
    else gliding(this.events, drawLists);
    this.key = key;
    if (!board.choices.event) this.opened = null;
  }

  drawFold({ earlier_count: count, earlier: sent }, earlier) {
    const isFolded = this.remembered.isFolded(EARLIER);
    this.fold.hidden = !count;
    mark(this.fold, "aria-expanded", String(!isFolded));
    say(this.fold, `Earlier ${isFolded ? "▸" : "▾"} ${count}`);
    this.earlier.hidden = isFolded;
    this.drawRows(this.earlier, earlier);
    const left = count - sent.length;
    const isAll = this.choices.earlier;
    say(this.older, isAll ? `${left} older ones are in the archive` : `Show ${left} more`);
    this.older.disabled = isAll;
    this.older.hidden = isFolded || left <= 0;
  }

  drawRows(list, events) {
    const { show, choose, mute, remembered } = this;
    const actions = { show, choose, mute, acknowledge: (...what) => this.acknowledge(...what) };
    actions.snooze = (...what) => this.snooze(...what);
    keyed(
      list,
      events,
      ({ id }) => id,
      () => {
        const row = new EventRow(actions);
        row.element.row = row;
        return row.element;
      },
      ({ row }, event) => {
        row.draw(event, this.payload, this.board, {
          isDone: remembered.isDone(event),
          isSnoozed: remembered.isSnoozed(event.symbol, Date.now()),
          isMarked: event.id === this.marked,
          isNew: this.since !== undefined && event.ts >= this.since,
        });
        if (event.id !== this.sought || list.hidden) return;
        this.sought = null;
        row.element.scrollIntoView({ block: "nearest" });
      },
    );
  }

  drawSnoozed() {
    const now = Date.now();
    keyed(
      this.snoozed,
      this.remembered.snoozes(now),
      ([symbol]) => symbol,
      ([symbol]) =>
        h(
          "li",
          {},
          h("span"),
          h(
            "button",
            {
              type: "button",
              class: "link",
              title: `Tell of ${symbol} again`,
              onclick: () => this.snooze(symbol, 0),
            },
            "Lift",
          ),
        ),
      (item, [symbol, until]) =>
        say(item.firstChild, `${symbol} snoozed for ${durationText((until - now) / 1000)}`),
    );
  }

  acknowledge(event, isDone) {
    this.remembered.acknowledge(event, isDone);
    this.silence();
    this.redraw();
  }

  snooze(symbol, forMs) {
    const now = Date.now();
    this.remembered.snooze(symbol, now + forMs, now);
    this.silence();
    this.redraw();
  }
}

// Why no event is listed; empty if some are. What is not judged yet is what the headline says is not.
export function emptyText({ status, pulse, events, headline, at }, isEmpty) {
  const words = headline.breadth.map(({ word }) => word);
  const isJudged = words.some((word) => word === "" || word === "quiet");
  let text = "";
  if (!pulse.trading && pulse.watched)
    text = events.all ? "" : "Every market is closed: nothing to judge.";
  else if (!pulse.priced)
    text = events.all ? "" : at === null ? "No price to judge yet." : "No price to judge.";
  else if (status.searching && isEmpty) text = "";
  else if (!events.all && isJudged) text = "Nothing unusual so far.";
  else if (!events.all && words.includes("learning"))
    text = "Still learning what is usual: too early to judge.";
  else if (!events.all) text = "No new price to judge.";
  if (!text && events.all && isEmpty && !status.searching)
    return `None of ${events.all} events passes the filter.`;
  return text;
}
