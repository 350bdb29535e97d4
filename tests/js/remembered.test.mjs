// What a browser remembers of events.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Remembered } from "../../page/remembered.js";

const NOW = 1_000_000;

class Storage {
  texts = new Map();

  getItem(key) {
    return this.texts.get(key) ?? null;
  }

  setItem(key, text) {
    this.texts.set(key, text);
  }
}

const event = (id, severity = "watch") => ({ id, severity });

test("an event is dealt with until it becomes more severe, in all tabs", () => {
  const storage = new Storage();
  const [one, other] = [new Remembered(storage), new Remembered(storage)];
  one.acknowledge(event("a", "alert"));
  assert.ok(other.isDone(event("a", "watch")));
  assert.ok(other.isDone(event("a", "alert")));
  assert.ok(!other.isDone(event("a", "extreme")));
  assert.ok(!other.isDone(event("b")));
  other.acknowledge(event("a"), false);
  assert.ok(!one.isDone(event("a")));
});

test("a symbol is snoozed until an instant, or until that is lifted", () => {
  const remembered = new Remembered(new Storage());
  remembered.snooze("META", NOW + 900, NOW);
  remembered.snooze("TSLA", NOW + 60, NOW);
  remembered.snooze("META", NOW + 600, NOW);
  assert.deepEqual(remembered.snoozes(NOW), [
    ["TSLA", NOW + 60],
    ["META", NOW + 600],
  ]);
  assert.ok(remembered.isSnoozed("META", NOW + 599));
  assert.ok(!remembered.isSnoozed("META", NOW + 600));
  remembered.snooze("META", 0, NOW);
  assert.ok(!remembered.isSnoozed("META", NOW));
});

test("what is folded stays so", () => {
  const storage = new Storage();
  new Remembered(storage).fold("earlier", true);
  assert.ok(new Remembered(storage).isFolded("earlier"));
  new Remembered(storage).fold("earlier", false);
  assert.ok(!new Remembered(storage).isFolded("earlier"));
});

test("it is bounded", () => {
  const storage = new Storage();
  const remembered = new Remembered(storage);
  for (let number = 0; number < 400; number += 1) {
    remembered.acknowledge(event(`e${number}`));
    remembered.snooze(`S${number}`, NOW + 60, NOW);
  }
  assert.ok(!remembered.isDone(event("e99")));
  assert.ok(remembered.isDone(event("e399")));
  assert.equal(remembered.snoozes(NOW).length, 100);
});

test("without a storage, with a closed and with a spoilt one each tab remembers by itself", () => {
  const refuse = () => {
    throw new Error("closed");
  };
  const spoilt = new Storage();
  for (const text of ["not JSON", "null", '{"done": 1}', '{"done": [["a"]], "snoozed": [null]}']) {
    spoilt.setItem("market-pulse.remembered", text);
    assert.ok(!new Remembered(spoilt).isDone(event("a")), text);
  }
  for (const storage of [undefined, { getItem: refuse, setItem: refuse }, spoilt]) {
    const remembered = new Remembered(storage);
    remembered.acknowledge(event("a"));
    remembered.snooze("META", NOW + 60, NOW);
    assert.ok(remembered.isDone(event("a")));
    assert.ok(remembered.isSnoozed("META", NOW));
  }
});
