// Calls of Regulars for browsers and Node, and a queue of events that survives a restart.

export const CALLS = {
  slate: "GET /v1/customers/{}/recommendations",
  visit: "POST /v1/recommendations",
  page: "POST /v1/pages",
  rank: "POST /v1/rankings",
  batch: "POST /v1/recommendations/batch",
  similar: "GET /v1/products/{}/similar",
  bundles: "GET /v1/products/{}/bundles",
  basketBundles: "POST /v1/baskets/bundles",
  popular: "GET /v1/popular",
  shopList: "GET /v1/lists/{}",
  recentlyViewed: "GET /v1/customers/{}/recently-viewed",
  replenishment: "GET /v1/customers/{}/replenishment",
  followUp: "GET /v1/orders/{}/follow-up",
  report: "POST /v1/events",
  putProducts: "PUT /v1/products",
  product: "GET /v1/products/{}",
  changeProduct: "PATCH /v1/products/{}",
  deleteProduct: "DELETE /v1/products/{}",
  setConsent: "PUT /v1/customers/{}/consent",
  preferences: "GET /v1/customers/{}/preferences",
  setPreferences: "PUT /v1/customers/{}/preferences",
  deletePreferences: "DELETE /v1/customers/{}/preferences",
  setUnused: "PUT /v1/customers/{}/unused",
  profile: "GET /v1/customers/{}/profile",
  forget: "DELETE /v1/customers/{}",
  token: "POST /v1/tokens",
};
const AGAIN = [408, 429, 502, 503, 504];
const TOO_MANY = 429; // the service did nothing
const WHOLE = [413, 422]; // a body that is refused as it is: too large, or not understood
const BATCH = 100;
const KEPT_ALIVE = 60_000; // bytes of a body that a browser sends although its page is gone
const RETRY = { attempts: 4, firstSeconds: 0.2, longestSeconds: 30 };

export class RegularsError extends Error {}

// Nobody was reached, or no JSON came back in time: whether it was done is unknown.
export class NoAnswerError extends RegularsError {}

// The service says what it did not do, and why.
export class ServiceError extends RegularsError {
  constructor(response, problem) {
    const kind = /[^:]*$/.exec(problem.type ?? "")[0];
    const detail = problem.detail ?? response.statusText;
    super(`${response.status} ${kind}: ${detail}`);
    const { status } = response;
    Object.assign(this, { status, kind, detail, errors: problem.errors ?? [] });
    this.retryAfter = retryAfter(response);
  }
}

// Return seconds; null where the answer names none. It may name a date.
function retryAfter(response) {
  const text = response.headers.get("Retry-After");
  const until = /^\d+$/.test(text) ? Date.now() + 1000 * text : Date.parse(text);
  return Number.isNaN(until) ? null : Math.max(until - Date.now(), 0) / 1000;
}

// Return an id that nobody else makes; `crypto` is not everywhere.
const newId = () => [Date.now(), Math.random(), Math.random()].map((n) => n.toString(36)).join("");

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function encode(id) {
  if (!id || id === "." || id === "..") {
    throw new RangeError(`"${id}" cannot stand in an address; send it in the body of a call.`);
  }
  return encodeURIComponent(id);
}

export class Regulars {
  #url;
  #key;
  #timeout;
  #retry;

  // `key`: an API key or a customer's token, or a function that returns it, also as a promise.
  constructor(url, { key, timeoutSeconds = 15, retry = {} } = {}) {
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#timeout = 1000 * timeoutSeconds;
    this.#retry = { ...RETRY, ...retry };
  }

  // Send a call, and again as `retry` says. `mayRepeat`: whether it may be done twice.
  async send(method, path, options, mayRepeat = ["GET", "PUT", "DELETE"].includes(method)) {
    const { attempts, firstSeconds, longestSeconds } = this.#retry;
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#sendOnce(method, path, options);
      if (!(error instanceof RegularsError)) return error.answer;
      const asked = error.retryAfter ?? 0;
      const again =
        attempt < attempts &&
        asked <= longestSeconds &&
        (error.status ? AGAIN.includes(error.status) : !error.garbled) &&
        (mayRepeat || error.status === TOO_MANY);
      if (!again) throw error;
      // By chance, so that clients which were refused together do not come back together.
      const backoff = firstSeconds * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await sleep(asked + Math.min(backoff, longestSeconds));
    }
  }

  // Return the answer, or the error of one attempt.
  async #sendOnce(method, path, options = {}) {
    const key = typeof this.#key === "function" ? await this.#key() : this.#key;
    const init = { method, headers: {}, signal: AbortSignal.timeout(this.#timeout) };
    if (key) init.headers.Authorization = `Bearer ${key}`;
    let url = this.#url + path;
    if (method === "GET") {
      const given = Object.entries(options).filter(([, value]) => value != null);
      const pairs = given.flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
      if (pairs.length) url += `?${new URLSearchParams(pairs)}`;
    } else if (method !== "DELETE") {
      init.headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(options);
      init.keepalive = new TextEncoder().encode(init.body).length < KEPT_ALIVE;
    }
    let response, text;
    try {
      response = await fetch(url, init);
      text = await response.text();
    } catch (cause) {
      return new NoAnswerError(`No answer: ${cause.message}`, { cause });
    }
    let content;
    try {
      content = JSON.parse(text);
    } catch (cause) {
      if (!response.ok) return new ServiceError(response, {});
      const garbled = new NoAnswerError("The answer is no JSON; is this the service?", { cause });
      return Object.assign(garbled, { garbled: true });
    }
    return response.ok ? { answer: content } : new ServiceError(response, content ?? {});
  }

  // Report all that waits in a queue, oldest first. What throws leaves what is left of it there.
  // An event that is sent again, since its answer was lost, has the same id and is not doubled.
  async deliver(queue) {
    const delivery = { stored: 0, refused: [] };
    let size = BATCH;
    for (;;) {
      const waiting = queue.first(size);
      if (!waiting.length) return delivery;
      let rejected;
      try {
        ({ rejected } = await this.report({ events: waiting }));
      } catch (error) {
        if (!WHOLE.includes(error.status)) throw error;
        if (waiting.length > 1) {
          size = Math.floor(waiting.length / 2);
          continue;
        }
        rejected = [{ index: 0, errors: [{ field: "body", problem: error.detail }] }];
      }
      queue.remove(waiting);
      delivery.stored += waiting.length - rejected.length;
      const refused = rejected.map(({ index, errors }) => ({ event: waiting[index], errors }));
      delivery.refused.push(...refused);
      size = Math.min(2 * size, BATCH);
    }
  }
}

for (const [name, call] of Object.entries(CALLS)) {
  const [method, path] = call.split(" ");
  Regulars.prototype[name] = async function (...given) {
    const filled = path.replace("{}", () => encode(given.shift()));
    // A POST of these reads, signs, or has ids of its own. A PATCH could undo one in between.
    return this.send(method, filled, given[0], method !== "PATCH");
  };
}

// Return what a browser keeps for a page, a Map that ends with the process where it keeps nothing.
function openStorage() {
  try {
    return globalThis.localStorage ?? new MemoryStorage();
  } catch {
    return new MemoryStorage(); // forbidden
  }
}

class MemoryStorage extends Map {
  get length() {
    return this.size;
  }
  key(index) {
    return [...this.keys()][index];
  }
  getItem(key) {
    return this.get(key);
  }
  setItem(key, value) {
    this.set(key, value);
  }
  removeItem(key) {
    this.delete(key);
  }
}

// Events that wait to be sent. Each stands under a key of its own, so tabs do not undo each other.
export class EventQueue {
  #name;
  #storage;
  #memory = new MemoryStorage();
  #number = 0;

  // `name`: one for each customer or visit, so that nobody's events are sent as somebody else's.
  constructor({ name = "regulars", storage = openStorage(), most = 1000 } = {}) {
    this.#name = `${name}/`;
    this.#storage = storage;
    this.most = most;
  }

  // Keep an event and return its id. An id and the time of now are added where they are missing.
  add(event) {
    const named = { event_id: newId(), time: new Date().toISOString(), ...event };
    if (this.length >= this.most) throw new RegularsError(`${this.most} events wait to be sent.`);
    const order = `${Date.now()}`.padStart(15, "0") + `${(this.#number += 1)}`.padStart(6, "0");
    const item = [`${this.#name}${order}/${named.event_id}`, JSON.stringify(named)];
    try {
      this.#storage.setItem(...item);
    } catch {
      this.#memory.setItem(...item); // full, or forbidden: it waits as long as the page is there
    }
    return named.event_id;
  }

  get length() {
    return this.#list().length;
  }

  // Return the n events that have waited longest.
  first(n) {
    const found = this.#list().sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, n);
    return found.map(([, text]) => JSON.parse(text));
  }

  remove(events) {
    const ids = new Set(events.map((event) => event.event_id));
    for (const [key, text] of this.#list()) {
      if (!ids.has(JSON.parse(text).event_id)) continue;
      this.#storage.removeItem(key);
      this.#memory.removeItem(key);
    }
  }

  #list() {
    return [this.#storage, this.#memory].flatMap((storage) => {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      const mine = keys.filter((key) => key?.startsWith(this.#name));
      return mine.map((key) => [key, storage.getItem(key)]).filter(([, text]) => text);
    });
  }
}
