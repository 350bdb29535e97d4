// What changed since the viewer's last look.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Looks, changes } from "../../page/looks.js";

class Store extends Map {
  getItem(name) {
    return this.get(name) ?? null;
  }

  setItem(name, text) {
    this.set(name, text);
  }
}

const NAME = "look";
const told = (looks, names, now, isAway, by = "heat") =>
  Object.fromEntries(looks.marks([...names], by, now, isAway).found);

test("what came and what rose is told, what was overtaken is not", () => {
  assert.deepEqual(Object.fromEntries(changes([..."abc"], [..."xcab"])), { x: "NEW", c: 1 });
  assert.deepEqual(Object.fromEntries(changes([..."abc"], [..."bc"])), {});
});

test("a first look finds nothing changed", () => {
  const looks = new Looks(new Store(), NAME);
  assert.deepEqual(told(looks, "abc", 0, false), {});
});

test("marks wait for the viewer, and fade once they were there to be seen", () => {
  const looks = new Looks(new Store(), NAME);
  told(looks, "abc", 0, false);
  assert.deepEqual(told(looks, "dabc", 60_000, true), { d: "NEW" });
  assert.deepEqual(told(looks, "dcab", 900_000, true), { d: "NEW", c: 1 });
  assert.equal(looks.marks([..."dcab"], "heat", 900_000, true).since, 0);
  assert.deepEqual(told(looks, "dcab", 901_000, false), { d: "NEW", c: 1 });
  assert.deepEqual(told(looks, "dcab", 910_000, false), { d: "NEW", c: 1 });
  assert.deepEqual(told(looks, "dcab", 911_000, false), {});
  assert.equal(looks.marks([..."dcab"], "heat", 912_000, false).since, 911_000);
});

test("a look away before a mark was seen begins its time anew", () => {
  const looks = new Looks(new Store(), NAME);
  told(looks, "a", 0, false);
  told(looks, "ba", 1000, false);
  told(looks, "ba", 9000, true);
  assert.deepEqual(told(looks, "ba", 12_000, false), { b: "NEW" });
});

test("another order is a list of its own", () => {
  const looks = new Looks(new Store(), NAME);
  told(looks, "abc", 0, false);
  assert.deepEqual(told(looks, "cba", 1000, false, "name"), {});
});

test("the last look outlives a load, for a day", () => {
  const store = new Store();
  told(new Looks(store, NAME), "ab", 0, false);
  assert.deepEqual(told(new Looks(store, NAME), "xab", 3_600_000, true), { x: "NEW" });
  assert.deepEqual(told(new Looks(store, NAME), "xab", 90_000_000, true), {});
});

test("what is kept may be anything, or nothing may be kept", () => {
  for (const kept of ["", "7", "null", '{"at":"x"}', '{"at":1,"by":"heat"}']) {
    assert.deepEqual(told(new Looks(new Store([[NAME, kept]]), NAME), "ab", 0, false), {});
  }
  const refusing = {
    getItem: () => {
      throw new Error("denied");
    },
    setItem: () => {
      throw new Error("denied");
    },
  };
  assert.deepEqual(told(new Looks(refusing, NAME), "ab", 0, false), {});
});

test("whoever touches nothing for two minutes has looked away", () => {
  const looks = new Looks(new Store(), NAME);
  assert.ok(looks.isAway(0));
  looks.touch(1000);
  assert.ok(!looks.isAway(121_000));
  assert.ok(looks.isAway(121_001));
});
