// Runs the verifier in JavaScript on the vectors named, and prints what it found as JSON.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  Refused, checkDisclosure, checkEvidence, decode, encode, readIndexEntry, readLeaf, readVkey,
} from '../../docs/verifier/ev1.mjs';

const raw = (hex) => Buffer.from(hex, 'hex');
const told = ({ fields, hidden, single }) => {
  const values = fields.map(([group, slot, name, value]) => (
    [BigInt(group), BigInt(slot), name, value]));
  return { fields: encode(values).toString('hex'), hidden, single };
};

const KINDS = {
  disclosure: (one) => told(checkDisclosure(decode(raw(one.disclosure)), raw(one.leaf))),
  evidence: (one) => {
    const log = readVkey(one.vkey);
    const witnesses = one.witness_vkeys.map(readVkey);
    const found = checkEvidence(raw(one.data), { log, witnesses });
    return { status: found.verdict, index: Number(found.index) };
  },
  leaf: (one) => {
    const leaf = readLeaf(raw(one.data));
    return {
      time_ms: leaf.timeMs,
      commitment: leaf.commitment.toString('hex'),
      index_digest: leaf.indexDigest.toString('hex'),
    };
  },
  'index-entry': (one) => {
    const entry = readIndexEntry(raw(one.data));
    return {
      epoch: Number(entry.epoch),
      tags: entry.tags.map((tag) => tag.toString('hex')),
      blind: entry.blind.toString('hex'),
      digest: entry.digest.toString('hex'),
    };
  },
};

const found = {};
for (const path of process.argv.slice(2)) {
  const one = JSON.parse(readFileSync(path, 'utf-8'));
  try {
    found[basename(path, '.json')] = { verdict: 'accepted', ...KINDS[one.kind](one) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    found[basename(path, '.json')] = { verdict: 'refused', reason: error.reason };
  }
}
console.log(JSON.stringify(found));
