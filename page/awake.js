// A screen that stays on: asked of the browser while a kiosk wants it, and told if it is refused.

export class Awake {
  // `refuse` says why the screen may go dark.
  constructor(refuse) {
    this.refuse = refuse;
    // Browsers let go of it whenever the page is hidden.
    this.onVisible = () => this.ask();
    document.addEventListener("visibilitychange", this.onVisible);
  }

  draw({ kiosk, awake }) {
    const isWanted = Boolean(kiosk && awake);
    if (isWanted === this.isWanted) return;
    this.isWanted = isWanted;
    if (isWanted) this.ask();
    else this.release();
  }

  async ask() {
    if (!this.isWanted || document.hidden) return;
    try {
      if (!navigator.wakeLock) throw new Error("it needs https, and a browser that can do it");
      this.lock = await navigator.wakeLock.request("screen");
      if (!this.isWanted) this.release();
    } catch (error) {
      // Refused as well if the page has been hidden meanwhile: then it is asked for again.
      if (this.isWanted && !document.hidden)
        this.refuse(`The screen cannot be kept awake: ${error.message}.`);
    }
  }

  release() {
    this.lock?.release();
    this.lock = null;
  }

  close() {
    document.removeEventListener("visibilitychange", this.onVisible);
    this.isWanted = false;
    this.release();
  }
}
