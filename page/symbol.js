// The card of the symbol that is opened: its hour, its figures in words, and what it moves with.

import { Chart } from "./chart.js";
import { drawPairs, shutText } from "./correlations.js";
import { h, keyed, say } from "./elements.js";
import { stateText } from "./pulse.js";

export class SymbolCard {
  constructor({ open, mute }) {
    Object.assign(this, { open, mute });
    this.element = h("section", { class: "card opened", "aria-label": "Symbol", hidden: true });
  }

  // Scroll to it when it is next drawn.
  reveal() {
    this.shouldReveal = true;
  }

  draw({ opened, now, alerts }, { choices, clock }) {
    if (!choices.symbol || opened?.symbol !== choices.symbol) return;
    if (this.symbol !== opened.symbol) this.build(opened.symbol);
    this.element.hidden = false;
    this.muting.hidden = !alerts.kinds;
    say(this.muting, alerts.muted.includes(opened.symbol) ? "Muted" : "Mute");
    say(this.state, `${opened.last} · ${stateText(opened, clock, now)}`);
    this.chart.draw(opened, clock);
    const lines = opened.words.map((words, place) => ({ words, place }));
    keyed(
      this.words,
      lines,
      (line) => line.place,
      () => h("li"),
      (item, { words }) => {
        say(item, sentence(words, clock, now));
      },
    );
    say(this.empty, opened.shut ? shutText(opened.shut, clock, now) : opened.missing);
    this.empty.hidden = opened.top.length > 0;
    drawPairs(this.pairs, opened.top);
    if (this.shouldReveal) {
      this.shouldReveal = false;
      this.element.scrollIntoView({ block: "nearest" });
    }
  }

  drawChoices({ choices }) {
    if (!choices.symbol) this.element.hidden = true;
  }

  build(symbol) {
    this.symbol = symbol;
    this.chart = new Chart();
    this.state = h("span", { class: "note" });
    this.words = h("ul", { class: "words" });
    this.empty = h("p", { class: "empty" });
    this.pairs = h("ol", { class: "pairs" });
    const onclick = () => this.open("");
    const things = [{ of: "symbol", name: symbol, text: symbol }];
    const mute = ({ currentTarget: button }) => this.mute(button, button.parentNode, things);
    const about = { type: "button", class: "chip mute", title: "Send no alerts of it for a while" };
    this.muting = h("button", { ...about, onclick: mute }, "Mute");
    this.element.replaceChildren(
      h(
        "div",
        { class: "head" },
        h("h2", {}, symbol),
        this.state,
        this.muting,
        h("button", { type: "button", class: "chip close", "aria-label": "Close", onclick }, "✕"),
      ),
      this.chart.element,
      this.words,
      h("h3", {}, "Moves with"),
      this.empty,
      this.pairs,
    );
  }
}

// A sentence, with its instants in the viewer's zone.
export function sentence(words, clock, now) {
  if (typeof words === "string") return words;
  const at = [...words.at];
  return words.text.replaceAll("{}", () => clock.brief(at.shift(), now));
}
