// What was told, and what was missed.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { passes } from "../../page/stress.js";
import { Missed, untold } from "../../page/teller.js";

const events = (...ids) => ids.map((id) => ({ id, severity: "watch" }));
const ids = (found) => found.map(({ id }) => id);

// What a browser keeps for all tabs of a viewer.
class Storage {
  texts = new Map();

  getItem(key) {
    return this.texts.get(key) ?? null;
  }

  setItem(key, text) {
    this.texts.set(key, text);
  }
}

function stub(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

beforeEach(() => {
  stub("navigator", {});
  stub("localStorage", new Storage());
});

test("each event is told once for each way of telling", async () => {
  assert.deepEqual(ids(await untold("toast", events("a1", "a2"))), ["a1", "a2"]);
  assert.deepEqual(ids(await untold("toast", events("a1", "a2", "a3"))), ["a3"]);
  assert.deepEqual(ids(await untold("sound", events("a1"))), ["a1"]);
});

test("an event that becomes more severe is told again, once", async () => {
  const states = ["watch", "watch", "alert", "alert"].map((severity) => ({ id: "s1", severity }));
  const told = [];
  for (const state of states) told.push((await untold("toast", [state])).length);
  assert.deepEqual(told, [1, 0, 1, 0]);
});

test("what another tab told is not told again", async () => {
  localStorage.setItem("market-pulse.told.toast", JSON.stringify(["b1 watch"]));
  assert.deepEqual(ids(await untold("toast", events("b1", "b2"))), ["b2"]);
  assert.ok(JSON.parse(localStorage.getItem("market-pulse.told.toast")).includes("b1 watch"));
});

test("a storage that is spoilt or closed still tells once per tab", async () => {
  localStorage.setItem("market-pulse.told.toast", "not JSON");
  assert.deepEqual(ids(await untold("toast", events("c1"))), ["c1"]);
  const refuse = () => {
    throw new Error("closed");
  };
  stub("localStorage", { getItem: refuse, setItem: refuse });
  assert.deepEqual(ids(await untold("toast", events("c1", "c2"))), ["c2"]);
  assert.deepEqual(ids(await untold("toast", events("c1", "c2"))), []);
});

test("tabs take turns if the browser lets them", async () => {
  const asked = [];
  stub("navigator", {
    locks: {
      request: async (name, act) => {
        asked.push(name);
        return act();
      },
    },
  });
  assert.deepEqual(ids(await untold("notify", events("d1"))), ["d1"]);
  assert.deepEqual(asked, ["market-pulse.told.notify"]);
});

test("what is remembered does not grow for ever", async () => {
  await untold("toast", events(...Array.from({ length: 400 }, (_, number) => `e${number}`)));
  const kept = JSON.parse(localStorage.getItem("market-pulse.told.toast"));
  assert.equal(kept.length, 300);
  assert.equal(kept.at(-1), "e399 watch");
});

test("events are missed while nobody looks, each once", () => {
  const missed = new Missed();
  missed.know(events("a"));
  missed.add(events("a", "b"), true);
  missed.add(events("a", "b", "c"), true);
  assert.equal(missed.count, 2);
  missed.clear();
  missed.add(events("d"), false);
  missed.add(events("d"), true);
  assert.equal(missed.count, 0);
});

test("an event passes the filter by its severity and its class", () => {
  const event = { severity: "alert", asset: "forex" };
  const all = ["stocks", "forex", "crypto"];
  assert.ok(passes(event, { severity: "watch", events: all }));
  assert.ok(passes(event, { severity: "alert", events: ["forex"] }));
  assert.ok(!passes(event, { severity: "extreme", events: all }));
  assert.ok(!passes(event, { severity: "watch", events: ["stocks"] }));
});
