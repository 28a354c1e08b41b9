import { pino, type Logger } from 'pino';

export type Log = Logger;
export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Members that may hold a secret, at the top of a log line or one level down. */
const SECRET_MEMBERS = ['token', 'secret', 'authorization', 'password', 'private_key', 'privateKey', 'connector_token', 'cookie'];

/** A logger that writes JSON lines to stderr, because stdout belongs to a command's result. Known secret members are removed. */
export const createLog = ({ part, level = 'info' }: { readonly part: string; readonly level?: LogLevel }): Log =>
  pino(
    {
      level,
      base: { part },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    },
    pino.destination({ fd: 2, sync: true }),
  );
