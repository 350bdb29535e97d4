// The headline: one sentence on the one thing that matters now, and how broadly each class moves; in
// the same place, what a viewer missed who comes back.

import { h, keyed, mark, say } from "./elements.js";
import { inWords } from "./status.js";

const SIGNS = [
  ["up", "▲"],
  ["down", "▼"],
];

export class Headline {
  // `show` opens what an event is of; `see` shows what was missed, `dismiss` leaves it.
  constructor({ show, see, dismiss }) {
    this.lead = h("button", { type: "button", class: "lead", onclick: () => show(this.told) });
    this.plain = h("span", { class: "rest" });
    this.breadth = h("span", { class: "breadth" });
    this.sentence = h("p", {}, this.lead, this.plain, this.breadth);
    this.missed = h("button", { type: "button", class: "missed", onclick: see });
    this.leave = h(
      "button",
      { type: "button", class: "close", "aria-label": "Dismiss", onclick: dismiss },
      "✕",
    );
    this.away = h("p", { class: "away", role: "status" }, this.missed, this.leave);
    this.element = h(
      "section",
      { class: "headline", "aria-label": "Headline" },
      this.sentence,
      this.away,
    );
  }

  draw({ headline }) {
    const { lead, rest, hover, symbol, event, ts, severity, rises, breadth } = headline;
    this.told = { id: event, symbol, ts };
    say(this.lead, lead);
    this.lead.hidden = !lead;
    mark(this.lead, "data-severity", severity || null);
    mark(this.lead, "data-tone", rises === null ? null : rises ? 1 : -1);
    const counted = breadth.map(breadthText).join(" · ");
    const whole = [[lead, rest].filter(Boolean).join(" "), counted].filter(Boolean).join(" · ");
    this.renew(whole);
    say(this.plain, lead ? ` ${rest}` : rest);
    keyed(
      this.breadth,
      breadth,
      ({ asset }) => asset,
      ({ asset }) => h("span", {}, ` · ${asset} `, h("span", { class: "counts" })),
      (item, counts) => correctCounts(item.lastChild, counts),
    );
    mark(this.element, "title", [whole, hover].filter(Boolean).join("\n"));
  }

  // Another sentence is not the one before in other places: its parts are made anew.
  renew(whole) {
    if (this.whole === whole) return;
    this.whole = whole;
    for (const name of ["plain", "breadth"]) {
      const fresh = this[name].cloneNode();
      this[name].replaceWith(fresh);
      this[name] = fresh;
    }
  }

  // What happened since a second was `asked` for; nothing while that is null, or not answered.
  drawMissed(since, asked, clock) {
    const isAnswer = since && asked !== null && since.since === asked;
    const text = isAnswer ? missedText(since, clock) : "";
    say(this.missed, text);
    mark(this.missed, "title", text && "Show them");
    mark(this.element, "data-away", text !== "");
  }
}

function correctCounts(element, counts) {
  const parts = counts.word
    ? [["word", counts.word]]
    : SIGNS.filter(([way]) => counts[way]).map(([way, sign]) => [way, `${counts[way]}${sign}`]);
  keyed(
    element,
    parts,
    ([way]) => way,
    ([way]) => h("span", { "data-way": way }),
    (one, [, text]) => say(one, text),
  );
}

function breadthText({ asset, up, down, word }) {
  return `${asset} ${word || [up && `${up} up`, down && `${down} down`].filter(Boolean).join(", ")}`;
}

function missedText({ begin, events, movers }, clock) {
  const words = inWords(begin, (second) => clock.text(second).slice(0, 5));
  return words + [events, ...movers.map(({ text }) => text)].join(", ");
}
