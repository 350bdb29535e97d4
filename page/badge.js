// The icon of the tab with a number on it.

const SIZE = 64;
const MOST = 9;

export class Badge {
  constructor() {
    this.count = 0;
  }

  // `colours` are those of the number and of what is behind it. Without a canvas, or with an icon that
  // may not be read, the icon stays as it is.
  async show(count, colours) {
    const link = document.querySelector('link[rel~="icon"]');
    if (!link || count === this.count) return;
    if (link.href !== this.drawn) this.plain = link.href;
    this.count = count;
    if (!count) {
      link.href = this.plain;
      return;
    }
    try {
      const image = new Image();
      image.src = this.plain;
      await image.decode();
      const drawn = drawBadge(image, count, colours);
      // Another number may have come meanwhile.
      if (count === this.count) link.href = this.drawn = drawn;
    } catch {
      // It stays as it is.
    }
  }
}

function drawBadge(image, count, { text, ground }) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, SIZE, SIZE);
  const radius = 0.34 * SIZE;
  context.fillStyle = ground;
  context.beginPath();
  context.arc(SIZE - radius, radius, radius, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = text;
  context.font = `700 ${0.5 * SIZE}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(
    count > MOST ? `${MOST}+` : `${count}`,
    SIZE - radius,
    radius * 1.06,
    2 * radius,
  );
  return canvas.toDataURL("image/png");
}
