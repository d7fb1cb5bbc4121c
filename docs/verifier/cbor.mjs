// Deterministic CBOR (RFC 8949 section 4.2.1), one spelling for every value: integers are
// BigInt, byte strings Buffer, texts String, arrays Array, maps Map with text keys.

import { createHash } from 'node:crypto';

/** A refusal. `reason`: malformed, commitment, place, order, second, names, shape,
 *  targets, inclusion or signature. */
export class Refused extends Error {
  constructor(reason, why) {
    super(`${reason}: ${why}`);
    this.reason = reason;
  }
}

/** Refuse unless something holds. */
export const need = (holds, reason, why) => {
  if (!holds) throw new Refused(reason, why);
};
/** SHA-256 of some parts, one after the other; a number stands for one byte. */
export const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'number' ? Buffer.of(part) : part);
  return hash.digest();
};
export const isBytes = (value, size) => Buffer.isBuffer(value) && value.length === size;
export const isText = (value) => typeof value === 'string';

const DEEPEST = 16;
const LONGEST = 777 * 1024; // of evidence
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Read one value that fills `data`; anything but its one spelling is refused. */
export function decode(data) {
  need(data.length <= LONGEST, 'malformed', 'CBOR too long');
  const reader = { data, at: 0 };
  const value = readItem(reader, 0);
  need(reader.at === data.length, 'malformed', 'bytes after the CBOR value');
  return value;
}

function take(reader, size) {
  need(size <= reader.data.length - reader.at, 'malformed', 'CBOR cut short');
  reader.at += Number(size);
  return reader.data.subarray(reader.at - Number(size), reader.at);
}

function readHead(reader) {
  const first = take(reader, 1)[0];
  const major = first >> 5;
  const info = first & 31;
  if (major === 7) {
    need(info >= 20 && info <= 22, 'malformed', 'a float or simple value');
    return [major, BigInt(info)];
  }
  need(major !== 6 && info <= 27, 'malformed', 'a tag or an indefinite length');
  if (info < 24) return [major, BigInt(info)];
  const argument = BigInt(`0x${take(reader, 1 << (info - 24)).toString('hex')}`);
  const least = info === 24 ? 24n : 1n << BigInt(4 << (info - 24));
  need(argument >= least, 'malformed', 'a number in more bytes than it needs');
  return [major, argument];
}

function readItem(reader, depth) {
  const [major, argument] = readHead(reader);
  if (major === 0) return argument;
  if (major === 1) return -1n - argument;
  if (major === 2) return Buffer.from(take(reader, argument));
  if (major === 3) return readText(take(reader, argument));
  if (major === 7) return [false, true, null][Number(argument) - 20];
  need(depth < DEEPEST, 'malformed', `nested over ${DEEPEST} deep`);
  // Each item takes a byte at least: no count may promise more than there is.
  need(argument <= reader.data.length - reader.at, 'malformed', 'CBOR cut short');
  return (major === 4 ? readArray : readMap)(reader, Number(argument), depth + 1);
}

/** Read UTF-8, a byte order mark included. */
export function readText(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Refused('malformed', 'a text that is not UTF-8');
  }
}

function readArray(reader, count, depth) {
  const items = [];
  for (let number = 0; number < count; number += 1) items.push(readItem(reader, depth));
  return items;
}

function readMap(reader, count, depth) {
  const map = new Map();
  let last = Buffer.alloc(0);
  for (let number = 0; number < count; number += 1) {
    const start = reader.at;
    const key = readItem(reader, depth);
    const spelt = reader.data.subarray(start, reader.at);
    need(isText(key), 'malformed', 'a key that is no text');
    need(Buffer.compare(last, spelt) < 0, 'malformed', 'keys that do not ascend');
    last = spelt;
    map.set(key, readItem(reader, depth));
  }
  return map;
}

/** Write a value in its one spelling. */
export function encode(value) {
  if (value === false) return Buffer.from([0xf4]);
  if (value === true) return Buffer.from([0xf5]);
  if (value === null) return Buffer.from([0xf6]);
  if (typeof value === 'bigint') {
    return value >= 0n ? writeHead(0, value) : writeHead(1, -1n - value);
  }
  if (isText(value)) {
    const bytes = Buffer.from(value, 'utf-8');
    return Buffer.concat([writeHead(3, bytes.length), bytes]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([writeHead(2, value.length), value]);
  if (Array.isArray(value)) {
    return Buffer.concat([writeHead(4, value.length), ...value.map(encode)]);
  }
  const pairs = [...value].map((pair) => pair.map(encode));
  pairs.sort(([one], [other]) => Buffer.compare(one, other));
  return Buffer.concat([writeHead(5, pairs.length), ...pairs.flat()]);
}

function writeHead(major, argument) {
  const number = BigInt(argument);
  if (number < 24n) return Buffer.from([(major << 5) | Number(number)]);
  const step = [8n, 16n, 32n, 64n].findIndex((bits) => number < 1n << bits);
  const digits = number.toString(16).padStart(2 << step, '0');
  return Buffer.concat([Buffer.from([(major << 5) | (24 + step)]), Buffer.from(digits, 'hex')]);
}
