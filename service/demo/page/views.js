// What the shop shows at each of its addresses: the home, a product, a search, the basket.

import { exposed, keep, page, report, shopper, visitor } from "./calls.js";
import { acting, add, h, link, money, nameOf, shelf, shownIn, tell } from "./parts.js";
import { tile } from "./tiles.js";
import { explain } from "./why.js";
import { buy } from "./order.js";

const ROW = 6;
const WORDS = 4; // of a search; a filter has at most 50 conditions
const NOTES = {
  personal: "Chosen for you from what you bought and looked at. Each product says why.",
  session: "Chosen from what you looked at on this visit, and kept under no name.",
  no_consent: "You said no to personal recommendations, so you see what everyone sees.",
  unknown_customer: "We do not know you yet, so this is what sells now. Look at a product or two.",
  no_history: "We do not know you yet, so this is what sells now. Look at a product or two.",
  store_unavailable: "What you did just now cannot be read at the moment; this may lag behind.",
  rate_limited: "Those were many calls in a minute. This is what sells now; try again soon.",
  deadline: "Choosing took too long, so this is what sells now.",
};

function greeting() {
  return document.querySelector(`[name=persona][value="${shopper()}"]`).dataset.greeting;
}

function isPopular(slate) {
  return slate.recommendations.every(({ reason }) => reason.kind === "popular");
}

function noteOf(slate) {
  if (!slate.fallback_reason && isPopular(slate)) return NOTES.no_history;
  return NOTES[slate.fallback_reason] ?? NOTES[slate.strategy] ?? NOTES.personal;
}

function titleOf(slate) {
  if (isPopular(slate)) return "Popular right now";
  if (slate.strategy === "session") return "For this visit";
  return slate.strategy === "personal" ? "New for you" : "Popular right now";
}

export async function home() {
  const slates = await page([
    { kind: "customer", name: "again", n: ROW, repeat: "auto", placement: "home" },
    { kind: "list", name: "seen", n: ROW, list_name: "recently-viewed" },
    { kind: "customer", name: "fresh", n: 2 * ROW, repeat: "exclude", placement: "home" },
    { kind: "list", name: "cheaper", n: ROW, list_name: "price-dropped" },
  ]);
  const { again, fresh, seen, cheaper } = slates;
  const bought = again.recommendations.filter(({ reason }) => reason.kind === "buy_again");
  const others = again.recommendations.filter(({ reason }) => reason.kind !== "buy_again");
  const rest = bought.length ? 2 * ROW : 3 * ROW;
  const found = [...others, ...fresh.recommendations].slice(0, rest);
  const parts = [
    h("h1", { tabindex: "-1" }, greeting()),
    h("p", { class: "lead" }, noteOf(again)),
    shelf("again", "Buy again", again, bought),
    shelf("fresh", titleOf(fresh), fresh, found),
    shelf("seen", "You looked at", seen),
    shelf("cheaper", "Costs less than before", cheaper),
  ];
  exposed([again, fresh, seen, cheaper]);
  return { title: "The Corner Grocer", parts };
}

export async function product(id) {
  const { itself, units, similar } = await page([
    { kind: "ranking", name: "itself", n: 1, product_ids: [id], rules: "ignore" },
    { kind: "bundles", name: "units", n: 2, product_id: id, size: 3, placement: "product" },
    { kind: "similar", name: "similar", n: ROW, product_id: id, placement: "product" },
  ]);
  const found = itself.recommendations[0] ?? units.recommendations[0]?.anchor;
  if (!found) return missing("There is no such product", "It may have been sold out.");
  report({ kind: "view", product_id: id }).catch(() => {});
  exposed([Object.assign(similar, { shown: similar.recommendations })]);
  const together = units.recommendations.map((unit) => unitOf(unit, units));
  return {
    title: nameOf(found),
    parts: [
      h("article", { class: "product" }, tile(found, "tile--large"), factsOf(found, itself)),
      together.length > 0 && h("section", { class: "shelf" },
        h("h2", {}, "Goes together"), h("div", { class: "units" }, together)),
      shelf(`similar ${id}`, "Similar products", similar),
    ],
  };
}

function factsOf(found, slate) {
  const { reason } = found;
  const facts = [found.brand, ...Object.values(found.attributes ?? {})].filter(
    (fact) => typeof fact === "string");
  return h("div", { class: "product__facts" },
    found.category && h("p", { class: "eyebrow", dir: "auto" }, found.category),
    h("h1", { tabindex: "-1", dir: "auto" }, nameOf(found)),
    h("p", { class: "product__price" }, found.price_text ?? ""),
    facts.length > 0 && h("p", { class: "quietly", dir: "auto" }, facts.join(" · ")),
    reason && h("p", { class: "reason", dir: "auto", lang: slate.language }, reason.text),
    h("div", { class: "row" },
      h("button", { class: "button", type: "button",
        onclick: acting(() => add([found], slate)) }, "Add to basket"),
      reason && h("button", { class: "quiet", type: "button",
        onclick: acting(() => explain(found, slate)) }, "Why this?")));
}

// Return a bundle as one thing with one price.
function unitOf(unit, slate) {
  const products = [unit.anchor, ...unit.products];
  const price = unit.offer?.price_text ?? unit.total_price_text;
  const pictures = products.map((one, index) => [
    index > 0 && h("span", { class: "unit__plus", "aria-hidden": "true" }, "+"),
    link({ product: one.id }, { class: "unit__one" }, tile(one, "tile--small"),
      h("span", { dir: "auto" }, nameOf(one))),
  ]);
  const lift = unit.lift < 10 ? unit.lift.toFixed(1) : Math.round(unit.lift).toLocaleString("en");
  const evidence = unit.offer
    ? `A bundle of the shop: you save ${unit.offer.saving_text}.`
    : `In ${unit.support.toLocaleString("en")} orders together, ${lift} times as often as by chance.`;
  const count = products.length > 2 ? "all" : "both";
  const label = price ? `Add ${count} for ${price}` : `Add ${count}`;
  return h("div", { class: "unit" },
    h("div", { class: "unit__products" }, pictures),
    h("p", { class: "unit__why" }, evidence),
    h("div", { class: "unit__buy" },
      h("strong", { class: "unit__price" }, price ?? ""),
      h("button", { class: "button button--small", type: "button",
        onclick: acting(() => add(products, slate)) }, label)));
}

export function missing(title, text) {
  return {
    title,
    parts: [h("h1", { tabindex: "-1" }, title), h("p", { class: "lead" }, text),
      h("p", {}, link({}, { class: "button" }, "To the shop"))],
  };
}

// Return a condition that titles and categories meet which hold every word, however it is written.
export function conditionOf(text) {
  const words = text.trim().split(/\s+/).slice(0, WORDS);
  const ways = (word) => new Set(
    [word, word.toLowerCase(), word.toUpperCase(), word[0].toUpperCase() + word.slice(1).toLowerCase()]);
  const holds = (word) => [...ways(word)].flatMap((way) => [
    `product.title.contains(${JSON.stringify(way)})`,
    `product.category.contains(${JSON.stringify(way)})`,
  ]);
  return words.map((word) => `(${holds(word).join(" || ")})`).join(" && ");
}

export async function search(text) {
  if (!text.trim()) return home();
  const filter = conditionOf(text);
  const { found } = await page([
    { kind: "customer", name: "found", n: 4 * ROW, repeat: "include", placement: "search", filter },
  ]);
  const count = found.recommendations.length;
  const told = count === 0 ? "Nothing has these words in its title or category."
    : `${count === 4 * ROW ? "The first " : ""}${count} ${count === 1 ? "product" : "products"}, in your own order.`;
  exposed([Object.assign(found, { shown: found.recommendations })]);
  return {
    title: `Search: ${text}`,
    parts: [h("h1", { tabindex: "-1", dir: "auto" }, `“${text}”`), h("p", { class: "lead" }, told),
      shelf(`search ${text}`, "Found", found)],
  };
}

export async function basket() {
  const lines = visitor().basket;
  const ids = lines.map(({ id }) => id);
  const wanted = ids.length ? { kind: "basket", name: "more", n: ROW, placement: "basket" }
    : { kind: "replenishment", name: "more", n: ROW, ahead_days: 7, placement: "home" };
  const { more } = await page([wanted], { basket: ids });
  const products = ids.length ? more.recommendations.flatMap((unit) => unit.products.slice(0, 1))
    : more.recommendations;
  exposed([Object.assign(more, { shown: products })]);
  return {
    title: "Your basket",
    parts: [
      h("h1", { tabindex: "-1" }, "Your basket"),
      ids.length ? linesOf(lines) : h("p", { class: "lead" }, "There is nothing in it yet."),
      shelf("basket", ids.length ? "Completes your basket" : "Due within a week", more, products),
    ],
  };
}

function linesOf(lines) {
  const rows = lines.map((line) => h("li", { class: "line", "data-product": line.id },
    tile(line, "tile--small"),
    h("p", { class: "line__title", dir: "auto" }, link({ product: line.id }, {}, nameOf(line))),
    h("label", { class: "line__count" }, h("span", { class: "hidden" }, `Quantity of ${nameOf(line)}`),
      h("input", { type: "number", min: 1, max: 99, value: line.quantity,
        onchange: ({ target }) => setQuantity(line, target) })),
    h("p", { class: "line__price" }, money(line.price * line.quantity, line.currency)),
    h("button", { class: "quiet", type: "button", "aria-label": `Remove ${nameOf(line)}`,
      onclick: acting(() => remove(line)) }, "Remove")));
  const gift = h("input", { type: "checkbox", id: "gift" });
  return h("div", { class: "checkout" },
    h("ul", { class: "lines" }, rows),
    h("aside", { class: "sum" },
      h("p", { class: "sum__total" }, h("span", {}, "Total"), h("strong", {}, totalOf(lines))),
      visitor().customer_id && h("label", { class: "check" }, gift,
        h("span", {}, "A gift: don’t use this purchase for my recommendations")),
      h("button", { class: "button button--wide", type: "button",
        onclick: acting(() => buy(lines, gift.checked)) }, "Place the order"),
      h("p", { class: "quietly" }, "Nothing is delivered, and nothing is paid.")));
}

export function totalOf(lines) {
  const priced = lines.filter((line) => line.price != null && line.currency);
  const total = priced.reduce((sum, line) => sum + line.price * line.quantity, 0);
  return priced.length ? money(total, priced[0].currency) : "–";
}

function setQuantity(line, input) {
  line.quantity = Math.min(99, Math.max(1, Math.round(Number(input.value)) || 1));
  document.dispatchEvent(new CustomEvent("basket"));
}

async function remove(line) {
  const known = visitor();
  known.basket = known.basket.filter(({ id }) => id !== line.id);
  keep();
  await report({ kind: "remove_from_cart", product_id: line.id, ...shownIn() });
  document.dispatchEvent(new CustomEvent("basket"));
  tell(`${nameOf(line)} is out of your basket.`);
}
