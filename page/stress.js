// The stress card: the events that pass the viewer's filter, the newest first.

import { h, keyed, mark, say } from "./elements.js";

export const SEVERITIES = ["watch", "alert", "extreme"];
export const CLASSES = ["stocks", "forex", "crypto"];
export const MARKS = { watch: "●", alert: "▲", extreme: "◆" };

// A peak so much later than the begin has a time of its own.
const LATER_SEC = 60;

const HISTORY = "Found in the past hour when the dashboard started";
const EARLY = "Early: what is usual for it is not known from six hours of its own minutes yet";

const FROM = { watch: "all", alert: "alert +", extreme: "extreme" };

// Whether an event passes the viewer's filter.
export function passes(event, { severity, events }) {
  const least = SEVERITIES.indexOf(severity);
  return SEVERITIES.indexOf(event.severity) >= least && events.includes(event.asset);
}

export class StressCard {
  constructor({ choose, lookAt, mute }) {
    Object.assign(this, { choose, lookAt, mute });
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
    this.older = h("li", { class: "older note", hidden: true });
    this.events = h(
      "ol",
      { class: "events", tabindex: "0", "aria-label": "Stress events, newest first" },
      this.older,
    );
    this.element = h(
      "section",
      { class: "card stress", "aria-label": "Stress" },
      h(
        "div",
        { class: "head" },
        h("h2", {}, "Stress"),
        h("div", { class: "chips" }, this.severity, ...this.classes),
      ),
      h("div", { class: "feed" }, this.empty, this.events, this.searching),
    );
  }

  toggle(name) {
    const { events } = this.choices;
    const chosen = CLASSES.filter((other) => events.includes(other) !== (other === name));
    this.choose({ events: chosen.length ? chosen : CLASSES });
  }

  draw(payload, { choices, clock }) {
    Object.assign(this, { choices });
    if (this.severity.value !== choices.severity) this.severity.value = choices.severity;
    this.classes.forEach((chip, place) => {
      mark(chip, "aria-pressed", String(choices.events.includes(CLASSES[place])));
    });
    const { events, alerts } = payload;
    this.kinds = alerts.kinds;
    const shown = events.shown.filter((event) => passes(event, choices));
    const older = events.passing - events.shown.length;
    this.searching.hidden = !payload.status.searching;
    const text = emptyText(payload, shown.length === 0);
    say(this.empty, text);
    this.empty.hidden = !text;
    say(this.older, older > 0 ? `${older} older ones` : "");
    this.older.hidden = older <= 0;
    keyed(
      this.events,
      shown,
      (event) => event.id,
      (event) => this.item(event),
      (item, event) => {
        correctItem(item, event, payload, clock);
      },
    );
  }

  item(event) {
    const onclick = () => this.lookAt(Math.floor(event.ts));
    const mute = ({ currentTarget: button }) =>
      this.mute(button, button.closest("li"), mutable(event, this.kinds));
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("span", { class: "severity" }),
        h("button", { type: "button", class: "link", onclick }),
        h("span", { class: "meta" }),
        h("button", { type: "button", class: "link mute", onclick: mute }, "Mute"),
      ),
      h("p", {}),
      h("p", { class: "more note" }),
    );
  }
}

// What may be muted of an event, kinds by the words for them.
function mutable({ symbol, kind, rule }, kinds) {
  const alike = rule
    ? { of: "rule", name: rule, text: `the rule ${rule}` }
    : { of: "kind", name: kind, text: kinds[kind] ?? kind };
  return symbol ? [{ of: "symbol", name: symbol, text: symbol }, alike] : [alike];
}

function correctItem(item, event, { view, reach, now, alerts }, clock) {
  mark(item, "data-severity", event.severity);
  const [severity, time, meta, mute] = item.firstChild.children;
  mute.hidden = !alerts.kinds;
  say(severity, `${MARKS[event.severity]} ${event.severity}`);
  say(time, clock.full(event.ts, now));
  mark(time, "title", `Look back at ${clock.long(event.ts)}`);
  time.disabled = view.freeze || event.ts < reach[0];
  const times = event.count > 1 && `×${event.count}`;
  const peak = event.peak - event.ts >= LATER_SEC && `peak ${clock.full(event.peak, now)}`;
  const notes = [times, peak, event.asset, event.early && "early", event.history && "history"];
  say(meta, notes.filter(Boolean).join(" · "));
  const why = [event.early && EARLY, event.history && HISTORY].filter(Boolean);
  mark(meta, "title", why.length ? `${why.join(". ")}.` : null);
  const [, text, more] = item.children;
  say(text, event.text);
  say(more, event.more);
  mark(more, "title", event.more || null);
  more.hidden = !event.more;
}

// Why no event is listed; empty if some are.
function emptyText({ status, pulse, events, at }, isEmpty) {
  let text = "";
  if (!pulse.trading && pulse.watched)
    text = events.all ? "" : "Every market is closed: nothing to judge.";
  else if (!pulse.priced)
    text = events.all ? "" : at === null ? "No price to judge yet." : "No price to judge.";
  else if (status.searching && isEmpty) text = "";
  else if (!events.all && pulse.warming.some(([name]) => name === "surprise"))
    text = "Still learning what is usual: too early to judge.";
  else if (!events.all) text = "Nothing unusual so far.";
  if (!text && events.all && isEmpty && !status.searching)
    return `None of ${events.all} events passes the filter.`;
  return text;
}
