// The kinds of the pulse's cells: what each is made of, and how it shows the value that it is sent.

import { h, linePath, mark, s, say } from "./elements.js";

const HOLE_BARS = 6; // ten-second bars further apart are not joined: the formulas do not either

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
  gauge: {
    make: () => [
      h("span", { class: "bar", "aria-hidden": "true" }, h("i"), h("b")),
      h("small", { "aria-hidden": "true" }),
      h("span"),
      h("span", { class: "hidden" }),
    ],
    correct: (cell, [text, tone, filled, reached, note, rest]) => {
      const [bar, aside, figure, more] = cell.children;
      const [fill, reach] = bar.children;
      const { left, width } = gauge(filled);
      fill.style.setProperty("left", `${left}%`);
      fill.style.setProperty("width", `${width}%`);
      mark(fill, "data-tone", Math.sign(tone));
      mark(reach, "hidden", reached === null);
      reach.style.setProperty("left", `${50 + 50 * reached}%`);
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
      const shape = { viewBox: "-2 -8 93 116", preserveAspectRatio: "none", "aria-hidden": "true" };
      const session = h(
        "span",
        { class: "last-session" },
        h("span", { class: "word" }),
        h("span"),
        h("span", { class: "extremes" }),
      );
      return [s("svg", shape, s("path")), session];
    },
    correct: (cell, values) => mark(cell.firstChild.firstChild, "d", sparkPath(values)),
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

// A line of numbers from 0 to 100, upwards, with holes.
export function sparkPath(values) {
  return linePath(
    values,
    HOLE_BARS,
    (x) => x,
    (y) => 100 - y,
  );
}
