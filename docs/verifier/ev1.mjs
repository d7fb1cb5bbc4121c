#!/usr/bin/env node
// Checks the evidence of one audit event (`ev1`, draft): a second implementation, made
// after docs/formats.md, without dependencies, to be read in one sitting.
//
//   node ev1.mjs FILE.evidence [--vkey VKEY] [--witness-vkey VKEY]...
//
// It leads the shown fields to the event's commitment, the commitment to the leaf, the
// leaf to the root of the checkpoint, and the checkpoint to the keys that you name: the
// log's, and Ed25519 keys of witnesses, all of which must have cosigned.
//
// Ends with 0: witnessed · 1: refused · 2: usage, or no evidence · 3: not refuted, but not
// every witness named, or no witness, or no key at all, stands behind it.

import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Refused, decode, encode, isBytes, isText, need, sha256 } from './cbor.mjs';
import { isSignedBy, readReceipt, readVkey, rootOf } from './receipt.mjs';

export { Refused, decode, encode, readVkey };

const FACTS = [
  'event_id', 'names', 'tenant', 'action', 'outcome', 'occurred_at', 'schema', 'producer',
  'targets', 'region', 'corrects',
];
const FREE_ROOTS = new Set([
  'reason', 'before', 'after', 'decision', 'request', 'correlation_id', 'trace_id', 'roles',
  'details',
]);

// Control characters and, fixed as of Unicode 15, format characters.
const UNSEEN = new RegExp(
  '[\\0-\\x1f\\x7f-\\x9f\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e'
  + '\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2064\\u2066-\\u206f\\ufeff\\ufff9-\\ufffb\\u{110bd}'
  + '\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0001}'
  + '\\u{e0020}-\\u{e007f}]', 'u');

/** Whether a text may be a part of a name, or an id. */
function isPlain(text, most) {
  const size = [...text].length;
  return size >= 1 && size <= most && !UNSEEN.test(text) && text.normalize('NFC') === text;
}

/** Whether a name may be a free field's: the id of a thing, or parts below a known root. */
function isFree(name) {
  if (/^targets\/[0-9]$/.test(name)) return true;
  const [root, ...rest] = name.split('/');
  const parts = rest.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return FREE_ROOTS.has(root) && rest.length <= 3 && !/~(?![01])/.test(name)
    && parts.every((part) => isPlain(part, 128));
}

/** The name that a slot must have; '' where no field may stand, null for free names. */
function coreName(group, slot) {
  if (group === 0) return FACTS[slot] ?? '';
  if (slot === 0) return group === 1 ? 'actor' : 'target';
  return slot === 1 ? 'names' : null;
}

/** Read the leaf of an event: 01 || CBOR [0, time_ms, C, X], 80 bytes. */
export function readLeaf(leaf) {
  need(isBytes(leaf, 80) && leaf[0] === 1, 'malformed', 'not a leaf of 80 bytes');
  const value = decode(leaf.subarray(1));
  need(Array.isArray(value) && value.length === 4 && value[0] === 0n, 'malformed', 'leaf type');
  const [, timeMs, commitment, indexDigest] = value;
  const inRange = typeof timeMs === 'bigint' && timeMs >= 1n << 32n && timeMs < 1n << 53n;
  need(inRange && isBytes(commitment, 32) && isBytes(indexDigest, 32), 'malformed', 'leaf');
  return { timeMs: Number(timeMs), commitment, indexDigest };
}

/** Read an index entry, CBOR [epoch, [tag, ...], blind], and give its digest, the leaf's X. */
export function readIndexEntry(data) {
  const value = decode(data);
  need(Array.isArray(value) && value.length === 3, 'malformed', 'index entry');
  const [epoch, tags, blind] = value;
  const inRange = typeof epoch === 'bigint' && epoch >= 0n && epoch < 1n << 32n;
  need(inRange && Array.isArray(tags), 'malformed', 'index entry');
  need(isBytes(blind, 16), 'malformed', 'a blind of 16 bytes');
  need(tags.length >= 1 && tags.length <= 16, 'malformed', 'from 1 to 16 tags');
  need(tags.every((tag) => isBytes(tag, 16)), 'malformed', 'a tag of 16 bytes');
  const ascend = tags.every((tag, at) => at === 0 || Buffer.compare(tags[at - 1], tag) < 0);
  need(ascend, 'malformed', 'tags that do not ascend');
  return { epoch, tags, blind, digest: sha256(0x15, data) };
}

/** Check a disclosure (its decoded value) against a leaf: {timeMs, fields, hidden, single},
 *  fields being [group, slot, name, value] in order. */
export function checkDisclosure(groups, leaf) {
  const { timeMs, commitment } = readLeaf(leaf);
  const isList = Array.isArray(groups) && groups.length >= 2 && groups.length <= 12;
  need(isList, 'malformed', 'from 2 to 12 groups');
  const digests = groups.map(groupDigest);
  need(sha256(0x23, ...digests).equals(commitment), 'commitment', 'not of this leaf');
  const shown = groups.flatMap(checkGroup);
  checkSecond(shown, groups.flatMap((group) => (Buffer.isBuffer(group) ? [] : group[1] ?? [])));
  for (const field of shown) checkShape(...field);
  checkTargets(shown, groups.length);
  const slots = groups.flatMap((group) => (Buffer.isBuffer(group) ? [] : group[0]));
  return {
    timeMs, fields: shown, hidden: slots.filter(Buffer.isBuffer).length, single: isSingle(groups),
  };
}

function groupDigest(group) {
  if (isBytes(group, 32)) return group;
  need(Array.isArray(group) && group.length === 2, 'malformed', 'a group');
  const [slots, names] = group;
  need(Array.isArray(slots) && slots.length > 0 && slots.length <= 80, 'malformed', 'slots');
  need(slots.length % 4 === 0, 'malformed', 'slots come by fours');
  const isList = names === null || (Array.isArray(names) && names.every(isText));
  need(isList, 'malformed', 'names are texts');
  return sha256(0x22, ...slots.map(slotDigest));
}

function slotDigest(slot) {
  if (isBytes(slot, 32)) return slot;
  need(Array.isArray(slot) && slot.length === 3, 'malformed', 'a slot');
  const [salt, name, value] = slot;
  need(isBytes(salt, 16) && isText(name), 'malformed', 'a salt of 16 bytes and a name');
  return sha256(0x20, salt, encode([name, value]));
}

/** Check what a group shows and where; give [group, slot, name, value] of each field. */
function checkGroup(group, number) {
  if (Buffer.isBuffer(group)) return [];
  const [slots, names] = group;
  const shown = slots.flatMap((slot, at) => (
    Buffer.isBuffer(slot) ? [] : [[number, at, slot[1], slot[2]]]));
  const placed = shown.map(([, at, name]) => [at, name]);
  checkPlaces(number, placed, 'place', 'order');
  if (names === null) return shown;
  const digest = sha256(0x24, encode(names));
  const committed = shown.find(([, at]) => at === 1)?.[3];
  need(isBytes(committed, 32) && committed.equals(digest), 'names', 'not the committed ones');
  need(Math.ceil(names.length / 4) * 4 === slots.length, 'names', 'not as many as slots');
  need(names.length >= (number === 0 ? FACTS.length : 2), 'names', 'a core name is missing');
  checkPlaces(number, names.map((name, at) => [at, name]), 'names', 'names');
  for (const [at, name] of placed) need(names[at] === name, 'names', `${name} is elsewhere`);
  return shown;
}

/** Core names at their places and nowhere else; free names that ascend, encoded. */
function checkPlaces(number, placed, misplaced, unordered) {
  let last = Buffer.alloc(0);
  for (const [at, name] of placed) {
    const core = coreName(number, at);
    if (core !== null) {
      need(core !== '' && name === core, misplaced, `${name} in group ${number}, slot ${at}`);
      continue;
    }
    need(isFree(name), misplaced, `${name} is no free name`);
    const key = encode(name);
    need(Buffer.compare(last, key) < 0, unordered, `${name} does not ascend`);
    last = key;
  }
}

/** No name twice among those shown, and no free one, shown or listed, below another. */
function checkSecond(shown, listed) {
  const names = shown.map((field) => field[2]);
  const once = names.filter((name) => name !== 'names' && name !== 'target');
  need(new Set(once).size === once.length, 'second', 'two values of one name');
  const free = new Set([...once, ...listed].filter((name) => FREE_ROOTS.has(name.split('/')[0])));
  for (const name of free) {
    const parts = name.split('/');
    const above = parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
    need(!above.some((one) => free.has(one)), 'second', `${name} lies below another`);
  }
}

const isNumber = (value) => typeof value === 'bigint' && value >= 0n && value < 1n << 53n;
const isInt = (value) => typeof value === 'bigint';
const isTextOrNull = (value) => value === null || isText(value);
const isId = (value) => isText(value)
  && /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(value);
const isListOf = (...kinds) => (value) => Array.isArray(value)
  && value.length === kinds.length && kinds.every((kind, at) => kind(value[at]));
const isPlainId = (value) => isText(value) && isPlain(value, 256);
const isResult = (value) => ['success', 'failure', 'denied'].includes(value);
const isSchema = isListOf(isText, isInt);
const isEntry = isListOf(isText, (value) => isInt(value) && value >= 0n);
const SHAPES = {
  event_id: isId,
  names: (value) => isBytes(value, 32),
  tenant: isText,
  action: isText,
  outcome: isListOf(isResult, isTextOrNull),
  occurred_at: (value) => isNumber(value) && value <= 253402300799999n,
  schema: (value) => value === null || isSchema(value),
  producer: isListOf(isText, isText, isInt, isInt),
  targets: (value) => Array.isArray(value) && value.length <= 10 && value.every(isEntry),
  region: isTextOrNull,
  corrects: (value) => value === null || isId(value),
  actor: isListOf(isText, isPlainId),
  target: isListOf(isText, isPlainId),
};

/** Whether a value may stand in a free field: no bytes, 64 bits, at most 11 levels. */
function isValue(value, levels = 11) {
  if (isInt(value)) return value >= -(1n << 63n) && value < 1n << 64n;
  if (value === null || isText(value) || typeof value === 'boolean') return true;
  const isInner = (item) => isValue(item, levels - 1);
  if (Array.isArray(value)) return levels > 0 && value.every(isInner);
  if (!(value instanceof Map) || levels === 0) return false;
  return [...value].every(([name, item]) => isPlain(name, 128) && isInner(item));
}

/** A map that has become fields of its own is no value: of four parts on it stays one. */
function isFreeValue(name, value) {
  const isSplit = value instanceof Map && value.size > 0 && name.split('/').length < 4;
  return !isSplit && isValue(value);
}

function checkShape(group, slot, name, value) {
  const free = name.startsWith('targets/') ? isPlainId : (one) => isFreeValue(name, one);
  need((SHAPES[name] ?? free)(value), 'shape', `${name} in group ${group}`);
}

/** The id of a target counts only where `targets` is shown, and says where it belongs. */
function checkTargets(shown, groups) {
  const targets = shown.find((field) => field[2] === 'targets')?.[3];
  const used = new Set(targets?.map((entry) => Number(entry[1])));
  for (const [group, , name] of shown) {
    if (name === 'target') need(used.has(group), 'targets', `group ${group} is no target's`);
    if (!name.startsWith('targets/')) continue;
    const entry = /^targets\/\d$/.test(name) ? targets?.[Number(name.slice(8))] : undefined;
    need(group === 1 && entry?.[1] === 0n, 'targets', `${name} is no thing`);
  }
  if (targets === undefined) return;
  for (const [kind, number] of targets) {
    const is = (field) => field[0] === Number(number) && ['actor', 'target'].includes(field[2]);
    const person = shown.find(is);
    need(person === undefined || person[3][0] === kind, 'targets', 'a target of another type');
  }
  need(Math.max(0, ...used) < groups, 'targets', 'a group that there is not');
  for (let group = 2; group < groups; group += 1) {
    need(used.has(group), 'targets', `group ${group} is not named`);
  }
}

/** Whether no second value of a shown name can be in the event: all groups but the first
 *  show their names, and no name is in two. */
function isSingle(groups) {
  const lists = groups.slice(1).map((group) => (Buffer.isBuffer(group) ? null : group[1]));
  if (lists.includes(null)) return false;
  const free = lists.flatMap((names) => names.slice(2));
  return new Set(free).size === free.length;
}


// ---- Evidence: a leaf, its receipt, and a disclosure in one file. ----------------------

/** Check evidence under the log's key and witnesses' keys. The verdict is 'unsigned' without
 *  a key of the log, 'witnessed' where every witness named has cosigned, else 'promised'. */
export function checkEvidence(data, { log, witnesses = [] } = {}) {
  const map = decode(data);
  const names = map instanceof Map ? [...map.keys()].join() : '';
  need(names === 'leaf,format,receipt,disclosure', 'malformed', 'not evidence');
  need(map.get('format') === 'tallystick-evidence/1-draft', 'malformed', 'another format');
  const [leaf, bytes] = [map.get('leaf'), map.get('receipt')];
  need(Buffer.isBuffer(bytes), 'malformed', 'a receipt is bytes');
  readLeaf(leaf);
  const receipt = readReceipt(bytes);
  let verdict = 'unsigned';
  if (log !== undefined) {
    need(receipt.origin === log.name, 'signature', `of another log, ${receipt.origin}`);
    need(isSignedBy(receipt, log), 'signature', `${log.name} has not signed`);
    const cosigned = witnesses.filter((witness) => isSignedBy(receipt, witness));
    const isMet = witnesses.length > 0 && cosigned.length === witnesses.length;
    verdict = isMet ? 'witnessed' : 'promised';
  }
  const { index, size, path } = receipt;
  const root = rootOf(sha256(0, leaf), index, size, path);
  need(root.equals(receipt.root), 'inclusion', 'the leaf is not in the tree');
  const disclosed = checkDisclosure(map.get('disclosure'), leaf);
  return { verdict, index, size, origin: receipt.origin, ...disclosed };
}

// ---- The command. ----------------------------------------------------------------------

/** Write a value for people: JSON, bytes in hex, nothing that a terminal would obey. */
export function show(value) {
  if (typeof value === 'bigint') return String(value);
  if (Buffer.isBuffer(value)) return `h'${value.toString('hex')}'`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${show(key)}: ${show(item)}`).join(', ')}}`;
  }
  return harmless(JSON.stringify(value));
}

/** Write a text so that a terminal shows all of it and obeys nothing. */
function harmless(text) {
  const hide = (mark) => `\\u{${mark.codePointAt(0).toString(16)}}`;
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, hide);
}

const MEANING = {
  witnessed: 'the log and every witness named have signed',
  promised: "the log's word alone: no witness is named, or one has not cosigned",
  unsigned: "nobody's word: name the log's key with --vkey",
};

function readArguments(words) {
  const chosen = { witnesses: [] };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === '--vkey') chosen.log = readVkey(words[(at += 1)] ?? '');
    else if (word === '--witness-vkey') chosen.witnesses.push(readVkey(words[(at += 1)] ?? ''));
    else {
      need(!word.startsWith('-') && chosen.file === undefined, 'usage', `not known: ${word}`);
      chosen.file = word;
    }
  }
  const { file, log, witnesses } = chosen;
  need(file !== undefined, 'usage', 'node ev1.mjs FILE [--vkey VKEY] [--witness-vkey VKEY]');
  need(log === undefined || log.type === 1, 'usage', '--vkey takes the key of a log');
  need(witnesses.every((key) => key.type === 4), 'usage', '--witness-vkey takes a witness key');
  need(log !== undefined || witnesses.length === 0, 'usage', 'name the log with --vkey too');
  return chosen;
}

function readFile(name) {
  try {
    return readFileSync(name);
  } catch (error) {
    throw new Refused('usage', `cannot read ${name}: ${error.code}`);
  }
}

function main(words) {
  try {
    const chosen = readArguments(words);
    const found = checkEvidence(readFile(chosen.file), chosen);
    const moment = new Date(found.timeMs).toISOString();
    console.log(`entry ${found.index} of ${found.size} in ${show(found.origin)}, ${moment}`);
    for (const [group, , name, value] of found.fields) {
      if (name !== 'names') console.log(`  ${group} ${show(name)}: ${show(value)}`);
    }
    console.log(`${found.hidden} slots are hidden`);
    if (!found.single) console.log('a second value of a free name could be hidden');
    console.log(`${found.verdict}: ${MEANING[found.verdict]}`);
    return found.verdict === 'witnessed' ? 0 : 3;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const why = harmless(error.message.slice(0, 400));
    console.error(error.reason === 'usage' ? why : `REFUSED, ${why}`);
    return ['usage', 'malformed'].includes(error.reason) ? 2 : 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
