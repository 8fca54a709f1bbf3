"use strict";

// The page works without this script, which adds the copy buttons and shows what the browser received.

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

// Return what the browser recorded when it loaded the picture. Some browsers do not record the media type.
function noted(url) {
  const entry = performance.getEntriesByName(url, "resource").at(-1);
  return { mediaType: entry?.contentType || "", bytes: entry?.encodedBodySize || 0 };
}

// A script's own request says "Accept: */*", which may negotiate another variant than an <img> does.
// An Accept with the media type that the <img> received gets the same variant.
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
      // The picture is shown all the same, with what the browser recorded.
    }
  }
  if (picture.currentSrc === url) {
    sample.querySelector(".received").textContent = facts.filter(Boolean).join(" · ");
  }
}

for (const sample of document.querySelectorAll(".sample")) {
  const picture = sample.querySelector("img");
  prepareCopying(sample);
  // Runs again when the browser chooses another candidate, for a wider window or another screen.
  picture.addEventListener("load", () => tellReceived(sample, picture));
  picture.addEventListener("error", () => { sample.querySelector(".received").textContent = "This picture did not load."; });
  if (picture.complete && picture.naturalWidth > 0) {
    tellReceived(sample, picture);
  }
}
