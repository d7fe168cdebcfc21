// Calls of the API with the token of who is shopping, and what the browser remembers of them.

const STORED = "regulars-demo";
export const DEADLINE_MS = 2000; // of slates, on a machine that trains meanwhile
const LOGGED = 30; // calls that the foot of the page lists
const kept = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
const logged = [];

export class CallError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Return what is kept of a persona: token, customer_id, basket, orders, refused.
export function visitor(persona = shopper()) {
  kept.visitors ??= {};
  return (kept.visitors[persona] ??= { basket: [], orders: {} });
}

export function shopper() {
  return kept.persona ?? document.querySelector("[name=persona]").value;
}

export function become(persona) {
  kept.persona = persona;
  keep();
}

export function leave(persona) {
  delete kept.visitors[persona];
  keep();
}

export function keep() {
  sessionStorage.setItem(STORED, JSON.stringify(kept));
}

// Call the API; log in first, and again where the token has ended.
export async function call(method, path, body) {
  const persona = shopper();
  if (!visitor(persona).token) await logInOnce(persona);
  try {
    return await send(method, path, body, visitor(persona).token);
  } catch (error) {
    if (error.status !== 401) throw error;
    await logInOnce(persona);
    return send(method, path, body, visitor(persona).token);
  }
}

// Log in whoever is shopping, so that their customer_id is known; they may change meanwhile.
export async function loggedIn() {
  while (!visitor().token) await logInOnce(shopper());
}

const loggingIn = {}; // by persona: calls that are made at once share a visit

function logInOnce(persona) {
  loggingIn[persona] ??= logIn(persona).finally(() => delete loggingIn[persona]);
  return loggingIn[persona];
}

// Have the demonstration name a customer for a persona, and sign a token.
async function logIn(persona) {
  const session = await send("POST", "demo/session", { persona });
  const known = visitor(persona);
  Object.assign(known, { token: session.token, customer_id: session.customer_id });
  keep();
  if (Object.keys(session.answers).length) await answerFirst(known, session);
}

// Give a customer's answers, unless they have given some before.
async function answerFirst(known, { token, customer_id, answers }) {
  const path = `v1/customers/${encodeURIComponent(customer_id)}`;
  const { consent } = await send("GET", `${path}/profile?n=1`, undefined, token);
  const asked = Object.keys(answers).some((purpose) => consent[purpose].given !== null);
  if (!asked) await send("PUT", `${path}/consent`, answers, token);
  setRefused(known, !(asked ? consent.personalize_web.holds : answers.personalize_web));
}

async function send(method, path, body, token) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const started = performance.now();
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
  }).catch(() => {
    throw new CallError(0, "The service does not answer. Is it still running?");
  });
  const text = await response.text();
  note(method, path, response.status, performance.now() - started);
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  if (!response.ok) {
    const problem = isJson ? JSON.parse(text) : {};
    throw new CallError(response.status, problem.detail ?? problem.title ?? response.statusText);
  }
  return isJson ? JSON.parse(text) : text;
}

function note(method, path, status, milliseconds) {
  logged.unshift(`${method} /${path}: ${status}, ${Math.round(milliseconds)} ms`);
  logged.length = Math.min(logged.length, LOGGED);
  const lines = logged.map((line) => {
    const entry = document.createElement("li");
    entry.textContent = line;
    return entry;
  });
  document.querySelector("#calls ol").replaceChildren(...lines);
}

// Report events. A shop keeps nothing but orders and wishes of who said no.
const ALWAYS = ["purchase", "dismiss"];
const ABOUT_THEM = ["customer", "ranking", "replenishment"]; // kinds of slates that ask for consent
const SAYS_NOTHING = [ // of consent
  "deadline", "rate_limited", "store_unavailable", "no_candidates", "model_damaged"];
let reported = Promise.resolve(); // once everything is stored that the next slates follow

// Keep whether a visitor said no. Until an answer tells, it counts as no.
export function setRefused(known, refused) {
  known.refused = refused;
  keep();
}

export function report(...events) {
  const isAllowed = visitor().refused === false;
  const wanted = events.filter(({ kind }) => isAllowed || ALWAYS.includes(kind));
  if (!wanted.length) return Promise.resolve();
  const time = new Date().toISOString();
  const complete = wanted.map((event) => ({ event_id: crypto.randomUUID(), time, ...event }));
  const stored = call("POST", "v1/events", { events: complete }).then(taken);
  if (wanted.some(({ kind }) => kind !== "exposure")) {
    reported = Promise.allSettled([reported, stored]);
  }
  return stored;
}

function taken({ rejected }) {
  if (!rejected.length) return;
  const [{ field, problem }] = rejected[0].errors;
  throw new CallError(422, `This was not stored: ${field} ${problem}.`);
}

// Return the slates of a page by the names of its parts.
export async function page(parts, more = {}) {
  await reported;
  const known = visitor();
  const answer = await call("POST", "v1/pages", { parts, deadline_ms: DEADLINE_MS, ...more });
  const slates = Object.fromEntries(answer.parts.map((part) => [part.name, part.answer]));
  for (const part of answer.parts) part.answer.personal = part.kind === "customer";
  learnRefusal(known, answer.parts.filter(({ kind }) => ABOUT_THEM.includes(kind)));
  return slates;
}

function learnRefusal(known, parts) {
  const reasons = parts.map((part) => part.answer.fallback_reason);
  const telling = reasons.filter((reason) => !SAYS_NOTHING.includes(reason));
  if (telling.length) setRefused(known, telling.includes("no_consent"));
}

// Report what was shown, behind what the customer waits for.
export function exposed(slates) {
  const shown = slates.filter((slate) => slate.shown.length);
  const events = shown.map((slate) => ({
    kind: "exposure",
    product_ids: slate.shown.map((product) => product.id),
    recommendation_id: slate.recommendation_id,
    placement: slate.placement ?? undefined,
  }));
  report(...events).catch(() => {});
}
