// The shop's addresses, who is shopping, and showing the page again after every change.

import { become, keep, shopper, visitor } from "./calls.js";
import { forgetShelves, hush } from "./parts.js";
import { basket, home, missing, product, search } from "./views.js";
import { me } from "./person.js";
import { order } from "./order.js";

const main = document.querySelector("#main");
let turn = 0; // of the page that was asked for last: a slower one before it is not shown

function view() {
  const query = new URLSearchParams(location.search);
  if (query.has("product")) return product(query.get("product"));
  if (query.has("order")) return order(query.get("order"));
  if (query.has("q")) return search(query.get("q"));
  if (query.get("page") === "basket") return basket();
  return query.get("page") === "me" ? me() : home();
}

let shownFor = null;  // the query of the address

// Show what the address asks for. `isNew`: the customer went there, so it begins at its top.
async function show({ isNew = true, focus = null } = {}) {
  const mine = (turn += 1);
  shownFor = location.search;
  main.setAttribute("aria-busy", "true");
  const shown = await view().catch((error) => missing("That did not work", error.message));
  if (mine !== turn) return;
  const before = document.activeElement;
  const shelf = main.contains(before) ? before.closest("[data-shelf]")?.dataset.shelf : null;
  const wasInside = main.contains(before);
  main.replaceChildren(...shown.parts.filter(Boolean));
  main.setAttribute("aria-busy", "false");
  document.title = shown.title;
  showCount();
  if (isNew) begin();
  else if (focus) main.querySelector(focus)?.focus();
  else if (wasInside) (headingOf(shelf) ?? main.querySelector("h1"))?.focus({ preventScroll: true });
}

function headingOf(shelf) {
  return shelf && main.querySelector(`[data-shelf="${CSS.escape(shelf)}"] h2`);
}

let isFirst = true;

function begin() {
  if (!isFirst) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
  isFirst = false;
}

function go(address) {
  hush();
  history.pushState(null, "", address);
  return show();
}

function showCount() {
  const count = visitor().basket.reduce((sum, line) => sum + line.quantity, 0);
  document.querySelector("#count").textContent = count;
}

function showPersona() {
  const chosen = document.querySelector(`[name=persona][value="${shopper()}"]`);
  chosen.checked = true;
  document.querySelector("#about").textContent = chosen.dataset.about;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[data-go]");
  if (!anchor || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  document.querySelector("#dialog").close();
  go(anchor.getAttribute("href"));
});
document.querySelector(".find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = new FormData(event.target).get("q").trim();
  go(text ? `demo?${new URLSearchParams({ q: text })}` : "demo");
});
document.querySelector(".who__people").addEventListener("change", ({ target }) => {
  become(target.value);
  forgetShelves();
  showPersona();
  const { search } = location;
  if (search.includes("order=")) go("demo");
  else show({ isNew: false });
});
document.addEventListener("basket", () => {
  keep();
  showCount();
  show({ isNew: false });
});
document.addEventListener("changed", ({ detail }) => show({ isNew: false, ...detail }));
document.addEventListener("go", ({ detail }) => go(detail));
window.addEventListener("popstate", () => {
  if (location.search !== shownFor) show();  // a jump within the page shows nothing new
});
showPersona();
show();
