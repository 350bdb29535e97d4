// Elements: made once, then only corrected. Text is set as text, never as markup.

import { longestRising } from "./settling.js";

const MOST_GLIDING = 60; // rows: more of them than a screen has
const GLIDING =
  "tbody tr, .folded, .usual, .lists ~ .note, .events ol > li, .events > :is(.fold, .older)";
const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function mark(element, name, value) {
  const text = value === true ? "" : value === false || value == null ? null : String(value);
  if (element.getAttribute(name) === text) return;
  if (text === null) element.removeAttribute(name);
  else element.setAttribute(name, text);
}

// The children of `parent` made those of `items`, by key: kept, made, moved or removed. What has the
// focus keeps it. A key may be the place: then nothing ever moves.
export function keyed(parent, items, keyOf, make, correct) {
  const kept = (parent.keyed ??= new Map());
  const focused = parent.getRootNode().activeElement;
  const focusedPlace = [...parent.children].findIndex((child) => child.contains(focused));
  const wanted = new Set(items.map(keyOf));
  for (const [key, element] of kept) {
    if (wanted.has(key)) continue;
    element.remove();
    kept.delete(key);
  }
  const elements = items.map((item, place) => {
    const key = keyOf(item, place);
    let element = kept.get(key);
    if (!element) kept.set(key, (element = make(item)));
    correct(element, item);
    return element;
  });
  const moved = arrange(parent, elements);
  if (focusedPlace < 0) return;
  if (focused.isConnected) {
    if (moved) focused.focus({ preventScroll: true });
    return;
  }
  // A part of a child has handed it on already.
  if (parent.contains(parent.getRootNode().activeElement)) return;
  // Its element is gone: the one in its place, so that the keyboard does not start all over.
  const heir = parent.children[Math.min(focusedPlace, parent.children.length - 1)];
  heir?.querySelector("button")?.focus({ preventScroll: true });
}

// Have `elements` stand in this order, moving as few as it takes: each is laid out anew. Whether any is.
function arrange(parent, elements) {
  if (elements.every((element, place) => parent.children[place] === element)) return false;
  const places = new Map([...parent.children].map((child, place) => [child, place]));
  const known = elements.filter((element) => places.has(element));
  const stays = new Set(longestRising(known.map((element) => places.get(element))));
  let next = null;
  for (const element of elements.toReversed()) {
    if (!stays.has(places.get(element))) parent.insertBefore(element, next);
    next = element;
  }
  return true;
}

// Rows that changed places glide to their new ones, and what stands below them with them, as far as they
// are in sight, unless the viewer asked for calm.
export function gliding(container, change) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
  const found = calm ? [] : container.querySelectorAll(GLIDING);
  const rows = [...found].slice(0, MOST_GLIDING);
  const places = () => rows.map((row) => row.getBoundingClientRect());
  const before = places();
  change();
  // All are read before any is animated, which would have them laid out anew.
  const after = places();
  rows.forEach((row, place) => {
    const isSeen = row.isConnected && before[place].height && after[place].height;
    const right = isSeen ? before[place].left - after[place].left : 0;
    const down = isSeen ? before[place].top - after[place].top : 0;
    if (right || down)
      row.animate(
        { transform: [`translate(${right}px, ${down}px)`, "none"] },
        { duration: 450, easing: "ease" },
      );
  });
}

// Lines with holes.

export function linePath(values, hole, x, y) {
  let path = "";
  let previous = -Infinity;
  values.forEach((value, place) => {
    if (value === null) return;
    const point = `${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
    // A point of its own is a line of no length, which round ends make a dot.
    path += place - previous > hole ? `M${point}L${point}` : `L${point}`;
    previous = place;
  });
  return path;
}
