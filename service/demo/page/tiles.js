// Pictures of products: the shop's own, else a drawing of the category.

import { s } from "./parts.js";

// Lines on a sheet of 48 by 48.
const DRAWINGS = {
  apple: "M24 15c-4-3-13-2-13 7 0 9 6 17 10 17 1 0 2-1 3-1s2 1 3 1c4 0 10-8 10-17 0-9-9-10-13-7zM24 15c0-4 2-7 6-8",
  citrus: "M24 10a14 14 0 1 0 .1 0M24 14v20M14 24h20M17 17l14 14M31 17 17 31",
  banana: "M35 8c3 14-6 28-22 30-3 0-4-3-2-4 12-4 18-12 19-25zM30 9l5-2",
  grapes: "M16 20a4 4 0 1 0 .1 0M24 20a4 4 0 1 0 .1 0M32 20a4 4 0 1 0 .1 0M20 27a4 4 0 1 0 .1 0M28 27a4 4 0 1 0 .1 0M24 34a4 4 0 1 0 .1 0M24 17c0-4 2-7 5-9",
  onion: "M24 14c8 4 13 9 13 15 0 7-6 10-13 10s-13-3-13-10c0-6 5-11 13-15zM24 14c0-3 1-5 3-7M19 19c-4 6-4 14 1 20M29 19c4 6 4 14-1 20",
  potato: "M14 18c5-8 18-9 22-1 4 9 0 20-10 21-11 2-18-11-12-20zM20 23v.1M29 20v.1M25 31v.1M18 30v.1M32 27v.1",
  carrot: "M30 18c3 3 3 6 0 9-5 5-12 9-19 11-1 0-2-1-1-2 2-7 6-14 11-18 3-3 6-3 9 0zM30 18c1-5 4-9 9-10M30 18c4-2 8-2 11-2M20 23l4 4M15 30l3 3",
  leaf: "M10 38C8 20 20 8 40 8c0 20-12 32-30 30zM10 38l20-20M22 26v-9M17 31v-8M26 22h8",
  milk: "M15 19v21h18V19l-4-7H19zM15 19h18M19 12V7h10v5M20 27h8M20 33h8",
  egg: "M24 8c6 0 11 10 11 18a11 11 0 0 1-22 0c0-8 5-18 11-18z",
  bread: "M12 22c-6-1-6-12 4-12h16c10 0 10 11 4 12v16H12zM19 18v3M24 17v4M29 18v3",
  cheese: "M7 27l25-14c5 0 9 5 9 11zM7 27l34-3v11H7zM15 34a2 2 0 1 0 .1 0M28 30a2 2 0 1 0 .1 0",
  meat: "M13 12c8-5 21-1 23 9 2 10-4 17-11 16-4-1-5-4-9-5-8-2-10-15-3-20zM21 18a4 4 0 1 0 .1 0",
  fish: "M6 24c6-10 20-12 27-3l9-6v18l-9-6c-7 9-21 7-27-3zM14 22v.1M22 19c2 3 2 7 0 10",
  bottle: "M21 6h6v9l4 6v20H17V21l4-6zM17 26h14M17 34h14",
  wine: "M16 8h16c1 9-2 16-8 16s-9-7-8-16zM24 24v15M17 40h14M16 14h16",
  can: "M13 12v24c0 5 22 5 22 0V12M13 12c0 5 22 5 22 0s-22-5-22 0M13 21c0 5 22 5 22 0M13 29c0 5 22 5 22 0",
  jar: "M16 8h16v6H16zM14 20c0-3 2-6 4-6h12c2 0 4 3 4 6v20H14zM14 24h20M14 33h20",
  box: "M12 9h24v31H12zM12 18h24M18 25h12M18 31h8",
  cup: "M10 17h24v11c0 6-5 11-12 11s-12-5-12-11zM34 20c9-1 9 11 0 11M17 12c0-3 2-3 2-6M25 12c0-3 2-3 2-6",
  cone: "M15 22a9 9 0 0 1 18 0zM15 22l9 20 9-20M20 31l7-9",
  frost: "M24 6v36M9 15l30 18M39 15 9 33M24 13l-4-4M24 13l4-4M24 35l-4 4M24 35l4 4M14 18l-5 2M34 30l5-2",
  candy: "M16 24a8 8 0 1 0 16 0 8 8 0 1 0-16 0M17 20l-10-6v20l10-6M31 20l10-6v20l-10-6M20 20l8 8",
  cookie: "M24 8a16 16 0 1 0 16 16c-5 1-8-3-6-7-5 1-10-4-7-9zM18 20v.1M20 31v.1M30 30v.1M15 26v.1M25 25v.1",
  cake: "M10 24h28v15H10zM10 31c3 4 6 4 9 0 3 4 6 4 9 0 3 4 6 4 10 0M24 24v-8M24 11v.1",
  spray: "M18 21h13v19H18zM20 21v-7h9v7M20 14v-4h12l3 4h-6M38 8v.1M41 12v.1M38 15v.1",
  roll: "M11 14a9 5 0 1 0 18 0 9 5 0 1 0-18 0M11 14v20c0 3 4 5 9 5s9-2 9-5V14M29 17h9v19h-9M20 14v.1",
  paw: "M24 24c5 0 10 6 10 11 0 6-7 3-10 3s-10 3-10-3c0-5 5-11 10-11zM12 20a3 4 0 1 0 .1 0M19 12a3 4 0 1 0 .1 0M29 12a3 4 0 1 0 .1 0M36 20a3 4 0 1 0 .1 0",
  flower: "M24 7a5 5 0 1 1 0 9 5 5 0 1 1 0-9M33 14a5 5 0 1 1-4 8M15 14a5 5 0 1 0 4 8M20 22a5 5 0 1 0 8 0M24 27v15M24 37c5 0 8-2 9-6",
  pump: "M15 21h18v19H15zM21 21v-7h6v7M24 14V9h-7v3M20 29h8",
  cross: "M20 9h8v11h11v8H28v11h-8V28H9v-8h11z",
  baby: "M17 19h14v18c0 5-14 5-14 0zM19 19v-4h10v4M21 15c0-7 6-7 6 0M17 26h5M17 32h5",
  book: "M24 14c-4-3-9-4-14-4v26c5 0 10 1 14 4 4-3 9-4 14-4V10c-5 0-10 1-14 4zM24 14v26",
  grain: "M24 42V16M24 23c-6 0-9-4-9-9 6 0 9 4 9 9zM24 23c6 0 9-4 9-9-6 0-9 4-9 9zM24 33c-6 0-9-4-9-9 6 0 9 4 9 9zM24 33c6 0 9-4 9-9-6 0-9 4-9 9zM24 14c-2-3-2-5 0-8 2 3 2 5 0 8z",
  bag: "M12 16h24l2 24H10zM18 20v-5c0-9 12-9 12 0v5",
};

// The first that fits, of the category before the title.
const KINDS = [
  [/dressing|mayon/, "jar"],
  [/dog|cat food|cat litter|pet\b/, "paw"],
  [/baby|infant|diaper/, "baby"],
  [/flor(al|ist)|flower|plant|bouquet|rose/, "flower"],
  [/magazine|book|card|stationery|wrap/, "book"],
  [/ice cream|novelt|cone|sherbet/, "cone"],
  [/frozen/, "frost"],
  [/juice|soft drink|water|isotonic|beverage|drink|liquor|beer|ales|cola|lemonade/, "bottle"],
  [/wine|spirits/, "wine"],
  [/cigar|tobacco|sugar/, "box"],
  [/coffee|tea\b|teas|cocoa/, "cup"],
  [/banana/, "banana"],
  [/citrus|lemon|lime|orange|grapefruit/, "citrus"],
  [/salad|lettuce|spinach|greens|herb|celery|broccoli|cucumber|organic/, "leaf"],
  [/onion|garlic/, "onion"],
  [/potato|yams/, "potato"],
  [/grape/, "grapes"],
  [/carrot|pepper|tomato|vegetable|mushroom|corn|squash|bean/, "carrot"],
  [/fruit|apple|pear|berr|grape|melon|peach|avocado|mango|produce/, "apple"],
  [/egg/, "egg"],
  [/cheese/, "cheese"],
  [/milk|yogurt|cream|dairy|butter|margarine/, "milk"],
  [/cookie|snack|chip|cracker|popcorn|pretzel|nuts/, "cookie"],
  [/bread|bun|roll|bagel|dough|tortilla/, "bread"],
  [/cake|pie|pastr|muffin|donut|baked|sweet goods|dessert|baking/, "cake"],
  [/fish|seafood|shrimp|tuna|salmon/, "fish"],
  [/beef|pork|chicken|turkey|meat|bacon|sausage|ham|hot dog|poultry|lamb/, "meat"],
  [/candy|chocolate|gum/, "candy"],
  [/soup|canned|shelf stable/, "can"],
  [/sauce|condiment|dressing|jam|jelly|peanut butter|pickle|oil|syrup|spread|spice|honey/, "jar"],
  [/pasta|noodle|rice|flour|grain/, "grain"],
  [/cereal|breakfast|mix|dinner|pizza/, "box"],
  [/paper|tissue|towel|napkin|foil|bags|housewares/, "roll"],
  [/clean|laundry|detergent|dishwash|air care|household|bleach|mop/, "spray"],
  [/soap|hair|shampoo|makeup|skin|hand|bath|deodorant|shav|cosmetic|oral|sun/, "pump"],
  [/vitamin|cold|analgesic|aid|antacid|allergy|health|diet|medic/, "cross"],
  [/grocery/, "box"],
];

function drawingOf(product) {
  for (const text of [product.category, product.title, product.attributes?.department]) {
    const words = (text ?? "").toLowerCase();
    const found = words && KINDS.find(([pattern]) => pattern.test(words));
    if (found) return DRAWINGS[found[1]];
  }
  return DRAWINGS.bag;
}

// Return a colour that is always the same for a text, in degrees.
function hueOf(text) {
  let hue = 0;
  for (const letter of text) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  return hue;
}

function drawn(product) {
  const ground = s("circle", { cx: 24, cy: 24, r: 23 });
  const lines = s("path", { d: drawingOf(product) });
  return s("svg", { viewBox: "-4 -4 56 56", "aria-hidden": "true" }, ground, lines);
}

// Return the picture of a product, of a size that is known before it has come.
export function tile(product, ...classes) {
  const frame = document.createElement("div");
  frame.classList.add("tile", ...classes);
  frame.style.setProperty("--hue", hueOf(product.category ?? product.title ?? product.id));
  if (!product.image_url) {
    frame.append(drawn(product));
    return frame;
  }
  const image = document.createElement("img");
  image.alt = "";
  image.loading = "lazy";
  image.addEventListener("error", () => frame.replaceChildren(drawn(product)));
  image.src = product.image_url;
  frame.append(image);
  return frame;
}
