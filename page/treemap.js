// Rectangles that share an area, each as large as its share. Pure functions; the order stays.

const SHAPE = 1.6; // a tile is best so many times as wide as it is high

// Equal rectangles in rows, as near to `SHAPE` as so many can be.
export function equal(count, width, height) {
  let best = null;
  for (let rows = 1; rows <= count; rows += 1) {
    const found = inRows(count, rows, width, height);
    const off = Math.max(...found.map((one) => Math.abs(Math.log(one.width / one.height / SHAPE))));
    if (!best || off < best.off - 1e-9) best = { found, off };
  }
  return best?.found ?? [];
}

// Rows of as many rectangles, or one more; a row is as high as its number of them.
function inRows(count, rows, width, height) {
  const found = [];
  let top = 0;
  for (let row = 0; row < rows; row += 1) {
    const many = Math.floor(((row + 1) * count) / rows) - Math.floor((row * count) / rows);
    const high = (height * many) / count;
    for (let place = 0; place < many; place += 1)
      found.push({ left: (place * width) / many, top, width: width / many, height: high });
    top += high;
  }
  return found;
}

// Rectangles of these sizes, in strips along the shorter side of what is left, each as long as its
// rectangles are nearest to squares: squarified, but in the order they are given.
export function sized(sizes, width, height) {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const found = [];
  if (!(all > 0) || !(width > 0) || !(height > 0)) return found;
  const scale = (width * height) / all;
  let rest = { left: 0, top: 0, width, height };
  let strip = [];
  for (const size of sizes) {
    const area = size * scale;
    const side = Math.min(rest.width, rest.height);
    if (strip.length && worst([...strip, area], side) > worst(strip, side)) {
      rest = laid(strip, rest, found);
      strip = [];
    }
    strip.push(area);
  }
  laid(strip, rest, found);
  return found;
}

// How far from a square the worst rectangle of a strip along `side` is.
function worst(strip, side) {
  const sum = strip.reduce((total, area) => total + area, 0);
  const thick = sum / side;
  return Math.max(...strip.map((area) => Math.max(thick ** 2 / area, area / thick ** 2)));
}

// Lay a strip, and return what is left.
function laid(strip, { left, top, width, height }, found) {
  const sum = strip.reduce((total, area) => total + area, 0);
  const isColumn = width >= height;
  const thick = sum / (isColumn ? height : width);
  let along = isColumn ? top : left;
  for (const area of strip) {
    const long = area / thick;
    found.push(
      isColumn
        ? { left, top: along, width: thick, height: long }
        : { left: along, top, width: long, height: thick },
    );
    along += long;
  }
  return isColumn
    ? { left: left + thick, top, width: width - thick, height }
    : { left, top: top + thick, width, height: height - thick };
}
