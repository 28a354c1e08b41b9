import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { InstanceId } from '@fairlead/shared/contract/ids';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { Envelope } from '@fairlead/shared/contract/operations/daemon-admin';
import { Digest } from '@fairlead/shared/contract/values';
import { writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import type { Clock } from '@fairlead/shared/kit/clock';
import { CERTIFICATE_TYPE, OperationalCertificate } from '@fairlead/shared/kit/delegation';
import { openEnvelope, signEnvelope, type KeyPair } from '@fairlead/shared/kit/signature';
import type { Ledger } from './ledger.ts';

const HEADS_TYPE = 'application/vnd.fairlead.heads.v1+json';

/** The newest line of an instance's history, which every line before it leads to. */
const SignedHead = z.strictObject({ instance_id: InstanceId, seq: z.number().int().positive(), hash: Digest });
export type SignedHead = z.infer<typeof SignedHead>;

const Heads = z.strictObject({ heads: z.array(SignedHead) });
/** A daemon with many instances signs more than what a planner may send. */
const LargeEnvelope = Envelope.extend({ payload: z.base64() });
/** The certificate goes along, so that heads which an earlier operational key signed still hold. */
const SignedFile = z.strictObject({ certificate: LargeEnvelope, signed: LargeEnvelope });

/** What heads are signed with: the operational key, and the root key's word for it. */
export interface HeadSigner {
  readonly certificate: Envelope;
  readonly operational: KeyPair;
}

const jsonOf = (payload: Uint8Array): unknown => parseStrictJson(Buffer.from(payload).toString('utf8'));

/**
 * The heads that were signed last; undefined where there is no such file.
 * @throws FairleadError `signature_invalid` when the file does not lead back to the root key
 */
export const readSignedHeads = async (file: string, rootKey: string): Promise<readonly SignedHead[] | undefined> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { certificate, signed } = SignedFile.parse(parseStrictJson(text));
    const { operational_key } = OperationalCertificate.parse(jsonOf(openEnvelope(certificate, CERTIFICATE_TYPE, rootKey)));
    return Heads.parse(jsonOf(openEnvelope(signed, HEADS_TYPE, operational_key))).heads;
  } catch (cause) {
    throw new FairleadError('signature_invalid', {
      detail: `${file} was not signed by this daemon`,
      hint: 'Somebody changed it, or root.key is not the one it was signed under. Restore root.key, certificate.json and heads.json together from a backup.',
      cause,
    });
  }
};

/** A signed line that the ledger does not have, or has otherwise. */
export interface LostHead extends SignedHead {
  /** Where the ledger's history of the instance ends; 0 when it has none. */
  readonly ends_at: number;
  readonly message: string;
}

/** The signed lines that a ledger does not hold. A ledger that only went on since holds them all. */
export const lostHeads = (heads: readonly SignedHead[], read: Pick<Ledger['read'], 'events' | 'head' | 'instance'>): LostHead[] =>
  heads.flatMap((head) => {
    const { instance_id, seq, hash } = head;
    const ends_at = read.instance(instance_id) === undefined ? 0 : read.head(instance_id).seq;
    const line = read.events({ instance_id, after: seq - 1, limit: 1 })[0];
    if (line?.instance_seq === seq && line.hash === hash) return [];
    const message =
      ends_at < seq
        ? `the history ends at line ${ends_at}, and line ${seq} was signed: the ledger was rolled back or cut off`
        : `line ${seq} is not the one that was signed: the history was written anew`;
    return [{ ...head, ends_at, message }];
  });

interface KeeperParts {
  readonly file: string;
  readonly signer: HeadSigner;
  readonly ledger: Pick<Ledger, 'onCommit' | 'read'>;
  readonly clock: Clock;
  /** Told when the file could not be written; the next commit tries again. */
  readonly failed: (error: unknown) => void;
}

/**
 * Keeps the signed heads up with the ledger, in a file of their own. A head is read after its commit is on the disk, so that the file may be
 * behind the ledger and is never ahead of it: no crash can make a sound ledger look rolled back.
 * @returns what writes the last of them and ends
 */
export const keepSignedHeads = ({ file, signer, ledger, clock, failed }: KeeperParts): (() => Promise<void>) => {
  let due = false;
  let cancel: (() => void) | undefined;
  let writing = Promise.resolve();

  const write = async (): Promise<void> => {
    if (!due) return;
    due = false;
    const heads = ledger.read
      .instances({ removed: true })
      .map(({ id }) => ({ instance_id: id, ...ledger.read.head(id) }))
      .filter(({ seq }) => seq > 0);
    const signed = signEnvelope(HEADS_TYPE, { heads }, signer.operational);
    await writeFileAtomic(file, `${JSON.stringify({ certificate: signer.certificate, signed })}\n`).catch((error: unknown) => {
      due = true;
      failed(error);
    });
  };
  const schedule = (): void => {
    due = true;
    // Whatever is committed until then goes into the same write. One that failed is tried again after the next commit.
    cancel ??= clock.after(LIMITS.signed_head_delay.value, () => {
      cancel = undefined;
      writing = writing.then(write);
    });
  };
  const deaf = ledger.onCommit(schedule);
  schedule();
  return async () => {
    deaf();
    cancel?.();
    await writing;
    await write();
  };
};
