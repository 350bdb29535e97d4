// Which rows are shown, and where they stand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { displaced, folded, inPlace } from "../../page/settling.js";

const rows = (text) => [...text].map((name) => ({ symbol: name, is_usual: name >= "a" }));
const text = (names) => names.join("");

test("what is usual is folded, what is not never is", () => {
  const { shown, rest } = folded(rows("aBcDefg"), new Set(), 2);
  assert.deepEqual([text(shown), text(rest)], ["BD", "acefg"]);
});

test("the first usual ones are shown if there would be too few", () => {
  const { shown, rest } = folded(rows("aBcdefg"), new Set(), 3);
  assert.deepEqual([text(shown), text(rest)], ["aBc", "defg"]);
});

test("a row that is kept is not folded", () => {
  const { shown, rest } = folded(rows("ABcdef"), new Set(["e"]), 2);
  assert.deepEqual([text(shown), text(rest)], ["ABe", "cdf"]);
});

test("one row alone is not folded", () => {
  const { shown, rest } = folded(rows("ABc"), new Set(), 2);
  assert.deepEqual([text(shown), text(rest)], ["ABc", ""]);
});

test("names keep their places, go if they are gone, and come last if they are new", () => {
  assert.equal(text(inPlace([..."abcd"], [..."dxcb"])), "bcdx");
  assert.equal(text(inPlace([], [..."ab"])), "ab");
});

const marks = (shown, wanted) => Object.fromEntries(displaced([...shown], [...wanted]));

test("as few rows are marked as it takes", () => {
  assert.deepEqual(marks("abcd", "abcd"), {});
  assert.deepEqual(marks("abcd", "dabc"), { d: 1 });
  assert.deepEqual(marks("abcd", "bcda"), { a: -1 });
  assert.deepEqual(marks("abcde", "badce"), { b: 1, d: 1 });
});

test("a row that is not wanted has no mark", () => {
  assert.deepEqual(marks("axb", "ab"), {});
});
