// The kinds of numbers that cells of the pulse show.

import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, correctVendor, gauge, sparkPath, sparkTone } from "../../page/cells.js";

// As much of an element as a cell needs.
class Element {
  attributes = new Map();
  children = [];
  textContent = "";

  constructor(...children) {
    this.children = children;
    const properties = (this.properties = {});
    this.style = { setProperty: (name, value) => (properties[name] = value) };
  }

  get firstChild() {
    return this.children[0];
  }

  get lastChild() {
    return this.children.at(-1);
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }
}

const attributes = (element) => Object.fromEntries(element.attributes);

test("a signed number has its tone", () => {
  const cell = new Element();
  KINDS.signed.correct(cell, ["+1.20 %", 2]);
  assert.equal(cell.textContent, "+1.20 %");
  assert.deepEqual(attributes(cell), { "data-tone": "2" });
  KINDS.signed.correct(cell, ["–", 0]);
  assert.deepEqual([cell.textContent, attributes(cell)], ["–", { "data-tone": "0" }]);
});

test("a gauge fills from its middle to either end", () => {
  assert.deepEqual(gauge(0), { left: 50, width: 0 });
  assert.deepEqual(gauge(0.5), { left: 50, width: 25 });
  assert.deepEqual(gauge(-0.5), { left: 25, width: 25 });
  assert.deepEqual(gauge(1), { left: 50, width: 50 });
  assert.deepEqual(gauge(-1), { left: 0, width: 50 });
});

// The parts of a gauge: its cell, then what is corrected in it.
function gaugeParts() {
  const [fill, aside, figure, more] = Array.from({ length: 4 }, () => new Element());
  const cell = new Element(new Element(fill), aside, figure, more);
  return { cell, fill, aside, figure, more };
}

test("a gauge fills, and says the rest of its sentence", () => {
  const { cell, fill, aside, figure, more } = gaugeParts();
  KINDS.gauge.correct(cell, ["−8.2 ×", -3, -0.75, "99.8 %", " its usual minute"]);
  assert.deepEqual(fill.properties, { "clip-path": "inset(0 50% 0 12.5%)" });
  assert.deepEqual(attributes(fill), { "data-tone": "-3" });
  assert.deepEqual([figure.textContent, attributes(figure)], ["−8.2 ×", { "data-tone": "-3" }]);
  assert.deepEqual([aside.textContent, more.textContent], ["99.8 %", " its usual minute"]);
  assert.deepEqual(attributes(cell), { title: "−8.2 × its usual minute" });
  KINDS.gauge.correct(cell, ["", 0, 0, "", ""]);
  assert.deepEqual(attributes(cell), {});
});

test("a heat says what was, when, and how rare that is", () => {
  const [figure, when, more] = [new Element(), new Element(), new Element()];
  const cell = new Element(figure, when, more);
  const rest = "2 min ago: a fall rarer than 99.9 %";
  KINDS.heat.correct(cell, ["−8.1σ", -3, "2 min ago", rest]);
  assert.deepEqual([figure.textContent, attributes(figure)], ["−8.1σ", { "data-tone": "-3" }]);
  assert.deepEqual([when.textContent, more.textContent], ["2 min ago", rest]);
  assert.deepEqual(attributes(cell), { title: rest });
  KINDS.heat.correct(cell, ["+0.4σ", 0, "now", ""]);
  assert.deepEqual([more.textContent, attributes(cell)], ["", {}]);
});

test("a word is marked or is not", () => {
  const cell = new Element();
  KINDS.word.correct(cell, ["volatile", true]);
  assert.deepEqual([cell.textContent, attributes(cell)], ["volatile", { "data-marked": "" }]);
  KINDS.word.correct(cell, ["calm", false]);
  assert.deepEqual([cell.textContent, attributes(cell)], ["calm", {}]);
});

test("a spark is a line upwards, with holes longer than a minute", () => {
  assert.equal(sparkPath("0y     U"), "M0.0 60.0L0.0 60.0L1.0 0.0L7.0 30.0");
  assert.equal(sparkPath("0      U"), "M0.0 60.0L0.0 60.0M7.0 30.0L7.0 30.0");
  assert.equal(sparkPath(""), "");
});

test("a spark has the tone of its move", () => {
  const tones = ["", "0", "UUd", "UUe  ", "UL", "UKy", "U0"].map(sparkTone);
  assert.deepEqual(tones, [0, -3, 0, 1, 0, 3, -3]);
});

test("a range shows the place of the mark, and says it in words", () => {
  const [at, words] = [new Element(), new Element()];
  const extent = new Element(at);
  const cell = new Element(extent, words);
  KINDS.range.correct(cell, ["83.10 – 84.20", 0.25]);
  assert.equal(at.properties.left, "25%");
  assert.equal(words.textContent, "83.10 – 84.20");
  assert.deepEqual([attributes(extent), attributes(cell)], [{}, { title: "83.10 – 84.20" }]);
  KINDS.range.correct(cell, null);
  assert.equal(words.textContent, "");
  assert.deepEqual([attributes(extent), attributes(cell)], [{ hidden: "" }, {}]);
});

test("a vendor is a letter for the eye and a name for a reader", () => {
  const mark = new Element(new Element(), new Element());
  correctVendor(mark, "Kraken");
  assert.deepEqual(
    mark.children.map((part) => part.textContent),
    ["K", "of Kraken"],
  );
  assert.equal(mark.getAttribute("title"), "Prices of Kraken");
  assert.equal(mark.getAttribute("hidden"), null);
  correctVendor(mark, undefined);
  assert.deepEqual(
    mark.children.map((part) => part.textContent),
    ["", ""],
  );
  assert.equal(mark.getAttribute("title"), null);
  assert.notEqual(mark.getAttribute("hidden"), null);
});
