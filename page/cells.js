// The kinds of the pulse's cells: what each is made of, how it shows the value that it is sent, and what
// that value is in words.

import { h, linePath, mark, s, say } from "./elements.js";

const HOLE_BARS = 6; // ten-second bars further apart are not joined: the formulas do not either

// A spark is a text with a letter for each of its ten seconds: its level, the middle one is where it began.
const LEVELS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".slice(0, 61);
const BASELINE = 30;
const LEVELS_OF_SIGMA = 10;

const nothing = () => [];
const asText = (text) => text;
const firstPart = ([text]) => text;

// `make` returns a cell's parts, `correct` shows a value in the cell, `words` says it.
export const KINDS = {
  name: {
    make: (toggle) => {
      const onclick = (event) => {
        event.stopPropagation();
        toggle(event);
      };
      const button = h("button", { type: "button", class: "symbol", onclick });
      const held = h("i", { class: "held", hidden: true });
      return [
        held,
        button,
        vendorMark(),
        // Copied or read out, the two are not one word.
        " ",
        h("span", { class: "state" }),
        h("span", { class: "news" }),
      ];
    },
    correct: (cell, name) => say(cell.children[1], name),
    words: () => "",
  },
  price: { make: nothing, correct: say, words: asText },
  text: { make: nothing, correct: say, words: asText },
  signed: { make: nothing, correct: sayTone, words: firstPart },
  change: { make: nothing, correct: sayTone, words: firstPart },
  heat: {
    make: () => [h("span"), h("small"), h("span", { class: "hidden" })],
    correct: (cell, [text, tone, ago, rest]) => {
      const [figure, when, more] = cell.children;
      sayTone(figure, [text, tone]);
      say(when, ago);
      say(more, rest);
      mark(cell, "title", rest || null);
    },
    words: ([text, , ago, rest]) => [text, rest || ago].filter(Boolean).join(", "),
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
      // Cut out of the whole, which never moves.
      const cut = `inset(0 ${100 - left - width}% 0 ${left}%)`;
      bar.firstChild.style.setProperty("clip-path", cut);
      mark(bar.firstChild, "data-tone", tone);
      say(aside, note);
      sayTone(figure, [text, tone]);
      say(more, rest);
      mark(cell, "title", text + rest || null);
    },
    words: ([text, , , , rest]) => text + rest,
  },
  word: {
    make: nothing,
    correct: (cell, [text, isMarked]) => {
      say(cell, text);
      mark(cell, "data-marked", isMarked);
    },
    words: firstPart,
  },
  spark: {
    make: () => {
      const session = h(
        "span",
        { class: "last-session" },
        h("span", { class: "word" }),
        h("span"),
        h("span", { class: "extremes" }),
      );
      return [sparkLine(), session];
    },
    correct: (cell, _, { spark = "" }) => correctSpark(cell.firstChild, spark),
    words: () => "",
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
    words: (value) => value?.[0] ?? "",
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

export function sparkLine() {
  const shape = {
    class: "spark",
    viewBox: "-2 -3 93 66",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  return s(
    "svg",
    shape,
    s("path", { class: "zero", d: `M0 ${BASELINE}H89` }),
    s("path", { class: "trace" }),
  );
}

export function correctSpark(svg, text) {
  const [zero, trace] = svg.children;
  if (svg.shown === text) return;
  svg.shown = text;
  mark(zero, "visibility", text ? null : "hidden");
  mark(trace, "d", sparkPath(text));
  mark(svg, "data-tone", sparkTone(text));
}

// A line of levels, upwards, with holes.
export function sparkPath(text) {
  return linePath(
    levels(text),
    HOLE_BARS,
    (x) => x,
    (y) => LEVELS.length - 1 - y,
  );
}

// The whole standard deviations from where the line began to where it ends, from −3 to 3.
export function sparkTone(text) {
  const last = levels(text.trimEnd()).at(-1) ?? BASELINE;
  return Math.trunc((last - BASELINE) / LEVELS_OF_SIGMA) + 0;
}

function levels(text) {
  return [...text].map((letter) => (letter === " " ? null : LEVELS.indexOf(letter)));
}
