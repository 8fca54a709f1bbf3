"use strict";

// Writes down, at the end of the page, which candidates the browser took and whether the page moved.

const pictures = {};
let layoutShift = 0;

function tell() {
  const facts = { window: innerWidth, scale: devicePixelRatio, layoutShift, pictures };
  document.querySelector("#taken").textContent = JSON.stringify(facts, null, 2);
}

function take(image) {
  // The naturalWidth of a picture with srcset is in CSS pixels; of the same file alone it is the file's.
  const file = new Image();
  file.addEventListener("load", () => {
    pictures[image.id] = { url: image.currentSrc, shown: image.clientWidth, pixels: file.naturalWidth };
    tell();
  });
  file.src = image.currentSrc;
}

new PerformanceObserver((list) => {
  layoutShift += list.getEntries().reduce((sum, entry) => sum + entry.value, 0);
  tell();
}).observe({ type: "layout-shift", buffered: true });

for (const image of document.images) {
  image.addEventListener("load", () => take(image));
  if (image.complete && image.naturalWidth > 0) {
    take(image);
  }
}
