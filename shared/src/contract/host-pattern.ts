import * as z from 'zod';

/** A host that work may reach: an exact name or `*.name`, with `:port` where that is neither 443 nor 80. */
export const HostPattern = z
  .string()
  .max(260)
  .regex(/^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/, { error: 'must be a host name, *.name or name:port' });
