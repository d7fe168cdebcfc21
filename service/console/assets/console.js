// Keeps parts of a page new: an element with data-live is read again every so many seconds.
// Everything else on these pages is plain links and forms, and works without this file.

async function renew(part) {
  if (document.hidden || part.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const newer = page.getElementById(part.id);
    if (newer && newer.innerHTML !== part.innerHTML) part.replaceChildren(...newer.childNodes);
  } catch {
    // The service is away; what was read last stays.
  }
}

for (const part of document.querySelectorAll("[data-live]")) {
  setInterval(renew, 1000 * Number(part.dataset.live), part);
}
