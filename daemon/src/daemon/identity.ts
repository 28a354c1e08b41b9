import { readFile } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { Envelope, type Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import { writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import { CERTIFICATE_TYPE, makeCertificate, makeDelegation, OperationalCertificate } from '@fairlead/shared/kit/delegation';
import { hashSecret, mintSecret, readSecretFile, writeSecretFile } from '@fairlead/shared/kit/secret';
import { instanceIdOf, loadOrCreateKey, newInstanceNonce, openEnvelope, type KeyPair } from '@fairlead/shared/kit/signature';
import type * as z from 'zod';
import type { DaemonHome } from '../config/home.ts';
import type { GrantRecord, InstanceRecord } from '../core/records.ts';
import type { HeadSigner } from '../ledger/signed-heads.ts';

const DAY = 86_400_000;
/** How long an operational key is certified, and how much of that must be left at a start. In milliseconds. */
const CERTIFIED = 730 * DAY;
const RENEWED = 365 * DAY;

/** Who this daemon is: the keys that its instances and delegations stand on, and the operator's token. */
export interface Identity {
  readonly newInstanceId: () => { readonly id: string; readonly nonce: string };
  /** The daemon's proof that the grant's connector may serve the instance, for at most as long as the grant lasts. */
  readonly delegate: (grant: GrantRecord, instance: InstanceRecord) => z.output<typeof Delegation>;
  readonly operatorHash: string;
  readonly rootKey: string;
  /** What the heads of the history are signed with. */
  readonly headSigner: HeadSigner;
  /** Values of ours that must never stand in an output. */
  readonly secrets: readonly string[];
}

const readCertificate = async (
  file: string,
  root: KeyPair,
): Promise<{ readonly envelope: Envelope; readonly document: OperationalCertificate } | undefined> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const envelope = Envelope.parse(JSON.parse(text));
    return {
      envelope,
      document: OperationalCertificate.parse(JSON.parse(openEnvelope(envelope, CERTIFICATE_TYPE, root.publicKey).toString('utf8'))),
    };
  } catch (cause) {
    throw new FairleadError('signature_invalid', {
      detail: `${file} is not a certificate of this daemon's root key`,
      hint: `Restore root.key and certificate.json together from a backup.`,
      cause,
    });
  }
};

/** The certificate of the operational key; a new one with the next number when there is none, it is another key's, or it grows old. */
const certify = async (file: string, root: KeyPair, operational: KeyPair, now: number): Promise<Envelope> => {
  const before = await readCertificate(file, root);
  if (before && before.document.operational_key === operational.publicKey && Date.parse(before.document.not_after) - now > RENEWED)
    return before.envelope;
  const envelope = makeCertificate(root, {
    number: (before?.document.number ?? 0) + 1,
    operational_key: operational.publicKey,
    not_after: isoTime(now + CERTIFIED),
  });
  await writeFileAtomic(file, `${JSON.stringify(envelope)}\n`);
  return envelope;
};

const operatorToken = async (file: string): Promise<string> => {
  try {
    return await readSecretFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const token = mintSecret('flo');
    await writeSecretFile(file, token);
    return token;
  }
};

/**
 * Loads the keys and the operator's token of a home, and makes what is not there.
 * @throws FairleadError `secret_exposed` when others can read one of them, `signature_invalid` when they do not belong together
 */
export const loadIdentity = async (home: DaemonHome, clock: Clock): Promise<Identity> => {
  const root = await loadOrCreateKey(home.rootKey);
  const operational = await loadOrCreateKey(home.operationalKey);
  const certificate = await certify(home.certificate, root, operational, clock.now());
  const token = await operatorToken(home.operatorToken);
  return {
    operatorHash: hashSecret(token),
    rootKey: root.publicKey,
    headSigner: { certificate, operational },
    secrets: [token, root.privateKey, operational.privateKey],
    newInstanceId() {
      const nonce = newInstanceNonce();
      return { id: instanceIdOf(root.publicKey, nonce), nonce };
    },
    delegate: (grant, instance) =>
      makeDelegation(
        { certificate, operational },
        {
          instance_id: instance.id,
          root_key: root.publicKey,
          nonce: instance.nonce,
          connector_key: grant.connector_key,
          relay_key: grant.relay_key,
          sequence: grant.sequence,
          not_after: isoTime(Math.min(grant.expires_at, clock.now() + LIMITS.delegation_days.value * DAY)),
          grant_digest: grant.digest,
        },
      ),
  };
};
