import * as z from 'zod';

/** A time of an answer: RFC 3339 in UTC, to the millisecond. */
export const Time = z.iso.datetime({ precision: 3 });
