// A screen that is kept awake: when the browser is asked for that, and what is said if it refuses.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Awake } from "../../page/awake.js";

const KIOSK = { kiosk: true, awake: true };

let asked;
let refused;

// A browser that lets go of the lock whenever the page is hidden, as they all do.
function browserThat(answer) {
  const document = new EventTarget();
  document.hidden = false;
  globalThis.document = document;
  const wakeLock = { request: (kind) => answer({ kind, isHeld: true }) };
  Object.defineProperty(globalThis, "navigator", { value: { wakeLock }, configurable: true });
  return {
    turn(isHidden) {
      document.hidden = isHidden;
      if (isHidden) for (const lock of asked) lock.isHeld = false;
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

const grant = async (lock) => {
  asked.push(Object.assign(lock, { release: () => Object.assign(lock, { isHeld: false }) }));
  return lock;
};

const settled = () => new Promise((done) => setImmediate(done));

beforeEach(() => {
  asked = [];
  refused = [];
});

test("a kiosk that asks for it holds one lock of the screen, whatever is drawn meanwhile", async () => {
  browserThat(grant);
  const awake = new Awake((note) => refused.push(note));
  for (const choices of [KIOSK, KIOSK, { ...KIOSK }]) awake.draw(choices);
  await settled();
  assert.deepEqual(
    asked.map(({ kind, isHeld }) => [kind, isHeld]),
    [["screen", true]],
  );
  assert.deepEqual(refused, []);
});

test("nothing is asked for outside a kiosk, or by a kiosk that does not want it", async () => {
  const browser = browserThat(grant);
  const awake = new Awake((note) => refused.push(note));
  awake.draw({ kiosk: false, awake: true });
  awake.draw({ kiosk: true, awake: false });
  browser.turn(true);
  browser.turn(false);
  await settled();
  assert.deepEqual(asked, []);
});

test("it is asked for again whenever the page is seen again", async () => {
  const browser = browserThat(grant);
  const awake = new Awake((note) => refused.push(note));
  awake.draw(KIOSK);
  for (const isHidden of [true, false, true, false]) {
    browser.turn(isHidden);
    await settled();
  }
  assert.deepEqual(
    asked.map(({ isHeld }) => isHeld),
    [false, false, true],
  );
});

test("a kiosk that is left or closed lets the screen go dark", async () => {
  const browser = browserThat(grant);
  const [left, closed] = [0, 1].map(() => new Awake((note) => refused.push(note)));
  for (const awake of [left, closed]) awake.draw(KIOSK);
  await settled();
  left.draw({ kiosk: false, awake: true });
  closed.close();
  browser.turn(true);
  browser.turn(false);
  await settled();
  assert.deepEqual(
    asked.map(({ isHeld }) => isHeld),
    [false, false],
  );
});

test("a lock that comes once it is not wanted any more is given back", async () => {
  browserThat(grant);
  const awake = new Awake((note) => refused.push(note));
  awake.draw(KIOSK);
  awake.draw({ ...KIOSK, kiosk: false });
  await settled();
  assert.deepEqual(
    asked.map(({ isHeld }) => isHeld),
    [false],
  );
});

test("why the screen may go dark is said, but not if the page was hidden meanwhile", async () => {
  const browser = browserThat(async () => {
    throw new Error("battery is low");
  });
  const awake = new Awake((note) => refused.push(note));
  awake.draw(KIOSK);
  await settled();
  assert.deepEqual(refused, ["The screen cannot be kept awake: battery is low."]);
  browser.turn(false);
  browser.turn(true);
  await settled();
  assert.equal(refused.length, 1);
});

test("a browser that cannot do it is named", async () => {
  browserThat(grant);
  delete globalThis.navigator.wakeLock;
  new Awake((note) => refused.push(note)).draw(KIOSK);
  await settled();
  assert.match(refused[0], /needs https/);
});
