// Times, in the viewer's zone or the one the address asks for.

class Clock {
  constructor(view, isDated) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    const of = (timeZone) => new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
    this.zone = isDated ? view.tz || own : "UTC";
    try {
      this.local = of(this.zone);
    } catch {
      // The server's list of zones is longer than this browser's.
      this.zone = own;
      this.local = of(own);
    }
    this.name = isDated ? this.zone.replaceAll("_", " ") : "tape time";
    this.utc = new Intl.DateTimeFormat("en-GB", {
      ...options, timeZone: "UTC", day: "numeric", month: "short", year: "numeric",
    });
  }

  text(seconds) {
    return this.local.format(seconds * 1000);
  }

  long(seconds) {
    return `${this.utc.format(seconds * 1000)} UTC`;
  }

  // The newest second of those at which clocks here show `text`, "14:32" or "14:32:05"; null for none.
  // Looked for one by one: on two days of the year there is no other way to be right.
  at(text, oldest, newest) {
    const wanted = text.length === 5 ? `${text}:00` : text;
    for (let second = newest; second >= oldest; second -= 1) {
      if (this.text(second) === wanted) return second;
    }
    return null;
  }
}

function durationText(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
}
