// The kinds of numbers that cells of the pulse show.

import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, correctVendor, gauge, sparkPath } from "../../page/cells.js";

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
  const [fill, reach, aside, figure, more] = Array.from({ length: 5 }, () => new Element());
  const cell = new Element(new Element(fill, reach), aside, figure, more);
  return { cell, fill, reach, aside, figure, more };
}

test("a gauge shows the sign of its tone, not its strength", () => {
  const { cell, fill, figure } = gaugeParts();
  KINDS.gauge.correct(cell, ["−8.2 ×", -2, -0.75, -0.75, "", " its usual minute"]);
  assert.deepEqual(fill.properties, { left: "12.5%", width: "37.5%" });
  assert.deepEqual(attributes(fill), { "data-tone": "-1" });
  assert.deepEqual([figure.textContent, attributes(figure)], ["−8.2 ×", { "data-tone": "-2" }]);
});

test("a gauge marks what is remembered, and says the rest of its sentence", () => {
  const { cell, reach, aside, more } = gaugeParts();
  KINDS.gauge.correct(cell, ["+0.4 ×", 1, 0.1, -0.5, "3 min ago", " its usual minute"]);
  assert.deepEqual([reach.properties.left, attributes(reach)], ["25%", {}]);
  assert.deepEqual([aside.textContent, more.textContent], ["3 min ago", " its usual minute"]);
  assert.deepEqual(attributes(cell), { title: "+0.4 × its usual minute" });
  KINDS.gauge.correct(cell, ["", 0, 0, null, "", ""]);
  assert.deepEqual([attributes(reach), attributes(cell)], [{ hidden: "" }, {}]);
});

test("a word is marked or is not", () => {
  const cell = new Element();
  KINDS.word.correct(cell, ["volatile", true]);
  assert.deepEqual([cell.textContent, attributes(cell)], ["volatile", { "data-marked": "" }]);
  KINDS.word.correct(cell, ["calm", false]);
  assert.deepEqual([cell.textContent, attributes(cell)], ["calm", {}]);
});

test("a spark is a line upwards, with holes longer than a minute", () => {
  const hole = (bars) => Array.from({ length: bars }, () => null);
  assert.equal(sparkPath([0, 100, ...hole(5), 50]), "M0.0 100.0L0.0 100.0L1.0 0.0L7.0 50.0");
  assert.equal(sparkPath([0, ...hole(6), 50]), "M0.0 100.0L0.0 100.0M7.0 50.0L7.0 50.0");
  assert.equal(sparkPath([]), "");
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
