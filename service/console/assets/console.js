// Keeps parts of a page new: an element with data-live is read again every so many seconds, a form
// with data-try shows what it would do while it is filled in, and mails are drawn. Everything else
// on these pages is plain links and forms, and works without this file.

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

async function tryOut(form, signal) {
  const sent = new URLSearchParams(new FormData(form));
  sent.set("act", "preview");
  try {
    const answer = await fetch(form.action, { method: "POST", body: sent, signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const newer = page.getElementById(form.dataset.try);
    if (!newer) return;
    document.getElementById(form.dataset.try).replaceChildren(...newer.childNodes);
    drawMails();
  } catch {
    // Something else was typed meanwhile, or the service is away: what was tried last stays.
  }
}

for (const form of document.querySelectorAll("form[data-try]")) {
  let waiting, running;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    running?.abort();
    running = new AbortController();
    waiting = setTimeout(tryOut, 400, form, running.signal);
  });
}

// A mail is drawn element by element: the page's policy allows no style in markup, and nothing of a
// mail but tables, words, links and pictures belongs on this page.
const IN_MAILS = new Set(["TABLE", "TBODY", "TR", "TD", "A", "IMG", "SPAN", "S"]);
const ATTRIBUTES = ["role", "lang", "dir", "alt", "width", "height", "align", "valign", "colspan", "border", "cellpadding", "cellspacing", "bgcolor"];

function drawMails() {
  for (const mail of document.querySelectorAll("[data-mail]")) {
    const text = mail.dataset.mail.replaceAll(' style="', ' data-css="').replace(/<style>.*?<\/style>/gs, "");
    const parsed = new DOMParser().parseFromString(text, "text/html");
    mail.replaceChildren(...draw(parsed.body));
    mail.removeAttribute("data-mail");
  }
}

function draw(parent) {
  return [...parent.childNodes].flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.data)];
    if (!IN_MAILS.has(node.nodeName)) return [];
    const element = document.createElement(node.nodeName);
    for (const name of ATTRIBUTES) {
      if (node.hasAttribute(name)) element.setAttribute(name, node.getAttribute(name));
    }
    const source = node.getAttribute("src");
    if (source && /^https?:/i.test(source)) element.src = source;
    element.style.cssText = node.dataset.css ?? "";
    element.append(...draw(node));
    return [element];
  });
}

drawMails();
