// Which rows are shown, and where they stand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { atMost, displaced, eased, folded, inPlace, settled } from "../../page/settling.js";

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

test("of more names than there is room for the kept ones stay, and the first others", () => {
  const short = (kept, most) => text(atMost([..."abcde"], new Set(kept), most));
  assert.equal(short("", 3), "abc");
  assert.equal(short("d", 3), "abd");
  assert.equal(short("cde", 2), "cde");
  assert.equal(short("", Infinity), "abcde");
});

test("names keep their places, go if they are gone, and come last if they are new", () => {
  assert.equal(text(inPlace([..."abcd"], [..."dxcb"])), "bcdx");
  assert.equal(text(inPlace([], [..."ab"])), "ab");
});

test("a row with a place of its own settles there, the others keep their order", () => {
  const list = (names, places) => [...names].map((symbol) => ({ symbol, place: places[symbol] }));
  assert.equal(text(settled(list("abcd", {}))), "abcd");
  assert.equal(text(settled(list("abcd", { d: 0, a: 2 }))), "dbac");
});

const ease = (before, calm, strict) => text(eased([...before], [...calm], [...strict]));

test("what has settled stays until the calm order and the strict one both have it otherwise", () => {
  assert.equal(ease("bac", "abc", "bac"), "bac");
  assert.equal(ease("bac", "abc", "abc"), "abc");
  assert.equal(ease("bac", "bca", "bac"), "bac");
  assert.equal(ease("bac", "cab", "cba"), "cba");
  assert.equal(ease("abcd", "bcda", "bcda"), "bcda");
});

test("who is gone goes, and who is new stands where both orders have it", () => {
  assert.equal(ease("abc", "xcby", "xcby"), "xcby");
  assert.equal(ease("", "ab", "ba"), "ab");
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
