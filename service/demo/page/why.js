// "Why this?": the reason of a recommendation, what is behind it, and what the customer can do.

import { DEADLINE_MS, call, visitor } from "./calls.js";
import { acting, dismiss, h, isPersonal, link, nameOf, tell } from "./parts.js";

const SOURCES = {
  own_purchases: "You buy it yourself.",
  own_interest: "You looked at it before.",
  factors: "Customers whose taste is like yours buy it.",
  neighbours: "The same customers buy it who buy something that you know.",
  similar: "It can stand in for the product that you look at.",
  bought_together: "It often lies in the same basket.",
  category: "It sells in a category that you buy from.",
  popular: "Many customers buy it now.",
  new: "It has just come on sale.",
  liked: "You said that you like what it bears.",
  price_dropped: "It costs less than before.",
  back_in_stock: "It was sold out, and is back.",
  best_rated: "Customers rated it best.",
  pinned: "The shop put it here.",
  fill: "It sells well, and fills this row up.",
};
const ABOUT_THEM = ["personal", "session"]; // strategies
const FROM_PURCHASES = ["buy_again", "because_you_bought", "similar_customers"];

// Open the dialog with some content.
export function open(title, ...content) {
  const dialog = document.querySelector("#dialog");
  dialog.replaceChildren(
    h("h2", { id: "dialog-title" }, title),
    ...content.filter(Boolean),
    h("form", { method: "dialog" }, h("button", { class: "quiet dialog__close" }, "Close")));
  if (!dialog.open) dialog.showModal();
  return dialog;
}

function close() {
  document.querySelector("#dialog").close();
}

function chanceOf(product, slate) {
  if (slate.score_kind !== "probability" || !(product.score > 0)) return null;
  const share = Math.max(1, Math.round(product.score * 100));
  return h("p", {}, `The model expects that ${share} of 100 such customers buy it within four weeks.`);
}

async function behind(product) {
  const ids = product.reason.product_ids.filter((id) => id !== product.id);
  if (!ids.length) return [];
  const known = await call("POST", "v1/rankings", {
    product_ids: ids, rules: "ignore", fields: "card", deadline_ms: DEADLINE_MS,
  });
  return known.recommendations;
}

// Tell the service to stop using a purchase.
export async function stopUsing(productId, name) {
  await use(productId, true);
  tell(`${name}: that you bought it is not used any more.`);
}

export async function use(productId, unused) {
  const customer = encodeURIComponent(visitor().customer_id);
  await call("PUT", `v1/customers/${customer}/unused`, { product_id: productId, unused });
  document.dispatchEvent(new CustomEvent("changed"));
}

function stopButtons(product, others) {
  if (!visitor().customer_id || !FROM_PURCHASES.includes(product.reason.kind)) return [];
  const used = product.reason.kind === "buy_again" ? [product] : others;
  return used.map((one) =>
    h("button", { class: "button button--plain", type: "button",
      onclick: acting(async () => { await stopUsing(one.id, nameOf(one)); close(); }) },
      `Don’t use this purchase: ${nameOf(one)}`));
}

export async function explain(product, slate) {
  const others = await behind(product);
  open(`Why ${nameOf(product)}?`,
    h("p", { class: "dialog__reason", dir: "auto", lang: slate.language }, product.reason.text),
    h("p", {}, SOURCES[product.source] ?? "",
      !ABOUT_THEM.includes(slate.strategy) && " Nothing about you was used."),
    others.length > 0 && h("p", {}, "It comes from ",
      others.map((other, index) => [index ? ", " : "",
        link({ product: other.id }, { dir: "auto", onclick: close }, nameOf(other))]), "."),
    chanceOf(product, slate),
    h("div", { class: "dialog__actions" },
      stopButtons(product, others),
      isPersonal(slate) && h("button", { class: "button button--plain", type: "button",
        onclick: acting(async () => { await dismiss(product, slate); close(); }) },
        "Not interested")));
}
