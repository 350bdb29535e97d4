// Times, in the viewer's zone or the one the address asks for.

export const DAY_SEC = 86400;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const TYPED =
  /^\s*(?:(?<day>\S.*?)(?:,\s*|\s+|T))?(?<hour>[01]?\d|2[0-3]):(?<minute>[0-5]\d)(?::(?<second>[0-5]\d))?\s*$/;

export class Clock {
  constructor(view, isDated) {
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    const dated = { ...options, day: "numeric", month: "numeric", year: "numeric" };
    this.isDated = isDated;
    // Neither the link's zone nor the computer's own need be one that this browser can use: the
    // server's list of zones is longer, and a computer's may have no name, as "Etc/Unknown".
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    const wanted = isDated ? [view.tz, own].filter(Boolean) : [];
    this.zone = wanted.find(isUsable) ?? "UTC";
    this.local = new Intl.DateTimeFormat("en-GB", { ...dated, timeZone: this.zone });
    this.note = zoneNote(view.tz, own, this.zone, isDated);
    this.name = isDated ? this.zone.replaceAll("_", " ") : "tape time";
    this.city = isDated ? this.name.split("/").at(-1) : this.name;
    this.utc = new Intl.DateTimeFormat("en-GB", {
      ...options,
      timeZone: "UTC",
      day: "numeric",
      month: "short",
      year: "numeric",
    });
  }

  // What clocks and calendars here show at an instant, as the date that shows the same in UTC.
  wall(seconds) {
    const part = {};
    for (const { type, value } of this.local.formatToParts(seconds * 1000))
      part[type] = Number(value);
    return new Date(
      Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second),
    );
  }

  text(seconds) {
    return this.wall(seconds).toISOString().slice(11, 19);
  }

  // For a field of date and time.
  field(seconds) {
    return this.wall(seconds).toISOString().slice(0, 19);
  }

  long(seconds) {
    return `${this.utc.format(seconds * 1000)} UTC`;
  }

  isSameDay(left, right) {
    return !this.isDated || this.field(left).slice(0, 10) === this.field(right).slice(0, 10);
  }

  // The day of an instant as it is called at `now`: nothing today, a weekday within a week, else a date.
  day(seconds, now) {
    if (this.isSameDay(seconds, now)) return "";
    const [wall, here] = [this.wall(seconds), this.wall(now)];
    const days = Math.floor(wall / 1000 / DAY_SEC) - Math.floor(here / 1000 / DAY_SEC);
    if (Math.abs(days) < 7) return WEEKDAYS[wall.getUTCDay()];
    const year = wall.getUTCFullYear() === here.getUTCFullYear() ? "" : ` ${wall.getUTCFullYear()}`;
    return `${wall.getUTCDate()} ${MONTHS[wall.getUTCMonth()]}${year}`;
  }

  // "09:30", "Mon 09:30", "24 Nov 09:30".
  brief(seconds, now) {
    return this.full(seconds, now).slice(0, -3);
  }

  // "09:30:05", "Mon 09:30:05", "24 Nov 09:30:05".
  full(seconds, now) {
    return `${this.day(seconds, now)} ${this.text(seconds)}`.trim();
  }

  date(seconds) {
    const wall = this.wall(seconds);
    return `${WEEKDAYS[wall.getUTCDay()]} ${wall.getUTCDate()} ${MONTHS[wall.getUTCMonth()]}`;
  }

  // "09:30:05", "Tue 24 Nov, 09:30:05".
  moment(seconds, now) {
    return this.isSameDay(seconds, now)
      ? this.text(seconds)
      : `${this.date(seconds)}, ${this.text(seconds)}`;
  }

  // "Today, 09:00–10:00", "Tue 24 Nov, 09:00–10:00".
  hour(begin, end, now) {
    const day = this.isSameDay(begin, now) ? "Today" : this.date(begin);
    return `${day}, ${this.text(begin).slice(0, 5)}–${this.text(end).slice(0, 5)}`;
  }

  // Whether a text is a time as `at` reads it, whatever its day is called.
  reads(text) {
    return TYPED.test(text);
  }

  // The newest instant from `oldest` to `newest` at which clocks here show `text`, null for none:
  // "14:32" or "14:32:05", alone or after a day: "Mon", "24 Nov", "24 Nov 2026" or "2026-11-24".
  at(text, oldest, newest) {
    const found = TYPED.exec(text);
    if (!found) return null;
    const { day, hour, minute, second = "00" } = found.groups;
    const time = `${hour.padStart(2, "0")}:${minute}:${second}`;
    const today = Date.parse(`${this.field(newest).slice(0, 10)}T00:00:00Z`);
    for (let back = 0; back <= (newest - oldest) / DAY_SEC + 1; back += 1) {
      const date = new Date(today - back * DAY_SEC * 1000);
      if (day && !namesOf(date).includes(day.toLowerCase())) continue;
      const instant = this.instants(`${date.toISOString().slice(0, 10)}T${time}`).findLast(
        (one) => one >= oldest && one <= newest,
      );
      if (instant !== undefined) return instant;
    }
    return null;
  }

  // The instants at which clocks here show a date and time, in order: one, or on the two days of the
  // year on which clocks change none or two. Clocks a day before and a day after know all offsets.
  instants(text) {
    const wanted = Date.parse(`${text}Z`) / 1000;
    if (Number.isNaN(wanted)) return [];
    const offsets = [-DAY_SEC, DAY_SEC].map((by) => this.wall(wanted + by) / 1000 - wanted - by);
    const found = [...new Set(offsets.map((offset) => wanted - offset))];
    return found.filter((second) => this.wall(second) / 1000 === wanted).sort((a, b) => a - b);
  }
}

// What a day may be called, in small letters.
function namesOf(date) {
  const [day, weekday] = [date.getUTCDate(), WEEKDAYS[date.getUTCDay()]];
  const short = `${day} ${MONTHS[date.getUTCMonth()]}`;
  const names = [weekday, short, `${weekday} ${short}`, `${short} ${date.getUTCFullYear()}`];
  return [...names.map((name) => name.toLowerCase()), date.toISOString().slice(0, 10)];
}

function isUsable(timeZone) {
  try {
    return Boolean(new Intl.DateTimeFormat("en-GB", { timeZone }));
  } catch {
    return false;
  }
}

// Which zone cannot be used, and which is shown instead; empty if the zone is the one that was wanted.
function zoneNote(asked, own, shown, isDated) {
  if (!isDated || shown === (asked || own)) return "";
  const missing = asked
    ? `This browser does not know the time zone ${asked} of the link`
    : `This browser cannot use the time zone of this computer${own && ` (${own})`}`;
  const help = shown === own ? "" : " A link with ?tz=Europe/Berlin, say, shows another.";
  return `${missing}: times are in ${shown}.${help}`;
}

// A duration in its two largest units.
export function durationText(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return waitText(whole);
}

// The same without its seconds, for what is far off: it changes once a minute.
export function waitText(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return "under a minute";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
