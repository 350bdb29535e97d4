// The kinds of the pulse's cells: what each is made of, and how it shows the value that it is sent.

import { h, linePath, mark, s, say } from "./elements.js";

const HOLE_BARS = 6; // ten-second bars further apart are not joined: the formulas do not either

// As sparks.py writes a line: the levels of a move, its middle, and a standard deviation.
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxy";
const BASELINE = 30;
const SIGMA = 10;

const nothing = () => [];

// `make` returns a cell's parts, `correct` shows a value in the cell.
export const KINDS = {
  name: {
    make: (toggle) => {
      const onclick = (event) => {
        event.stopPropagation();
        toggle();
      };
      const button = h("button", { type: "button", class: "symbol", onclick });
      return [button, vendorMark(), h("span", { class: "state" })];
    },
    correct: (cell, name) => say(cell.firstChild, name),
  },
  price: { make: nothing, correct: say },
  text: { make: nothing, correct: say },
  signed: { make: nothing, correct: sayTone },
  change: { make: nothing, correct: sayTone },
  heat: {
    make: () => [h("span"), h("small"), h("span", { class: "hidden" })],
    correct: (cell, [text, tone, note, rest]) => {
      const [figure, when, more] = cell.children;
      sayTone(figure, [text, tone]);
      say(when, note);
      say(more, rest);
      mark(cell, "title", rest || null);
    },
  },
  gauge: {
    make: () => [
      h("span", { class: "bar", "aria-hidden": "true" }, h("i")),
      h("small", { "aria-hidden": "true" }),
      h("span"),
      h("span", { class: "hidden" }),
    ],
    correct: (cell, [text, tone, filled, note, rest]) => {
      const [bar, aside, figure, more] = cell.children;
      const { left, width } = gauge(filled);
      bar.firstChild.style.setProperty("left", `${left}%`);
      bar.firstChild.style.setProperty("width", `${width}%`);
      mark(bar.firstChild, "data-tone", tone);
      say(aside, note);
      sayTone(figure, [text, tone]);
      say(more, rest);
      mark(cell, "title", text + rest || null);
    },
  },
  word: {
    make: nothing,
    correct: (cell, [text, isMarked]) => {
      say(cell, text);
      mark(cell, "data-marked", isMarked);
    },
  },
  spark: {
    make: () => {
      const shape = { viewBox: "-2 -4 93 68", preserveAspectRatio: "none", "aria-hidden": "true" };
      const session = h(
        "span",
        { class: "last-session" },
        h("span", { class: "word" }),
        h("span"),
        h("span", { class: "extremes" }),
      );
      const baseline = s("path", { class: "baseline", d: `M0 ${BASELINE}H89` });
      return [s("svg", shape, baseline, s("path")), session];
    },
    correct: (cell, text) => {
      const [baseline, line] = cell.firstChild.children;
      mark(baseline, "hidden", !text);
      mark(line, "d", sparkPath(text));
      mark(line, "data-tone", sparkTone(text));
    },
  },
  range: {
    make: () => [
      h("span", { class: "extent", "aria-hidden": "true" }, h("i")),
      h("span", { class: "hidden" }),
    ],
    correct: (cell, value) => {
      const [extent, words] = cell.children;
      const [text, place] = value ?? ["", 0];
      mark(extent, "hidden", value === null);
      extent.firstChild.style.setProperty("left", `${place * 100}%`);
      say(words, text);
      mark(cell, "title", text || null);
    },
  },
};

// Whose prices a row's are: a letter for the eye, the name for a pointer at rest and for a reader.
function vendorMark() {
  const letter = h("span", { "aria-hidden": "true" });
  return h("span", { class: "of", hidden: true }, letter, h("span", { class: "hidden" }));
}

export function correctVendor(element, vendor) {
  const [letter, name] = element.children;
  mark(element, "hidden", !vendor);
  mark(element, "title", vendor ? `Prices of ${vendor}` : null);
  say(letter, vendor?.[0] ?? "");
  say(name, vendor ? `of ${vendor}` : "");
}

function sayTone(element, [text, tone]) {
  say(element, text);
  mark(element, "data-tone", tone);
}

// Where a gauge's fill begins and how long it is, in percent: 0 is its middle, −1 and 1 its ends.
export function gauge(filled) {
  const width = Math.abs(filled) * 50;
  return { left: filled < 0 ? 50 - width : 50, width };
}

// The levels of a spark's characters; a blank is a hole.
function levels(text) {
  return Array.from(text, (level) => (level === " " ? null : ALPHABET.indexOf(level)));
}

// Its line, upwards, with holes.
export function sparkPath(text) {
  return linePath(
    levels(text),
    HOLE_BARS,
    (x) => x,
    (y) => 2 * BASELINE - y,
  );
}

// The tone of the move from its baseline to its end.
export function sparkTone(text) {
  const end = levels(text.trimEnd()).at(-1) ?? BASELINE;
  return Math.trunc((end - BASELINE) / SIGMA) + 0; // not −0
}
