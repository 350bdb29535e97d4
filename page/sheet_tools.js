// What the chart of the sheet shows: its span, what the symbol is compared with, and in which unit.

import { h, keyed, mark, say } from "./elements.js";

const SPANS = { "15m": "15 min", "1h": "1 h", day: "Day" };
const UNITS = { sigma: "σ", percent: "%" };
const UNIT_TITLES = {
  sigma: "In the usual moves of each for the whole span",
  percent: "In percent since the span began",
};
const MOST_COMPARED = 2;

export class Tools {
  constructor(choose) {
    this.choose = choose;
    this.build();
  }

  draw(choices, others) {
    this.choices = choices;
    this.drawCompared(others);
  }

  // What is chosen, before the server has answered.
  drawChoices(choices) {
    this.choices = choices;
    const { span, unit, compare } = this.choices;
    for (const [name, chip] of this.spans) mark(chip, "aria-pressed", String(name === span));
    for (const [name, chip] of this.units) mark(chip, "aria-pressed", String(name === unit));
    this.unitGroup.hidden = !compare.length;
    this.more.disabled = compare.length >= MOST_COMPARED;
  }

  // What it is compared with, each with a button that takes it away, and what else it could be.
  drawCompared(others) {
    // It may be one of them itself, by a link or since it was opened.
    const compare = this.choices.compare.filter((name) => others.includes(name));
    keyed(
      this.compared,
      compare,
      (name) => name,
      (name) => {
        const onclick = () =>
          this.choose({ compare: this.choices.compare.filter((each) => each !== name) });
        const label = `Compare with ${name} no longer`;
        return h("button", { type: "button", class: "chip", onclick, "aria-label": label });
      },
      (chip, name) => {
        mark(chip, "data-series", compare.indexOf(name) + 2);
        say(chip, `${name} ✕`);
      },
    );
    const offered = others.filter((name) => !compare.includes(name)).join("\n");
    if (offered === this.offered) return;
    this.offered = offered;
    this.more.replaceChildren(
      h("option", { value: "" }, "Compare with…"),
      ...offered.split("\n").map((name) => h("option", { value: name }, name)),
    );
  }

  build() {
    const chips = (names, field, titles = {}) =>
      Object.entries(names).map(([name, text]) => {
        const onclick = () => this.choose({ [field]: name });
        const title = titles[name];
        return [name, h("button", { type: "button", class: "chip", title, onclick }, text)];
      });
    this.spans = chips(SPANS, "span");
    this.units = chips(UNITS, "unit", UNIT_TITLES);
    const group = (label, found) =>
      h(
        "div",
        { class: "chips", role: "group", "aria-label": label },
        ...found.map(([, one]) => one),
      );
    this.unitGroup = group("Unit", this.units);
    this.compared = h("div", { class: "chips compared", role: "group", "aria-label": "Compared" });
    this.more = h("select", {
      "aria-label": "Compare with",
      onchange: () => {
        const { value } = this.more;
        this.more.value = "";
        const { compare } = this.choices;
        if (value && compare.length < MOST_COMPARED) this.choose({ compare: [...compare, value] });
      },
    });
    this.element = h(
      "div",
      { class: "tools" },
      ...[group("Span", this.spans), this.compared, this.more, this.unitGroup],
    );
  }
}
