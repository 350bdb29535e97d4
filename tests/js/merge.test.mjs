// The messages of one tab: what is whole, what builds on another, and what is missing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Received } from "../../page/merge.js";

const whole = { number: 5, payload: { now: 1, rows: [{ symbol: "A" }], notes: ["n"] } };
const delta = { number: 6, base: 5, change: { in: { now: { is: 2 } } } };

test("a change is applied to what was sent before, and leaves the rest the same", () => {
  const received = new Received();
  const first = received.take(whole);
  const second = received.take(delta);
  assert.equal(first.now, 1);
  assert.equal(second.now, 2);
  assert.equal(second.rows, first.rows);
});

test("what builds on a message that never came is no payload", () => {
  assert.equal(new Received().take(delta), null);
  const received = new Received();
  received.take(whole);
  assert.equal(received.take({ ...delta, number: 8, base: 7 }), null);
  assert.equal(received.take(delta).now, 2, "what it holds is kept");
});

test("a message that comes again changes nothing", () => {
  const received = new Received();
  received.take(whole);
  const payload = received.take(delta);
  assert.equal(received.take(delta), payload);
});

test("a whole one stands for itself", () => {
  const received = new Received();
  received.take(whole);
  received.take(delta);
  assert.deepEqual(received.take({ number: 2, payload: { now: 9 } }), { now: 9 });
});
