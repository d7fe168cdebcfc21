// Parts that pages are built of. Texts are put in as text: nothing of a product can become markup.

import { report, visitor } from "./calls.js";
import { tile } from "./tiles.js";
import { explain } from "./why.js";

const SVG = "http://www.w3.org/2000/svg";
const LOCALE = document.documentElement.dataset.locale;

// Return an element. `on…` of its properties are listeners, all others are attributes.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function money(amount, currency) {
  if (amount == null || !currency) return "";
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency }).format(amount);
}

export function day(text) {
  return new Intl.DateTimeFormat("en", { dateStyle: "long" }).format(new Date(text));
}

export function nameOf(product) {
  return product.title || product.id;
}

export function address(query) {
  const search = new URLSearchParams(query).toString();
  return search ? `demo?${search}` : "demo";
}

export function link(query, properties, ...children) {
  return h("a", { href: address(query), "data-go": true, ...properties }, ...children);
}

let shownUntil;

// Tell something at the foot of the window, and to who hears the page.
export function tell(text) {
  const toast = document.querySelector("#toast");
  toast.textContent = text;
  toast.classList.add("toast--on");
  clearTimeout(shownUntil);
  shownUntil = setTimeout(hush, 5000);
}

export function hush() {
  document.querySelector("#toast").classList.remove("toast--on");
}

// Run an action of a button, which cannot be pressed twice, and tell what went wrong.
export function acting(action) {
  return async ({ currentTarget: button }) => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await action(button);
    } catch (error) {
      tell(error.message);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
}

// Return events' words for where a product was shown.
export function shownIn(slate) {
  const placement = slate?.placement ?? undefined;
  return { recommendation_id: slate?.recommendation_id, placement };
}

export async function add(products, slate) {
  const { basket } = visitor();
  for (const product of products) {
    const line = basket.find(({ id }) => id === product.id);
    if (line) line.quantity += 1;
    else basket.push({ ...pick(product), quantity: 1 });
  }
  const events = products.map(({ id }) => ({ kind: "cart", product_id: id, ...shownIn(slate) }));
  await report(...events);
  document.dispatchEvent(new CustomEvent("basket"));
  tell(`${products.map(nameOf).join(" and ")} ${products.length > 1 ? "are" : "is"} in your basket.`);
}

const KEPT = ["id", "title", "category", "price", "currency", "price_text", "image_url", "attributes"];

function pick(product) {
  return Object.fromEntries(KEPT.map((name) => [name, product[name]]));
}

function cross() {
  return s("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    s("path", { d: "M4 4l8 8M12 4l-8 8" }));
}

// Return whether a slate follows what its customer or visit does; others are the same for everyone.
export function isPersonal(slate) {
  return slate.personal === true && slate.fallback_reason !== "no_consent";
}

export async function dismiss(product, slate) {
  await report({ kind: "dismiss", product_id: product.id, ...shownIn(slate) });
  document.dispatchEvent(new CustomEvent("changed"));
  tell(`${nameOf(product)} will not be suggested to you again.`);
}

// Return a product of a slate: a picture, its price, why it is here, and what can be done.
export function card(product, slate, { isNew = false } = {}) {
  const name = nameOf(product);
  const clicked = () =>
    report({ kind: "click", product_id: product.id, ...shownIn(slate) }).catch(() => {});
  return h("li", { class: isNew ? "card card--new" : "card", "data-product": product.id },
    tile(product),
    isNew && h("span", { class: "card__new" }, "New here"),
    isPersonal(slate) && h("button", {
      class: "card__dismiss", type: "button", "aria-label": `Not interested: ${name}`,
      title: "Not interested", onclick: acting(() => dismiss(product, slate)),
    }, cross()),
    h("div", { class: "card__text" },
      h("p", { class: "card__title", dir: "auto" },
        link({ product: product.id }, { onclick: clicked }, name)),
      h("p", { class: "card__price" }, product.price_text ?? "\u00a0"),
      h("p", { class: "card__why", dir: "auto", lang: slate.language }, product.reason.text)),
    h("div", { class: "card__actions" },
      h("button", { class: "button button--small", type: "button", "aria-label": `Add ${name}`,
        onclick: acting(() => add([product], slate)) }, "Add"),
      h("button", { class: "quiet", type: "button", "aria-label": `Why this? ${name}`,
        onclick: acting(() => explain(product, slate)) }, "Why this?")));
}

const SHORT = 40; // characters of a reason that takes two lines

// What each shelf showed last, so that what has changed can be seen.
const before = new Map();

export function forgetShelves() {
  before.clear();
}

// Return a row of products under a heading, null where there is none.
export function shelf(key, title, slate, products = slate.recommendations) {
  slate.shown = products;
  if (!products.length) return null;
  const earlier = before.get(key);
  before.set(key, new Set(products.map(({ id }) => id)));
  const cards = products.map((product) =>
    card(product, slate, { isNew: Boolean(earlier) && !earlier.has(product.id) }));
  const isShort = products.every(({ reason }) => reason.text.length <= SHORT);
  return h("section", { class: isShort ? "shelf shelf--short" : "shelf", "data-shelf": key },
    h("h2", { tabindex: "-1" }, title),
    h("ul", { class: "grid" }, cards));
}
