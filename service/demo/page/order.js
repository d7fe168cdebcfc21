// An order: it is reported, and the page shows the mail that it triggers.

import { DEADLINE_MS, call, exposed, keep, report, visitor } from "./calls.js";
import { acting, address, h, money, nameOf, shelf } from "./parts.js";
import { use } from "./why.js";
import { missing, totalOf } from "./views.js";

const IN_MAILS = ["TABLE", "TBODY", "TR", "TD", "DIV", "A", "IMG"];
const PLAIN = ["role", "lang", "width", "align", "valign", "colspan", "dir", "alt", "border",
  "cellpadding", "cellspacing"];
const mailPolicy = globalThis.trustedTypes?.createPolicy("mail", { createHTML: (text) => text });

// Report a purchase and go to its page. `isGift`: it says nothing about who bought it.
export async function buy(lines, isGift) {
  const known = visitor();
  const orderId = `demo-${crypto.randomUUID()}`;
  const currency = lines.find((line) => line.currency)?.currency;
  await report({
    kind: "purchase", order_id: orderId, currency,
    lines: lines.map((line) => ({
      product_id: line.id, quantity: line.quantity,
      unit_price: currency && line.currency === currency ? line.price ?? undefined : undefined,
    })),
  });
  const stillUsed = isGift && known.customer_id ? lines.map(({ id }) => id) : [];
  known.orders[orderId] = { lines, isGift, stillUsed };
  known.basket = [];
  keep();
  await strikeOut(known.orders[orderId]);
  document.dispatchEvent(new CustomEvent("go", { detail: address({ order: orderId }) }));
}

// Have the products of a gift not used; those that fail stay on its list.
async function strikeOut(bought) {
  for (const id of [...bought.stillUsed]) {
    const isDone = await use(id, true).then(() => true, () => false);
    if (isDone) bought.stillUsed = bought.stillUsed.filter((other) => other !== id);
    keep();
  }
}

async function strikeOutAgain(bought) {
  await strikeOut(bought);
  if (bought.stillUsed.length) throw new Error("That did not work. Try again later.");
}

function aboutUse({ lines, isGift, stillUsed }) {
  if (!isGift) return "The shop knows of it already. Beside it is the mail that it triggers.";
  if (!stillUsed.length) return "It is a gift, so it says nothing about you: none of it is used.";
  const names = lines.filter(({ id }) => stillUsed.includes(id)).map(nameOf);
  return `It is a gift, but the shop could not be told to leave out ${names.join(", ")}.`;
}

export async function order(orderId) {
  const known = visitor();
  const bought = known.orders[orderId];
  if (!bought) return missing("There is no such order", "Whoever placed it may be somebody else.");
  const [follow, block] = await Promise.all([
    call("GET", `v1/orders/${encodeURIComponent(orderId)}/follow-up?n=6&placement=order&deadline_ms=${DEADLINE_MS}`),
    known.customer_id ? call("GET", blockPath(known.customer_id, orderId)) : null,
  ]);
  const next = shelf(`order ${orderId}`, "Goes with your order", follow);
  exposed([follow]);
  return {
    title: "Thank you",
    parts: [
      h("div", { class: "ordered" },
        h("div", {},
          h("h1", { tabindex: "-1" }, "Thank you for your order"),
          h("p", { class: "lead", dir: "auto" }, aboutUse(bought)),
          bought.stillUsed.length > 0 && h("button", { class: "button button--plain", type: "button",
            onclick: acting(() => strikeOutAgain(bought)) }, "Try again"),
          receipt(bought.lines), next),
        mail(bought, block, follow, known)),
    ],
  };
}

function blockPath(customerId, orderId) {
  const options = new URLSearchParams({ order_id: orderId, n: 4, deadline_ms: DEADLINE_MS });
  return `v1/customers/${encodeURIComponent(customerId)}/recommendations.html?${options}`;
}

function receipt(lines) {
  const rows = lines.map((line) => h("tr", {},
    h("td", {}, `${line.quantity} ×`),
    h("th", { scope: "row", dir: "auto" }, nameOf(line)),
    h("td", { class: "amount" }, money(line.price * line.quantity, line.currency))));
  return h("table", { class: "receipt" },
    h("caption", { class: "hidden" }, "What was ordered"),
    h("tbody", {}, rows),
    h("tfoot", {}, h("tr", {}, h("td", {}), h("th", { scope: "row" }, "Total"),
      h("td", { class: "amount" }, totalOf(lines)))));
}

function mail(bought, block, follow, known) {
  const inside = block === null ? followList(follow) : sheet(block);
  const note = block === null
    ? "Nobody logged in: the mail shows what goes with the order, the same for everyone who buys it."
    : "The lower part is GET /v1/customers/…/recommendations.html, pasted in as it came.";
  return h("aside", { class: "mail", "aria-label": "The mail that the order triggers" },
    h("dl", { class: "mail__head" },
      h("div", {}, h("dt", {}, "From"), h("dd", {}, "The Corner Grocer")),
      h("div", {}, h("dt", {}, "To"), h("dd", { dir: "auto" },
        known.customer_id ? `Customer ${known.customer_id}` : "The address of this order")),
      h("div", {}, h("dt", {}, "Subject"), h("dd", {}, "Your order, and what may be next"))),
    h("div", { class: "mail__body" },
      h("p", {}, "Thank you for shopping with us. We are packing:"),
      receipt(bought.lines),
      h("h2", {}, "You may need next"),
      inside),
    h("p", { class: "mail__note" }, note));
}

function followList(follow) {
  return h("ul", {}, follow.recommendations.slice(0, 4).map((product) =>
    h("li", { dir: "auto" }, `${nameOf(product)}, ${product.reason.text}`)));
}

// Return the block of a mail as elements. Its styles are set one by one, as the page's policy
// allows no style in markup; everything but tables, links and pictures is left out.
export function sheet(block) {
  const text = block.replaceAll(' style="', ' data-css="');
  const parsed = new DOMParser().parseFromString(mailPolicy?.createHTML(text) ?? text, "text/html");
  const frame = h("div", { class: "mail__block", "data-block": true });
  frame.append(...[...parsed.body.childNodes].map(copied).filter(Boolean));
  return frame;
}

function copied(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  if (!IN_MAILS.includes(node.nodeName)) return null;
  const element = document.createElement(node.nodeName);
  for (const name of PLAIN) {
    if (node.hasAttribute(name)) element.setAttribute(name, node.getAttribute(name));
  }
  for (const name of ["href", "src"]) {
    const target = node.getAttribute(name);
    if (target && /^https?:/i.test(target)) element.setAttribute(name, target);
  }
  element.style.cssText = node.getAttribute("data-css") ?? "";
  element.append(...[...node.childNodes].map(copied).filter(Boolean));
  return element;
}
