// Makes tests/data/segments.json.gz: some 3,000 texts with what the npm package
// sms-segments-calculator counts for each. The tests compare ours with it where there is no node.
//
//   npm install --prefix /tmp/segments sms-segments-calculator@1.3.0
//   node tests/data/make_segments.mjs /tmp/segments
//
// Twice gives the same file: the texts come from a seeded generator.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const folder = resolve(process.argv[2] ?? ".");
const require = createRequire(join(folder, "noop.js"));
const { SegmentedMessage } = require("sms-segments-calculator");
const home = join(folder, "node_modules", "sms-segments-calculator");
const { name, version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));

let state = 20261122;
const random = () => {
  // Mulberry32.
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = (n) => Math.floor(random() * n);
const pick = (items) => items[below(items.length)];
const many = (n, items) => Array.from({ length: n }, () => pick(items)).join("");

const basic = [
  ..."@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?",
  ..."¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
];
const extension = [..."\f^{}\\[~]|€"];
const wide = [..."çêâôûÈŁżğıőř’“”–…\t\u00a0\u202f`안녕하세요광고मस्तेสวัสดีسلام你好かな"];
const pairs = [..."🙂🎁𝒜𐍈🀄💖"];
// What a reader sees as one character, and the network as several.
const clusters = [
  "👩‍👩‍👧‍👦", "🇰🇷", "👍🏽", "❤️", "e\u0301", "한".normalize("NFD"), "नि", "\r\n", "1️⃣",
];
const sentences = [
  "Larkfield: Anna, it's been a while. One quick question, one tap to answer:",
  "(광고)Larkfield 오랜만이에요! 15% 할인 쿠폰을 준비했어요.",
  "Larkfield : 10 € de remise jusqu'au 31 août avec le code",
  "Perché no? È già natale {solo oggi} [10€]",
  "Diskon 15% untukmu, s.d. 22 Des.",
  "https://go.example.com/AbCdEfGhJ",
  "Reply STOP to end",
];
const edges = [1, 2, 66, 67, 68, 69, 70, 71, 133, 134, 135, 152, 153, 154, 159, 160, 161, 201, 202];
const more = [268, 305, 306, 307, 335, 459, 460, 480];

const texts = new Set();
const add = (text) => text && texts.add(text);
for (const length of [...edges, ...more]) {
  for (const alphabet of [["a"], basic, ["€"], ["a", "€"], wide, ["ç"], pairs, ["ç", "🙂"]]) {
    add(many(length, alphabet));
  }
  for (const odd of [...extension, ...pairs, ...clusters, "ç"]) {
    // One odd character just before, on and after a boundary.
    for (const back of [0, 1, 2]) {
      add("a".repeat(Math.max(0, length - back)) + odd + "a".repeat(below(160)));
    }
  }
}
for (const char of [...basic, ...extension, ...wide, ...pairs, ...clusters, "\x1b"]) {
  add(char);
  add(`Hi ${char} there`);
}
while (texts.size < 3000) {
  const parts = [];
  for (let left = 1 + below(6); left > 0; left -= 1) {
    const kind = below(8);
    if (kind < 3) parts.push(pick(sentences));
    else if (kind === 3) parts.push(many(below(120), basic));
    else if (kind === 4) parts.push(many(below(20), extension));
    else if (kind === 5) parts.push(many(below(30), wide));
    else if (kind === 6) parts.push(many(below(12), pairs));
    else parts.push(many(below(6), clusters));
  }
  add(parts.join(" "));
}

const counted = [...texts].map((text) => {
  const { encodingName, segmentsCount } = new SegmentedMessage(text);
  return [text, encodingName, segmentsCount];
});
const about = `made by tests/data/make_segments.mjs with ${name} ${version} (npm)`;
const file = join(dirname(fileURLToPath(import.meta.url)), "segments.json.gz");
const content = { about, fields: ["text", "encoding", "segments"], texts: counted };
writeFileSync(file, gzipSync(JSON.stringify(content), { level: 9 }));
console.log(`${file}: ${counted.length} texts`);
