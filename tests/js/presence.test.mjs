// Whether somebody looks at the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Presence } from "../../page/presence.js";

const MINUTE = 60_000;

function watched() {
  const seen = { leaves: 0, returns: 0 };
  const leave = () => {
    seen.leaves += 1;
  };
  const comeBack = () => {
    seen.returns += 1;
  };
  return { seen, presence: new Presence(leave, comeBack) };
}

test("who comes back after more than two minutes was away", () => {
  const { seen, presence } = watched();
  presence.leave(0);
  presence.leave(MINUTE); // the page is hidden first, and loses the keyboard next
  assert.ok(!presence.isAway(2 * MINUTE));
  assert.ok(presence.isAway(2 * MINUTE + 1));
  presence.notice(2 * MINUTE + 1, true);
  assert.deepEqual(seen, { leaves: 1, returns: 1 });
  assert.ok(!presence.isAway(9 * MINUTE));
});

test("who comes back sooner was not", () => {
  const { seen, presence } = watched();
  presence.leave(0);
  presence.notice(2 * MINUTE, true);
  presence.notice(9 * MINUTE, true);
  assert.deepEqual(seen, { leaves: 1, returns: 0 });
});

test("a pointer that passes while another window has the keyboard is a sign, not a stay", () => {
  const { seen, presence } = watched();
  presence.leave(0);
  presence.notice(3 * MINUTE, false);
  presence.notice(4 * MINUTE, false);
  assert.equal(seen.returns, 1);
  presence.notice(7 * MINUTE, true);
  assert.equal(seen.returns, 2);
});
