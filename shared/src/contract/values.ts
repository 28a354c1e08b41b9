import * as z from 'zod';

/** A commit or tree of git, by its full id. */
export const Commit = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** A time of an answer: RFC 3339 in UTC, to the millisecond. */
export const Time = z.iso.datetime({ precision: 3 });

/** How a program of ours fares, by its own look at itself. */
export const ProcessHealth = z.object({
  memory_bytes: z.number().int().describe('Resident memory of the process'),
  loop_delay_p99_ms: z.number().describe('How late the event loop was, 99 of 100 times less, since the last time this was asked for'),
});
export type ProcessHealth = z.infer<typeof ProcessHealth>;

/** Who asked or decided. */
export const Principal = z.object({
  id: z.string().max(200).describe('Stable subject: "operator", or a planner\'s id at its relay'),
  name: z.string().max(200),
});
export type Principal = z.infer<typeof Principal>;
