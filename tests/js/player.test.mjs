// Playing the past on to now.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Player } from "../../page/player.js";

function played() {
  const asked = [];
  return { asked, player: new Player((second) => asked.push(second)) };
}

test("at ×30 half a minute passes in a second, one second asked for at a time", () => {
  const { asked, player } = played();
  player.play(100, 0);
  player.advance(500, 1000, true);
  player.advance(600, 1000, false);
  player.advance(1000, 1000, true);
  assert.deepEqual(asked, [115, 130]);
  assert.equal(player.reached(1100), 133);
});

test("no second is asked for twice", () => {
  const { asked, player } = played();
  while (player.speed !== 1) player.turn(0);
  player.play(100, 0);
  for (const ms of [0, 400, 999, 1000, 1500, 2100]) player.advance(ms, 1000, true);
  assert.deepEqual(asked, [101, 102]);
});

test("another speed goes on from the second that is reached", () => {
  const { player } = played();
  player.play(100, 0);
  player.turn(1000);
  assert.equal(player.speed, 1);
  assert.equal(player.reached(3000), 132);
  player.turn(3000);
  assert.deepEqual([player.speed, player.reached(4000)], [10, 142]);
});

test("where it reaches the present it is live, and at rest", () => {
  const { asked, player } = played();
  player.play(100, 0);
  player.advance(30_000, 1000, false);
  player.advance(31_000, 1000, true);
  assert.deepEqual(asked, [null]);
  assert.ok(!player.isPlaying);
});

test("stopped, it asks for nothing", () => {
  const { asked, player } = played();
  player.play(100, 0);
  player.stop();
  player.advance(1000, 1000, true);
  assert.deepEqual(asked, []);
});
