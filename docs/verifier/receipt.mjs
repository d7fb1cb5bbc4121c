// A receipt of C2SP tlog-proof: the path from a leaf to the root of a checkpoint, and the
// Ed25519 signatures of the log and of witnesses under it.

import { createPublicKey, verify } from 'node:crypto';
import { isBytes, need, readText, sha256 } from './cbor.mjs';

const HEADER = 'c2sp.org/tlog-proof@v1';

function readBase64(text, size) {
  const bytes = Buffer.from(text, 'base64');
  const fits = bytes.toString('base64') === text && (size === undefined || bytes.length === size);
  need(fits, 'malformed', 'base64');
  return bytes;
}

function readDecimal(text) {
  need(/^(0|[1-9][0-9]{0,18})$/.test(text), 'malformed', 'a decimal');
  return BigInt(text);
}

/** Read a C2SP tlog-proof: index, path, and the checkpoint with its signature lines. */
export function readReceipt(bytes) {
  const text = readText(bytes);
  need(!/[\x00-\x09\x0b-\x1f]/.test(text), 'malformed', 'a control character');
  const split = text.indexOf('\n\n');
  const [header, ...lines] = text.slice(0, split).split('\n');
  need(split > 0 && header === HEADER, 'malformed', `expected ${HEADER}`);
  if (lines[0]?.startsWith('extra ')) {
    need(readBase64(lines.shift().slice(6)).length > 0, 'malformed', 'an empty extra line');
  }
  need(lines[0]?.startsWith('index ') && lines.length <= 64, 'malformed', 'index and path');
  const [index, ...path] = lines;
  const note = text.slice(split + 2);
  const blank = note.lastIndexOf('\n\n');
  const signed = note.slice(0, blank + 1);
  const [origin, size, root, ...more] = signed.slice(0, -1).split('\n');
  const isWhole = blank > 0 && origin && root && !more.includes('') && note.endsWith('\n');
  need(isWhole, 'malformed', 'checkpoint');
  return {
    index: readDecimal(index.slice(6)),
    path: path.map((line) => readBase64(line, 32)),
    origin, size: readDecimal(size), root: readBase64(root, 32), signed,
    lines: note.slice(blank + 2, -1).split('\n').map(readSignature),
  };
}

function readSignature(line) {
  const [, name, body] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
  need(name !== undefined, 'malformed', 'a signature line');
  const bytes = readBase64(body);
  need(bytes.length >= 5, 'malformed', 'a signature of less than 5 bytes');
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** The root that a path implies (RFC 9162 section 2.1.3.2). */
export function rootOf(leafHash, index, size, path) {
  need(index < size, 'inclusion', 'the index is not below the size');
  let [hash, fn, sn] = [leafHash, index, size - 1n];
  for (const sibling of path) {
    need(sn > 0n, 'inclusion', 'the path is too long');
    if (fn & 1n || fn === sn) {
      hash = sha256(1, sibling, hash);
      while (!(fn & 1n) && fn > 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      hash = sha256(1, hash, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  need(sn === 0n, 'inclusion', 'the path is too short');
  return hash;
}

const LOG_KEY = 1;
const WITNESS_KEY = 4;
const DER = Buffer.from('302a300506032b6570032100', 'hex'); // an Ed25519 key (RFC 8410)

/** Read a vkey: name+hex id+base64(type and key). The type is 1 for a log, 4 for a witness. */
export function readVkey(text) {
  const [, name, id, body] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  need(name !== undefined, 'usage', 'a vkey is NAME+ID+KEY');
  const bytes = Buffer.from(body, 'base64');
  const isKnown = [LOG_KEY, WITNESS_KEY].includes(bytes[0]) && bytes.length === 33;
  need(isKnown, 'usage', `${name}: only Ed25519 keys are checked here`);
  const digest = sha256(name, 0x0a, bytes).subarray(0, 4);
  need(digest.toString('hex') === id, 'usage', `${name}: the key id is not that of the key`);
  const der = Buffer.concat([DER, bytes.subarray(1)]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return { name, id: digest, type: bytes[0], key };
}

/** Whether a key has signed a receipt's checkpoint; a line that lies is refused. */
export function isSignedBy(receipt, vkey) {
  const own = receipt.lines.filter(({ name, id }) => name === vkey.name && id.equals(vkey.id));
  need(own.length <= 1, 'signature', `two lines of ${vkey.name}`);
  if (own.length === 0) return false;
  let [message, signature] = [receipt.signed, own[0].signature];
  if (vkey.type === WITNESS_KEY) {
    need(signature.length === 72, 'signature', `${vkey.name} does not verify`);
    message = `cosignature/v1\ntime ${signature.readBigUInt64BE()}\n${message}`;
    signature = signature.subarray(8);
  }
  const isTrue = isBytes(signature, 64) && verify(null, Buffer.from(message), vkey.key, signature);
  need(isTrue, 'signature', `${vkey.name} does not verify`);
  return true;
}
