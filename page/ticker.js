// A timer that goes on in a hidden tab, whose own are slowed to one a minute; a worker's are not.

export class Ticker {
  constructor(ms, does) {
    const code = new Blob([`setInterval(() => postMessage(0), ${ms})`], {
      type: "text/javascript",
    });
    this.url = URL.createObjectURL(code);
    this.worker = new Worker(this.url);
    this.worker.onmessage = does;
  }

  close() {
    this.worker.terminate();
    URL.revokeObjectURL(this.url);
  }
}
