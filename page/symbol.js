// The sheet of the symbol that is opened: its chart, its figures in plain words, its events, what it
// moves with, and the rules about it.

import { link } from "./address.js";
import { Chart } from "./chart.js";
import { drawPairs, shutText } from "./correlations.js";
import { h, keyed, mark, say } from "./elements.js";
import { MARKS } from "./event_row.js";
import { Tools } from "./sheet_tools.js";
import { Watching } from "./sheet_watching.js";
import { stateText } from "./table.js";

const SAID_MS = 4000;

export class SymbolCard {
  constructor(actions) {
    Object.assign(this, actions);
    this.element = h("section", {
      class: "sheet opened",
      role: "dialog",
      "aria-modal": "false",
      tabindex: "-1",
      hidden: true,
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.open("");
    });
  }

  // Have the keyboard go on in it when it is next drawn.
  reveal(takesFocus) {
    this.takesFocus = takesFocus;
  }

  draw(payload, board) {
    const { opened, unlisted, chart, now, alerts, watch } = payload;
    const { choices, clock } = board;
    Object.assign(this, { payload, choices, clock });
    const isSent = opened?.symbol === choices.symbol && chart?.lines[0]?.symbol === choices.symbol;
    if (choices.symbol && unlisted?.symbol === choices.symbol) this.drawUnlisted(unlisted, watch);
    if (!choices.symbol || !isSent) return;
    this.unfold(opened.symbol, true);
    this.watching.draw(opened.symbol, watch, null);
    say(this.last, opened.last);
    const [day, tone] = opened.day;
    say(this.day, day && `${day} today`);
    mark(this.day, "data-tone", tone);
    say(this.state, stateText(opened, clock, now));
    say(this.muting, alerts.muted.includes(opened.symbol) ? "Muted" : "Mute");
    this.tools.draw(choices, opened.others);
    this.chart.draw(chart, choices.unit, payload.at, clock);
    this.drawWords(opened, now);
    this.drawEvents(opened.events, now);
    say(this.empty, opened.shut ? shutText(opened.shut, clock, now) : opened.missing);
    this.empty.hidden = opened.top.length > 0;
    drawPairs(this.pairs, opened.top);
    this.drawSure(opened.top);
    this.drawRules(opened.rules);
    this.takeFocus();
  }

  // Only how it could be watched again: a symbol that is not any more, or has no row yet.
  drawUnlisted(unlisted, watch) {
    this.unfold(unlisted.symbol, false);
    for (const part of [this.last, this.day, this.state]) say(part, "");
    this.watching.draw(unlisted.symbol, watch, unlisted);
    this.takeFocus();
  }

  // Show it, with all that is known of its symbol or only how that is watched.
  unfold(symbol, isListed) {
    if (this.symbol !== symbol) this.build(symbol);
    this.element.hidden = false;
    this.body.hidden = this.doing.hidden = !isListed;
  }

  takeFocus() {
    if (!this.takesFocus) return;
    this.takesFocus = false;
    this.title.focus({ preventScroll: true });
  }

  drawChoices({ choices }) {
    this.choices = choices;
    if (!choices.symbol) {
      this.element.hidden = true;
      this.takesFocus = false;
    }
    if (this.symbol) this.tools.drawChoices(choices);
  }

  drawWords({ words, figures }, now) {
    keyed(
      this.words,
      words.map((text, place) => ({ text, place })),
      ({ place }) => place,
      () => h("li"),
      (item, { text }) => {
        say(item, sentence(text, this.clock, now));
      },
    );
    keyed(
      this.figures,
      figures,
      ({ name }) => name,
      figureItem,
      (item, figure) => {
        correctFigure(item, figure, sentence(figure.words, this.clock, now));
      },
    );
    this.figuresTitle.hidden = !figures.length;
  }

  drawEvents(events, now) {
    keyed(
      this.events,
      events,
      ({ id }) => id,
      ({ id }) => {
        const onclick = () =>
          this.showEvent(this.payload.opened.events.find((one) => one.id === id));
        const button = h("button", { type: "button", class: "link", onclick });
        return h("li", {}, h("span", { class: "severity" }), button, h("p"));
      },
      (item, { ts, severity, text }) => {
        mark(item, "data-severity", severity);
        const [sign, time, words] = item.children;
        say(sign, MARKS[severity]);
        mark(sign, "title", severity);
        say(time, this.clock.full(ts, now));
        say(words, text);
      },
    );
    this.none.hidden = events.length > 0;
  }

  drawSure(pairs) {
    keyed(
      this.sure.lastChild,
      pairs,
      ({ symbol }) => symbol,
      () => h("li"),
      (item, { symbol, text, range, n, doubtful }) => {
        const sure = `${symbol}: r ${text}, surely from ${range}, of ${n} shared returns.`;
        say(item, doubtful ? `${sure} ${doubtful}` : sure);
      },
    );
    this.sure.hidden = !pairs.length;
  }

  drawRules(rules) {
    keyed(
      this.rules,
      rules,
      ({ name }) => name,
      ({ name }) => {
        const things = [{ of: "rule", name, text: `the rule ${name}` }];
        const onclick = ({ currentTarget }) =>
          this.mute(currentTarget, currentTarget.parentNode, things);
        const button = h("button", { type: "button", class: "link hush", onclick }, "Mute");
        return h("li", {}, h("b"), h("span"), button);
      },
      (item, { name, text }) => {
        const [title, words] = item.children;
        say(title, name);
        say(words, ` ${text} `);
      },
    );
    this.noRules.hidden = rules.length > 0;
  }

  // Show an event at its peak, with its row marked; it may be a twin's, whose sheet is another.
  showEvent({ id, peak }) {
    this.show({ id, symbol: this.symbol, ts: Math.floor(peak) });
  }

  // The address of what is shown at this very second, for somebody else.
  // Its name is none of the actions': theirs copies the view, without a second.
  async copyMoment() {
    const { choices, payload } = this;
    const at = choices.at ?? payload.at ?? Math.floor(payload.now);
    const text = link({ ...choices, at }, payload.first);
    try {
      await navigator.clipboard.writeText(text);
      this.linkField.hidden = true;
      this.tell("Copied");
    } catch {
      // Not every browser lets a page write there: then the viewer copies it.
      this.linkField.hidden = false;
      this.linkField.value = text;
      this.linkField.select();
      this.tell("Copy it from here");
    }
  }

  tell(text) {
    say(this.told, text);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => say(this.told, ""), SAID_MS);
  }

  build(symbol) {
    this.symbol = symbol;
    this.tools = new Tools(this.choose);
    this.chart = new Chart({
      show: (event) => this.showEvent(event),
      lookAt: (second) => this.lookAt(second),
    });
    mark(this.element, "aria-label", symbol);
    this.title = h("h2", { tabindex: "-1" }, symbol);
    this.last = h("span", { class: "last" });
    this.day = h("span", { class: "day" });
    this.state = h("span", { class: "note" });
    this.watching = new Watching(this);
    this.words = h("ul", { class: "words" });
    this.figuresTitle = h("h3", {}, "In figures");
    this.figures = h("div", { class: "figures" });
    this.events = h("ol", { class: "told" });
    this.none = h("p", { class: "note" }, "Nothing unusual in its last hour.");
    this.empty = h("p", { class: "empty" });
    this.pairs = h("ol", { class: "pairs" });
    this.sure = h("details", { class: "sure note" }, h("summary", {}, "How surely"), h("ul"));
    this.rules = h("ul", { class: "rules" });
    this.noRules = h("p", { class: "note" }, "None of your rules is about it.");
    this.body = h(
      "div",
      { class: "about" },
      this.tools.element,
      this.chart.element,
      this.words,
      ...[this.figuresTitle, this.figures],
      ...[h("h3", {}, "Events of the hour"), this.none, this.events],
      ...[h("h3", {}, "Moves with"), this.empty, this.pairs, this.sure],
      ...[h("h3", {}, "Your rules"), this.noRules, this.rules],
    );
    this.element.replaceChildren(this.head(symbol), this.watching.element, this.body);
    this.element.scrollTop = 0;
  }

  head(symbol) {
    const things = [{ of: "symbol", name: symbol, text: symbol }];
    const mute = ({ currentTarget }) => this.mute(currentTarget, currentTarget.parentNode, things);
    const muteTitle = "Send no alerts of it for a while";
    const linkTitle = "Copy the address of this second, without sound and notifications";
    const button = (kind, attributes, text) =>
      h("button", { type: "button", class: `chip ${kind}`, ...attributes }, text);
    this.muting = button("mute", { title: muteTitle, onclick: mute }, "Mute");
    this.told = h("span", { class: "note", role: "status" });
    this.linkField = h("input", {
      class: "link-text",
      readonly: true,
      hidden: true,
      "aria-label": "Link to this moment",
    });
    this.doing = h(
      "div",
      { class: "doing" },
      button(
        "copy",
        { title: linkTitle, onclick: () => this.copyMoment() },
        "Copy link to this moment",
      ),
      ...[this.muting, this.told, this.linkField],
    );
    return h(
      "div",
      { class: "head" },
      h("div", { class: "name" }, this.title, this.last, this.day, this.state),
      button("close", { "aria-label": "Close", onclick: () => this.open("") }, "✕"),
      this.doing,
    );
  }
}

function figureItem() {
  return h(
    "details",
    { class: "figure" },
    h(
      "summary",
      {},
      h("span", { class: "label" }),
      h("b"),
      h("span", { class: "way", "aria-hidden": "true" }, h("i")),
      h("span", { class: "plain" }),
    ),
    h("p", { class: "note formula" }),
  );
}

function correctFigure(item, { name, value, tone, formula, place }, words) {
  const [label, figure, way, plain] = item.firstChild.children;
  say(label, name);
  say(figure, value);
  mark(figure, "data-tone", tone);
  way.hidden = place === null;
  way.firstChild.style.left = `${(place ?? 0) * 100}%`;
  say(plain, words);
  say(item.lastChild, formula);
}

// A sentence, with its instants in the viewer's zone.
export function sentence(words, clock, now) {
  if (typeof words === "string") return words;
  const at = [...words.at];
  return words.text.replaceAll("{}", () => clock.brief(at.shift(), now));
}
