// <regulars-slate placement="home" customer-token="…">: a slate in the page of a shop.

import { EventQueue, Regulars } from "./regulars.js";

const TEXTS = {
  heading: "Recommended for you",
  add: "Add to basket",
  addOne: "Add to basket: {product}",
  dismiss: "✕",
  dismissOne: "Not interested: {product}",
  added: "{product} is in your basket.",
  dismissed: "{product} will not be suggested to you again.",
  question: "May we count what you see and choose here, so that we suggest better products?",
  yes: "Yes",
  no: "No",
};
const RETRY = { attempts: 2 };
const WEB = ["http:", "https:"];

// Every height is known before the slate is: what follows in the page stays where it is.
const SHEET = `
:host { display: block; min-block-size: var(--regulars-height, 31rem); line-height: 1.4; }
:host([hidden]), :host([state=empty]), :host([state=failed]) { display: none; }
* { box-sizing: border-box; margin: 0; }
h2 { font-size: 1.25rem; line-height: 2rem; block-size: 2.5rem; overflow: hidden; }
ul { display: grid; grid-auto-flow: column; gap: 1rem; padding: .25rem; list-style: none;
  grid-auto-columns: minmax(var(--regulars-card-width, 11rem), 1fr); overflow-x: auto; }
li { position: relative; display: grid; align-content: start; gap: .25rem; min-inline-size: 0;
  grid-template-rows: 9rem 2.8rem 1.4rem 2.6rem 2.75rem; }
li > * { overflow: hidden; overflow-wrap: anywhere; }
a { color: inherit; }
[part~=picture] { inline-size: 100%; block-size: 100%; object-fit: contain; border-radius: .5rem; }
div[part~=picture] { display: grid; place-items: center; font-size: 3rem;
  background: color-mix(in srgb, currentColor 8%, transparent); }
[part~=title] { font-weight: 600; }
[part~=reason] { font-size: .875rem; line-height: 1.3rem; }
button { font: inherit; color: inherit; background: none; border: 1px solid; border-radius: .5rem;
  min-block-size: 2.75rem; min-inline-size: 2.75rem; padding: 0 .75rem; cursor: pointer; }
[part~=dismiss] { position: absolute; inset-block-start: 0; inset-inline-end: 0; padding: 0; border: 0;
  border-radius: 50%; background: Canvas; color: CanvasText; line-height: 1; }
:focus-visible { outline: 3px solid; outline-offset: -3px; }
footer { padding-block: .5rem; }
footer button { margin-block-start: .25rem; }
`;
let sheet;

function make(tag, part, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.setAttribute("part", part);
  element.append(...children);
  return element;
}

// Return an address that a link may lead to, none for what is no page of the web.
function safeUrl(text) {
  try {
    const url = new URL(text ?? "blank:", location.href);
    return WEB.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

// Return whom a token names. The service checks the token; here its names keep queues apart.
function readToken(token) {
  const [, payload = ""] = (token ?? "").split(".");
  try {
    return JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}

// Return the answer that is kept. Where a browser keeps nothing, the next page asks again.
function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export class RegularsSlate extends HTMLElement {
  static observedAttributes =
    ["service", "customer-token", "placement", "count", "product-id", "texts", "consent"];
  static texts = TEXTS; // of all slates in the page
  #root = this.attachShadow({ mode: "open" });
  #seen = new IntersectionObserver((entries) => this.#see(entries), { threshold: 0.5 });
  #isVisible;
  #isExposed;
  #pending;
  #parts = {};
  #answer = null;
  #delivering = Promise.resolve();
  #warn = (error) => this.#tell("error", { error });

  connectedCallback() {
    sheet ??= new CSSStyleSheet();
    sheet.replaceSync(SHEET);
    this.#root.adoptedStyleSheets = [sheet];
    this.#seen.observe(this);
    this.#reload();
  }

  disconnectedCallback() {
    this.#seen.disconnect();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after || !this.#parts.list) return;
    if (name === "consent") this.#consented();
    else this.#reload();
  }

  #reload() {
    const turn = (this.#pending = Promise.resolve().then(() => {
      if (turn === this.#pending && this.isConnected) return this.#load(turn);
    }));
  }

  async #load(turn) {
    const token = this.getAttribute("customer-token");
    const { sub, sid } = readToken(token);
    this.customer = sub;
    this.name = `regulars/${sub ?? sid ?? ""}`;
    this.client = new Regulars(this.getAttribute("service") ?? "", { key: token, retry: RETRY });
    this.queue = new EventQueue({ name: this.name });
    this.slate = this.#answer = null;
    this.#isExposed = false;
    try {
      const texts = JSON.parse(this.getAttribute("texts") ?? "{}");
      this.text = { ...RegularsSlate.texts, ...texts };
      this.#draw();
      const slate = await this.#ask();
      if (turn === this.#pending) this.#show(slate);
    } catch (error) {
      if (turn !== this.#pending) return;
      this.setAttribute("state", "failed");
      this.#warn(error);
    }
  }

  #ask() {
    const options = { n: this.#count, placement: this.getAttribute("placement") };
    const product = this.getAttribute("product-id");
    return product ? this.client.similar(product, options) : this.client.visit(options);
  }

  get #count() {
    return Number(this.getAttribute("count") ?? 4);
  }

  // Show as many empty places as products are asked for.
  #draw() {
    this.setAttribute("state", "loading");
    const heading = make("h2", "heading", { textContent: this.text.heading, id: "heading" });
    const blanks = Array.from({ length: this.#count }, () => {
      const tile = make("div", "picture placeholder");
      return make("li", "card placeholder", { ariaHidden: "true" }, tile);
    });
    const list = make("ul", "list", { role: "list" }, ...blanks);
    const status = make("p", "status", { role: "status" });
    const footer = make("footer", "footer", {}, status);
    const section = make("section", "section", { ariaBusy: "true" }, heading, list, footer);
    section.setAttribute("aria-labelledby", "heading");
    this.#parts = { section, heading, list, status, footer };
    this.#root.replaceChildren(section);
    heading.tabIndex = -1;
    if (this.consent === null) this.#question();
  }

  #show(slate) {
    this.slate = slate;
    const { section, list } = this.#parts;
    list.replaceChildren(...slate.recommendations.map((product) => this.#card(product)));
    section.ariaBusy = "false";
    this.setAttribute("state", slate.count ? "ready" : "empty");
    this.#consented();
  }

  #card(product) {
    const name = product.title || product.id;
    const href = safeUrl(product.url);
    const link = (...parts) => (href ? this.#link(product, href, parts) : parts);
    const title = make("p", "title", { dir: "auto" });
    title.append(...[link(name)].flat());
    const reason = make("p", "reason", { dir: "auto", textContent: product.reason?.text ?? "" });
    reason.lang = this.slate.language;
    const add = this.#button("add", () => this.#add(product, name));
    const dismiss = this.#button("dismiss", () => this.#dismiss(product, name, card));
    add.ariaLabel = this.#say("addOne", name);
    dismiss.ariaLabel = dismiss.title = this.#say("dismissOne", name);
    const price = make("p", "price", { textContent: product.price_text ?? "" });
    const card = make("li", "card", {}, this.#picture(product, name), title, price, reason, add, dismiss);
    return card;
  }

  #button(part, pressed) {
    const button = make("button", part, { type: "button", textContent: this.text[part] });
    button.addEventListener("click", pressed);
    return button;
  }

  #link(product, href, children) {
    const link = make("a", "link", { href }, ...children);
    link.addEventListener("click", () => this.#report({ kind: "click", product_id: product.id }));
    return link;
  }

  #picture(product, name) {
    const tile = make("div", "picture tile", { ariaHidden: "true", textContent: /[\p{L}\p{N}]/u.exec(name) });
    const src = safeUrl(product.image_url);
    if (!src) return tile;
    const image = make("img", "picture", { alt: "", loading: "lazy", src });
    image.addEventListener("error", () => image.replaceWith(tile));
    return image;
  }

  #add(product, name) {
    if (!this.#tell("add", { product })) return; // the shop has said itself what became of it
    this.#report({ kind: "cart", product_id: product.id });
    this.#parts.status.textContent = this.#say("added", name);
  }

  #dismiss(product, name, card) {
    const next = card.nextElementSibling ?? card.previousElementSibling;
    card.remove();
    (next?.querySelector("[part=dismiss]") ?? this.#parts.heading).focus();
    this.#parts.status.textContent = this.#say("dismissed", name);
    this.#tell("dismiss", { product });
    // What the customer asks for, whether they want to be counted or not
    this.#send({ kind: "dismiss", product_id: product.id });
  }

  #say(text, product) {
    return this.text[text].replace("{product}", () => product);
  }

  // Tell the page; false where it has prevented what would follow.
  #tell(name, detail) {
    const options = { detail, bubbles: true, composed: true, cancelable: true };
    return this.dispatchEvent(new CustomEvent(`regulars-${name}`, options));
  }

  // Return whether events may be reported: true, false, or null where nobody has answered.
  get consent() {
    const answer = this.getAttribute("consent") ?? this.#answer ?? remember(`${this.name}?`);
    return answer === "granted" ? true : answer ? false : null;
  }

  #question() {
    const answer = (value) => () => {
      remember(`${this.name}?`, value);
      this.#answer = value;
      question.remove();
      this.#parts.heading.focus();
      this.#consented();
      if (this.customer) {
        const measure = value === "granted";
        this.client.setConsent(this.customer, { measure }).catch(this.#warn);
      }
    };
    const yes = this.#button("yes", answer("granted"));
    const no = this.#button("no", answer("denied"));
    const text = this.text.question;
    const question = make("div", "question", { role: "group", ariaLabel: text }, text, " ", yes, " ", no);
    this.#parts.question = question;
    this.#parts.footer.append(question);
  }

  #consented() {
    if (this.consent !== null) this.#parts.question?.remove();
    if (!this.consent) return;
    this.#deliver(); // what an earlier page could not send
    this.#expose();
  }

  #see(entries) {
    this.#isVisible = entries.at(-1).isIntersecting;
    this.#expose();
  }

  // Report once that a slate was seen.
  #expose() {
    const shown = this.slate?.recommendations.map(({ id }) => id);
    if (this.#isExposed || !this.#isVisible || !this.consent || !shown?.length) return;
    this.#isExposed = true;
    this.#report({ kind: "exposure", product_ids: shown });
  }

  #report(event) {
    if (this.consent) this.#send(event);
  }

  #send(event) {
    const { recommendation_id: id, placement } = this.slate;
    try {
      this.queue.add({ ...event, recommendation_id: id, placement });
    } catch (error) {
      this.#warn(error); // the queue is full
    }
    this.#deliver();
  }

  #deliver() {
    const { client, queue } = this;
    this.#delivering = this.#delivering.then(() => client.deliver(queue)).catch(this.#warn);
  }
}

customElements.define("regulars-slate", RegularsSlate);
