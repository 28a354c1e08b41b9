/** The version of the relay, as `--version` and relay_status print it. */
export const VERSION = '0.1.0';
