// Rectangles that share an area.

import assert from "node:assert/strict";
import { test } from "node:test";

import { equal, sized } from "../../page/treemap.js";

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);

// All of the area is covered once, by rectangles of these shares in their order.
function assertShared(found, shares, width, height) {
  const all = shares.reduce((sum, share) => sum + share, 0);
  assert.equal(found.length, shares.length);
  found.forEach((one, place) => {
    near(one.width * one.height, (width * height * shares[place]) / all);
    assert.ok(one.left > -1e-6 && one.left + one.width < width + 1e-6);
    assert.ok(one.top > -1e-6 && one.top + one.height < height + 1e-6);
    for (const other of found.slice(0, place)) {
      const across =
        Math.min(one.left + one.width, other.left + other.width) - Math.max(one.left, other.left);
      const down =
        Math.min(one.top + one.height, other.top + other.height) - Math.max(one.top, other.top);
      assert.ok(across < 1e-6 || down < 1e-6, `${place} lies over another`);
    }
  });
}

test("equal rectangles have the same area, whatever their number", () => {
  for (const count of [1, 2, 5, 7, 17, 500]) {
    assertShared(equal(count, 1000, 600), Array(count).fill(1), 1000, 600);
  }
  assert.deepEqual(equal(0, 1000, 600), []);
});

test("equal rectangles are wider than high, not long", () => {
  for (const one of equal(17, 1000, 600)) {
    const shape = one.width / one.height;
    assert.ok(shape > 0.9 && shape < 2.9, shape);
  }
  assert.equal(new Set(equal(6, 600, 900).map((one) => one.left)).size, 2);
});

test("sized rectangles have their shares, in their order", () => {
  const sizes = [6, 6, 4, 3, 2, 2, 1];
  assertShared(sized(sizes, 600, 400), sizes, 600, 400);
  assertShared(sized([1, 9, 2, 7], 300, 900), [1, 9, 2, 7], 300, 900);
});

test("sized rectangles that fall in size are nearly squares", () => {
  for (const one of sized([6, 6, 4, 3, 2, 2, 1], 600, 400)) {
    assert.ok(Math.max(one.width / one.height, one.height / one.width) < 3);
  }
});

test("the first rectangle stands where it stood when a size changes", () => {
  const [first, again] = [
    [5, 4, 3],
    [5, 4, 2],
  ].map((sizes) => sized(sizes, 400, 300)[0]);
  assert.deepEqual([again.left, again.top], [first.left, first.top]);
});

test("without an area there is nothing", () => {
  assert.deepEqual(sized([], 10, 10), []);
  assert.deepEqual(sized([0, 0], 10, 10), []);
  assert.deepEqual(sized([1], 0, 10), []);
});
