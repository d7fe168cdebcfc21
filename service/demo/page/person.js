// "What you know about me": consent, what is used, what is stored, and being forgotten.

import { call, leave, loggedIn, setRefused, shopper, visitor } from "./calls.js";
import { acting, day, h, link, nameOf, tell } from "./parts.js";
import { open, use } from "./why.js";

const PURPOSES = {
  personalize_web: ["Choose products for me on the shop’s pages", "Without it, you see what everyone sees."],
  personalize_email: ["Choose products for me in mails", "Without it, mails show what sells."],
  measure: ["Count what I am shown", "Without it, what you are shown is counted without your number, or not at all."],
  train: ["Learn from my purchases", "Without it, the next training leaves your history out."],
};

function pathOf(rest = "") {
  return `v1/customers/${encodeURIComponent(visitor().customer_id)}${rest}`;
}

export async function me() {
  await loggedIn();
  const title = "What you know about me";
  const heading = h("h1", { tabindex: "-1" }, title);
  if (shopper() === "gift") {
    const text = "Nobody is logged in. This visit is known by a random number that ends with it, and by no name.";
    return { title, parts: [heading, h("p", { class: "lead" }, text)] };
  }
  const known = visitor();
  const profile = await call("GET", pathOf("/profile?n=12"));
  setRefused(known, !profile.consent.personalize_web.holds);
  return {
    title,
    parts: [
      heading,
      h("p", { class: "lead" }, summaryOf(profile)),
      h("div", { class: "columns" },
        h("div", {}, consentOf(profile), usedFor(profile), away(profile)),
        h("div", {}, productsOf(profile), struckOut(profile))),
    ],
  };
}

function summaryOf({ customer_id, known }) {
  if (!known.events) return `You are customer ${customer_id}. Nothing is known about you yet.`;
  const since = known.first_purchase && `, the first on ${day(known.first_purchase)}`;
  return `You are customer ${customer_id}. We know of ${known.products_bought.toLocaleString("en")} `
    + `products that you bought${since || ""}.`;
}

function consentOf({ consent }) {
  const switches = Object.entries(PURPOSES).map(([purpose, [label, without]]) => {
    const answer = consent[purpose];
    const told = answer.given === null ? "You were never asked." : `You said ${answer.given ? "yes" : "no"} on ${day(answer.time)}.`;
    const input = h("input", { type: "checkbox", role: "switch", id: purpose, checked: answer.holds,
      "aria-describedby": `${purpose}-more`, onchange: ({ target }) => setConsent(purpose, target) });
    return h("div", { class: "switch" }, input,
      h("div", {}, h("label", { for: purpose }, label),
        h("p", { class: "quietly", id: `${purpose}-more` }, `${without} ${told}`)));
  });
  return h("section", {}, h("h2", {}, "What you allow"), switches);
}

async function setConsent(purpose, input) {
  const known = visitor();
  try {
    await call("PUT", pathOf("/consent"), { [purpose]: input.checked });
    if (purpose === "personalize_web") setRefused(known, !input.checked);
    tell("It holds from now on.");
    document.dispatchEvent(new CustomEvent("changed", { detail: { focus: `#${purpose}` } }));
  } catch (error) {
    input.checked = !input.checked;
    tell(error.message);
  }
}

function usedFor({ used_for }) {
  const sentences = used_for.map((sentence) => h("li", {}, sentence));
  return h("section", {}, h("h2", {}, "What it is used for"),
    sentences.length ? h("ul", {}, sentences) : h("p", {}, "For nothing."));
}

function productsOf({ products }) {
  if (!products.length) return null;
  const rows = products.map((product) => h("li", { class: "known", "data-product": product.id },
    h("div", {}, h("p", { dir: "auto" }, link({ product: product.id }, {}, nameOf(product))),
      h("p", { class: "quietly", dir: "auto" }, product.text)),
    h("button", { class: "quiet", type: "button", "aria-label": `Don’t use ${nameOf(product)}`,
      onclick: acting(() => use(product.id, true)) }, "Don’t use this")));
  return h("section", {}, h("h2", {}, "What says most about you"), h("ul", { class: "plain" }, rows));
}

function struckOut({ known }) {
  if (!known.products_not_used.length) return null;
  const rows = known.products_not_used.map((id) => h("li", { class: "known" },
    h("p", {}, link({ product: id }, {}, id)),
    h("button", { class: "quiet", type: "button", "aria-label": `Use ${id} again`,
      onclick: acting(() => use(id, false)) }, "Use again")));
  return h("section", {}, h("h2", {}, "What is not used"), h("ul", { class: "plain" }, rows));
}

function away() {
  return h("section", {}, h("h2", {}, "Take it along, or away"),
    h("div", { class: "row" },
      h("button", { class: "button button--plain", type: "button", onclick: acting(showStored) },
        "Everything stored about me"),
      h("button", { class: "button button--danger", type: "button", onclick: askTwice }, "Forget me")));
}

async function showStored() {
  const stored = await call("GET", pathOf("/export"));
  open("Everything stored about you",
    h("pre", { class: "stored", tabindex: "0" }, JSON.stringify(stored, null, 1)));
}

function askTwice() {
  open("Forget everything about you?",
    h("p", {}, "Your orders, your answers and what was learned from them are erased, and never used again. Nothing undoes it."),
    h("div", { class: "dialog__actions" },
      h("button", { class: "button button--danger", type: "button", onclick: acting(forget) },
        "Yes, forget me")));
}

async function forget() {
  const receipt = await call("DELETE", pathOf());
  const deleted = Object.entries(receipt.deleted).filter(([, count]) => count);
  const persona = shopper();
  leave(persona);
  document.dispatchEvent(new CustomEvent("basket"));
  const dialog = open("You are forgotten",
    h("p", {}, `Customer ${receipt.customer_id} is in no answer any more, and in no training to come.`),
    deleted.length > 0 && h("p", {}, "Deleted: ",
      deleted.map(([kind, count]) => `${count} ${kind.replaceAll("_", " ")}`).join(", "), "."),
    h("details", {}, h("summary", {}, "The receipt"),
      h("pre", { class: "stored", tabindex: "0" }, JSON.stringify(receipt, null, 1))),
    h("p", {}, "The shop goes on with the next customer of this kind."));
  const goHome = () => document.dispatchEvent(new CustomEvent("go", { detail: "demo" }));
  dialog.addEventListener("close", goHome, { once: true });
}
