// Lines with holes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { linePath } from "../../page/elements.js";

const path = (values, hole) =>
  linePath(
    values,
    hole,
    (x) => x,
    (y) => 100 - y,
  );

test("neighbours are joined, over as many places as the formulas join too", () => {
  assert.equal(path([0, 50, 100], 6), "M0.0 100.0L0.0 100.0L1.0 50.0L2.0 0.0");
  assert.equal(path([0, null, 100], 2), "M0.0 100.0L0.0 100.0L2.0 0.0");
});

test("a longer hole stays a hole, and a point of its own is a dot", () => {
  assert.equal(path([0, null, 100], 1), "M0.0 100.0L0.0 100.0M2.0 0.0L2.0 0.0");
});

test("nothing known draws nothing", () => {
  assert.equal(path([], 6), "");
  assert.equal(path([null, null], 6), "");
});
