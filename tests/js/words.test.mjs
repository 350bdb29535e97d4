// Small words and figures that the browser makes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock } from "../../page/clock.js";
import { rounded } from "../../page/correlations.js";
import { countdownText } from "../../page/chrome.js";
import { stateText, unfoldText } from "../../page/table.js";
import { firstChoice, formOf } from "../../page/pulse.js";
import { inWords } from "../../page/status.js";
import { emptyText } from "../../page/stress.js";
import { sentence } from "../../page/symbol.js";

const clock = new Clock({ tz: "UTC" }, true);
const now = Date.parse("2026-11-24T12:00:00Z") / 1000;

test("what rounds to zero has no sign", () => {
  assert.ok(Object.is(rounded(-0.004), 0));
  assert.equal(rounded(-0.006), -0.01);
  assert.equal(rounded(null), null);
});

test("a sentence has its instants in the viewer's zone, each in its turn", () => {
  assert.equal(sentence("No price yet.", clock, now), "No price yet.");
  const words = { text: "From {} to {}.", at: [now - 86400, now] };
  assert.equal(sentence(words, clock, now), "From Mon 12:00 to 12:00.");
});

test("a closed row says of when its price is", () => {
  assert.equal(stateText({ state_text: "live" }, clock, now), "live");
  assert.equal(
    stateText({ state_text: "closed", last_ts: now - 86400 }, clock, now),
    "closed · Mon 12:00",
  );
});

test("a halted row says since when", () => {
  assert.equal(
    stateText({ state_text: "halted", since: now - 86400 }, clock, now),
    "halted since Mon 12:00",
  );
});

test("a message has its instants in the words of the clock", () => {
  const parts = ["What came from ", { at: now }, " is lost."];
  assert.equal(
    inWords(parts, (second) => clock.text(second)),
    "What came from 12:00:00 is lost.",
  );
  assert.equal(inWords([], String), "");
});

test("a countdown is told from the moment that is shown", () => {
  assert.equal(countdownText(3725, false), "in 1 h 02 min");
  assert.equal(countdownText(3725, true), "1 h 02 min later");
});

test("a wall and a wide screen have tiles, unless somebody chose", () => {
  assert.equal(formOf({ lists: "auto", kiosk: false }), "list");
  assert.equal(formOf({ lists: "auto", kiosk: true }), "tiles");
  assert.equal(formOf({ lists: "by class", kiosk: false }), "by class");
  assert.deepEqual(firstChoice({ lists: "auto", kiosk: false }, 2200), { lists: "tiles" });
  assert.deepEqual(firstChoice({ lists: "auto", kiosk: false }, 2199), {});
  assert.deepEqual(firstChoice({ lists: "list", kiosk: false }, 2560), {});
  assert.deepEqual(firstChoice({ lists: "auto", kiosk: true }, 3840), {});
});

test("an empty list of events judges no more than the headline does", () => {
  // No feed is up: no figure counts as warming up, whatever is known.
  const pulse = { watched: 3, trading: 3, priced: 3, warming: [] };
  const told = (...words) =>
    emptyText(
      {
        status: { searching: false },
        pulse,
        events: { all: 0 },
        headline: { breadth: words.map((word) => ({ word })) },
        at: null,
      },
      true,
    );
  const learning = "Still learning what is usual: too early to judge.";
  assert.equal(told("learning", "closed"), learning);
  assert.equal(told("learning", "no prices"), learning);
  assert.equal(told("learning", "quiet"), "Nothing unusual so far.");
  assert.equal(told("", "no prices"), "Nothing unusual so far.");
  assert.equal(told("closed", "no prices"), "No new price to judge.");
});

test("the folded line has room for what waits to leave it", () => {
  assert.equal(unfoldText(9, 9, []), "9 within their usual range");
  assert.equal(unfoldText(8, 9, []), "8 more within their usual range");
  const told = (names) => unfoldText(9, 9, names).split(" · ")[1];
  assert.equal(told(["META", "TSLA"]), "▲ META, TSLA");
  assert.equal(told(["META", "TSLA", "AMZN"]), "▲ META and 2 more");
});
