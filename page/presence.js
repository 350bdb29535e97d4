// Whether somebody looks at the page, and since when nobody did.

const AWAY_MS = 120_000;
const SIGNS = ["pointermove", "pointerdown", "keydown"];

// A viewer leaves when the page is hidden or another window is in front of it, and is back when it is
// seen again or used: a pointer may pass over it while another window has the keyboard.
export class Presence {
  // `onLeave` is called when a viewer leaves, `onReturn` when one comes back after more than two
  // minutes.
  constructor(onLeave, onReturn) {
    Object.assign(this, { onLeave, onReturn });
    this.leftAt = null;
  }

  // Instants are in milliseconds.
  leave(now) {
    if (this.leftAt !== null) return;
    this.leftAt = now;
    this.onLeave();
  }

  notice(now, isInFront) {
    const isBack = this.isAway(now);
    this.leftAt = null;
    if (isBack) this.onReturn();
    if (!isInFront) this.leave(now);
  }

  // Whether nobody looked for so long that what came meanwhile was missed.
  isAway(now) {
    return this.leftAt !== null && now - this.leftAt > AWAY_MS;
  }

  // Follow what the browser tells of it; returns how to stop that.
  follow() {
    const notice = () => this.notice(Date.now(), document.hasFocus());
    const leave = () => this.leave(Date.now());
    const turn = () => (document.hidden ? leave() : notice());
    const heard = [
      [document, "visibilitychange", turn],
      ...SIGNS.map((name) => [document, name, notice]),
      [globalThis, "focus", notice],
      [globalThis, "blur", leave],
    ];
    for (const [target, name, does] of heard) target.addEventListener(name, does);
    return () => {
      for (const [target, name, does] of heard) target.removeEventListener(name, does);
    };
  }
}
