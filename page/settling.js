// The places of a list's rows: which of them are shown, where each stands while the hand is over them,
// where it settles, and which of them would stand elsewhere. Pure functions of names.

export const LEAST = 6; // so many rows are shown even if all of them are within their usual range

// The names shown and the names folded, both in the order of `rows`. Whatever is usual is folded, but
// for those in `kept` and for the first ones, if there would be too few.
export function folded(rows, kept, least) {
  const stays = rows.map((row) => !row.is_usual || kept.has(row.symbol));
  let missing = least - stays.filter(Boolean).length;
  const shown = [];
  const rest = [];
  rows.forEach((row, place) => {
    const isShown = stays[place] || missing-- > 0;
    (isShown ? shown : rest).push(row.symbol);
  });
  // One alone takes as much room as the line that it would be folded into.
  return rest.length === 1 ? { shown: rows.map((row) => row.symbol), rest: [] } : { shown, rest };
}

// Of `names` no more than `most`, in their order: those in `kept`, and the first of the others.
export function atMost(names, kept, most) {
  let free = most - names.filter((name) => kept.has(name)).length;
  return names.filter((name) => kept.has(name) || free-- > 0);
}

// The names of `wanted` in the places of `before`, as far as they stood there; the others come last.
export function inPlace(before, wanted) {
  const there = new Set(wanted);
  const stood = before.filter((name) => there.has(name));
  const known = new Set(stood);
  return [...stood, ...wanted.filter((name) => !known.has(name))];
}

// The names of `rows` once they have settled: those that have a place of their own there stand in it.
export function settled(rows) {
  const names = [];
  for (const { symbol, place } of rows) if (place !== undefined) names[place] = symbol;
  let free = 0;
  for (const { symbol, place } of rows) {
    if (place !== undefined) continue;
    while (names[free] !== undefined) free += 1;
    names[free] = symbol;
  }
  return names;
}

// The names of `calm` as they stood `before`, but for those that the calm order and the strict one both
// have the other way round. So what has settled does not move back.
export function eased(before, calm, strict) {
  const [inCalm, inStrict] = [calm, strict].map(
    (names) => new Map(names.map((name, at) => [name, at])),
  );
  const stood = before.filter((name) => inCalm.has(name));
  const known = new Set(stood);
  const order = [];
  for (const name of [...stood, ...calm.filter((one) => !known.has(one))]) {
    const one = { name, calm: inCalm.get(name), strict: inStrict.get(name) };
    const at = order.findIndex((other) => one.calm < other.calm && one.strict < other.strict);
    order.splice(at < 0 ? order.length : at, 0, one);
  }
  return order.map(({ name }) => name);
}

// Which of `shown` would stand higher (1) or lower (−1) if the order was `wanted`, by name. As few as
// it takes: the others stand in that order already.
export function displaced(shown, wanted) {
  const places = new Map(wanted.map((name, place) => [name, place]));
  const known = shown.filter((name) => places.has(name));
  const stays = new Set(longestRising(known.map((name) => places.get(name))));
  const found = new Map();
  known.forEach((name, at) => {
    const place = places.get(name);
    if (!stays.has(place)) found.set(name, place < at ? 1 : -1);
  });
  return found;
}

// The values of a longest rising part, the earlier ones if it is one of many: read backwards it falls.
export function longestRising(values) {
  const ends = []; // of the parts of each length the one with the largest last value
  for (const value of values.toReversed()) {
    const found = ends.findIndex((end) => end.value <= value);
    const length = found < 0 ? ends.length : found;
    ends[length] = { value, before: ends[length - 1] };
  }
  const rising = [];
  for (let end = ends.at(-1); end; end = end.before) rising.push(end.value);
  return rising;
}
