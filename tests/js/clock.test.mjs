// Clocks, calendars and zones.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, durationText, waitText } from "../../page/clock.js";

const seconds = (text) => Date.parse(text) / 1000;
const clock = (tz, isDated = true) => new Clock({ tz }, isDated);

test("an instant is shown by the clocks of the zone", () => {
  const at = seconds("2026-11-24T14:32:05Z");
  assert.equal(clock("Asia/Tokyo").text(at), "23:32:05");
  assert.equal(clock("America/New_York").text(at), "09:32:05");
  assert.equal(clock("Asia/Kolkata").field(at), "2026-11-24T20:02:05");
  assert.equal(clock("Asia/Tokyo").long(at), "24 Nov 2026, 14:32:05 UTC");
});

test("a zone that this browser does not know is its own instead", () => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  assert.equal(clock("Mars/Olympus_Mons").zone, own);
});

test("a zone that this browser does not know is told", () => {
  const { zone, note } = clock("Mars/Olympus_Mons");
  assert.ok(
    note.startsWith("This browser does not know the time zone Mars/Olympus_Mons of the link"),
  );
  assert.ok(note.includes(`times are in ${zone}.`));
  assert.equal(clock("Asia/Tokyo").note, "");
  assert.equal(clock("").note, "");
});

test("a computer whose own zone cannot be used shows UTC, and says so", (t) => {
  const at = seconds("2026-11-24T14:32:05Z");
  for (const own of ["Etc/Unknown", undefined]) {
    t.mock.method(Intl.DateTimeFormat.prototype, "resolvedOptions", () => ({ timeZone: own }));
    const local = clock("");
    assert.deepEqual([local.zone, local.name, local.text(at)], ["UTC", "UTC", "14:32:05"]);
    const named = own ? " (Etc/Unknown)" : "";
    assert.equal(
      local.note,
      `This browser cannot use the time zone of this computer${named}: times are in UTC. A link with ?tz=Europe/Berlin, say, shows another.`,
    );
    const asked = clock("Asia/Tokyo");
    assert.deepEqual([asked.zone, asked.note], ["Asia/Tokyo", ""]);
    assert.equal(clock("Mars/Olympus_Mons").zone, "UTC");
    assert.deepEqual([clock("", false).name, clock("", false).note], ["tape time", ""]);
  }
});

test("a zone is named, and its city too", () => {
  assert.equal(clock("America/New_York").name, "America/New York");
  assert.equal(clock("America/New_York").city, "New York");
  assert.equal(clock("Asia/Tokyo", false).name, "tape time");
});

test("a day is named only if it is another, and as briefly as it can be", () => {
  const now = seconds("2026-11-24T12:00:00Z"); // a Tuesday
  const names = {
    "2026-11-24T09:30:05Z": "09:30",
    "2026-11-23T09:30:05Z": "Mon 09:30",
    "2026-11-30T09:30:05Z": "Mon 09:30",
    "2026-11-17T09:30:05Z": "17 Nov 09:30",
    "2025-11-24T09:30:05Z": "24 Nov 2025 09:30",
  };
  for (const [at, name] of Object.entries(names)) {
    assert.equal(clock("UTC").brief(seconds(at), now), name);
  }
  assert.equal(clock("UTC").full(seconds("2026-11-23T09:30:05Z"), now), "Mon 09:30:05");
  assert.equal(clock("UTC").moment(seconds("2026-11-23T09:30:05Z"), now), "Mon 23 Nov, 09:30:05");
  assert.equal(
    clock("UTC").hour(seconds("2026-11-24T09:00:00Z"), seconds("2026-11-24T10:00:00Z"), now),
    "Today, 09:00–10:00",
  );
});

test("a day ends at the zone's midnight, not at UTC's", () => {
  const now = seconds("2026-11-24T16:00:00Z"); // already Wednesday in Tokyo
  assert.equal(clock("Asia/Tokyo").brief(seconds("2026-11-24T14:00:00Z"), now), "Tue 23:00");
});

test("a tape that knows no date has none", () => {
  const now = seconds("2026-11-24T12:00:00Z");
  assert.equal(clock("Asia/Tokyo", false).brief(now - 86400, now), "12:00");
});

test("a time that is typed is the newest at which clocks showed it", () => {
  const [oldest, newest] = ["2026-11-22T10:00:00Z", "2026-11-24T12:00:00Z"].map(seconds);
  const at = (text) => clock("UTC").at(text, oldest, newest);
  assert.equal(at("11:30"), seconds("2026-11-24T11:30:00Z"));
  assert.equal(at("12:30:07"), seconds("2026-11-23T12:30:07Z"));
  assert.equal(at("2026-11-22T10:00"), oldest);
  assert.equal(at("2026-11-22T09:59:59"), null);
  assert.equal(clock("UTC").at("13:00", newest - 60, newest), null);
  assert.equal(at("2026-99-99T10:00"), null);
  // As the page itself calls them, and as a hand types them.
  for (const text of ["Sun 10:00", "22 Nov 10:00:00", "Sun 22 Nov, 10:00", "22 nov 2026 10:00"])
    assert.equal(at(text), oldest, text);
  assert.equal(at("24 Nov 9:05"), seconds("2026-11-24T09:05:00Z"));
  assert.equal(at("Wed 10:00"), null);
  const read = ["9:05", "Mon 14:32", "noon 14:32", "24:00", "14:60", "14", "2 PM", "14:32 "];
  assert.deepEqual(
    read.map((text) => clock("UTC").reads(text)),
    [true, true, true, false, false, false, false, true],
  );
});

test("on the days on which clocks change a time is there twice, or not at all", () => {
  const berlin = clock("Europe/Berlin");
  const twice = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map(seconds);
  assert.deepEqual(berlin.instants("2026-10-25T02:30:00"), twice);
  assert.deepEqual(berlin.instants("2026-03-29T02:30:00"), []);
  assert.deepEqual(berlin.instants("2026-07-01T02:30:00"), [seconds("2026-07-01T00:30:00Z")]);
});

test("a duration has its two largest units", () => {
  const texts = {
    "-3": "0 s",
    43.4: "43 s",
    185: "3 min 05 s",
    3725: "1 h 02 min",
    180000: "2 d 2 h",
  };
  for (const [value, text] of Object.entries(texts)) assert.equal(durationText(value), text);
  assert.equal(waitText(59), "under a minute");
  assert.equal(waitText(125), "2 min");
});
