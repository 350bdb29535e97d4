// Playing the past on: which second is reached at an instant, and when it is to be asked for.
//
// The present moves on meanwhile, and is caught up with at ×10 and ×30; at ×1 never.

export const SPEEDS = [1, 10, 30];

export class Player {
  // `lookAt` asks for a second, null for live.
  constructor(lookAt) {
    this.lookAt = lookAt;
    this.speed = SPEEDS.at(-1);
    this.from = null;
  }

  get isPlaying() {
    return this.from !== null;
  }

  // Instants are in milliseconds of one clock that never goes back, seconds in those of the market.
  play(second, now) {
    Object.assign(this, { from: second, begun: now, asked: second });
  }

  stop() {
    this.from = null;
  }

  // The speed after this one.
  turn(now) {
    if (this.isPlaying) this.play(this.reached(now), now);
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
  }

  // The second that is reached, with its fraction.
  reached(now) {
    return this.from + ((now - this.begun) / 1000) * this.speed;
  }

  // What was reached is asked for once the second that was asked for before is on the page; at the
  // `newest` it is live.
  advance(now, newest, isAnswered) {
    if (!this.isPlaying) return;
    const reached = this.reached(now);
    if (reached >= newest) {
      this.stop();
      this.lookAt(null);
      return;
    }
    const second = Math.floor(reached);
    if (!isAnswered || second <= this.asked) return;
    this.asked = second;
    this.lookAt(second);
  }
}
