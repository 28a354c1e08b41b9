import * as z from 'zod';

/** A commit or tree of git, by its full id. */
export const Commit = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** A time of an answer: RFC 3339 in UTC, to the millisecond. */
export const Time = z.iso.datetime({ precision: 3 });

/** Who asked or decided. */
export const Principal = z.object({
  id: z.string().max(200).describe('Stable subject: "operator", or a planner\'s id at its relay'),
  name: z.string().max(200),
});
export type Principal = z.infer<typeof Principal>;
