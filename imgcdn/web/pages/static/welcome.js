"use strict";

// The page works without this: it adds the copy buttons and tells what the browser received.

function absolute(url) {
  return new URL(url, location.href).href;
}

function prepareCopying(sample) {
  const field = sample.querySelector(".copy input");
  const button = sample.querySelector(".copy button");
  field.value = absolute(field.value);
  field.addEventListener("focus", () => field.select());
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      // No clipboard outside https and localhost: leave the URL selected, one key press away.
      field.select();
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

function markWidth(sample, url) {
  for (const link of sample.querySelectorAll(".widths a")) {
    link.setAttribute("aria-current", String(link.href === url));
  }
}

// What the browser itself noted when it loaded the picture; not every browser tells the media type.
function noted(url) {
  const entry = performance.getEntriesByName(url, "resource").at(-1);
  return { mediaType: entry?.contentType || "", bytes: entry?.encodedBodySize || 0 };
}

// A script's own request says "Accept: */*", which negotiates another variant than an <img> does.
// Asked for by the media type that came, it is the same one.
async function headers(url, mediaType) {
  const response = await fetch(url, { method: "HEAD", headers: { Accept: mediaType }, cache: "no-store" });
  return response.ok ? response.headers : new Headers();
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

async function tellReceived(sample, picture) {
  const url = picture.currentSrc;
  markWidth(sample, url);
  const { mediaType, bytes } = noted(url);
  const facts = [mediaType, bytes ? kilobytes(bytes) : ""];
  if (mediaType) {
    try {
      const received = await headers(url, mediaType);
      facts[0] = received.get("Content-Type") || facts[0];
      facts[1] = received.has("Content-Length") ? kilobytes(Number(received.get("Content-Length"))) : facts[1];
      facts.push(received.get("Cache-Status") || "");
    } catch {
      // The picture is on the page all the same; what the browser noted has to do.
    }
  }
  if (picture.currentSrc === url) {
    sample.querySelector(".received").textContent = facts.filter(Boolean).join(" · ");
  }
}

for (const sample of document.querySelectorAll(".sample")) {
  const picture = sample.querySelector("img");
  prepareCopying(sample);
  // Again after each choice: a wider window, another screen.
  picture.addEventListener("load", () => tellReceived(sample, picture));
  picture.addEventListener("error", () => { sample.querySelector(".received").textContent = "This picture did not load."; });
  if (picture.complete && picture.naturalWidth > 0) {
    tellReceived(sample, picture);
  }
}
