/** One form of secret that is known by its looks. */
export interface SecretPattern {
  readonly kind: string;
  /** Sticky to nothing, global, over bytes read as latin1. What it matches is masked whole. */
  readonly form: RegExp;
}

/** Letters, digits and what else tokens are made of; a token ends where none of these stands. */
const END = String.raw`(?![A-Za-z0-9_-])`;
const START = String.raw`(?<![A-Za-z0-9_-])`;
const token = (kind: string, form: string): SecretPattern => ({ kind, form: new RegExp(`${START}(?:${form})${END}`, 'g') });

/**
 * Credentials that their issuers made recognisable. Only such: a guess at `password = …` would mask the code that an agent works on. What
 * looks like nothing is masked by value (`secrets` in the daemon's config).
 */
export const SECRET_PATTERNS: readonly SecretPattern[] = [
  { kind: 'private_key', form: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/g },
  token('anthropic_key', 'sk-ant-[A-Za-z0-9_-]{20,}'),
  token('openai_key', 'sk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{32,}'),
  token('aws_key', '(?:AKIA|ASIA)[0-9A-Z]{16}'),
  token('github_token', 'gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}'),
  token('gitlab_token', 'glpat-[A-Za-z0-9_-]{20,}'),
  token('google_key', 'AIza[0-9A-Za-z_-]{35}'),
  token('slack_token', 'xox[abeoprs]-[0-9A-Za-z-]{10,}'),
  token('stripe_key', '[sr]k_(?:live|test)_[0-9A-Za-z]{16,}'),
  token('npm_token', 'npm_[A-Za-z0-9]{36}'),
  token('huggingface_token', 'hf_[A-Za-z0-9]{30,}'),
  token('sendgrid_key', String.raw`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`),
  token('fairlead_token', 'fl[a-z]_[A-Za-z0-9_-]{24,}'),
  token('jwt', String.raw`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`),
  { kind: 'bearer', form: /(?<=\b[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*/g },
  { kind: 'url_password', form: /(?<=[a-z]:\/\/[^\s/:@"']{1,64}:)[^\s/@"']{3,256}(?=@)/g },
];

/** What every form contains: text without any of it holds none of them, which is quickly seen. */
export const HINTS =
  /sk-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|AIza|xox[abeoprs]-|[sr]k_live_|[sr]k_test_|npm_|hf_|SG\.|fl[a-z]_|eyJ|[Bb]earer |:\/\/|-----BEGIN /;

/** A token longer than this is none, in bytes. */
export const LONGEST_TOKEN = 4096;
/** A private key longer than this is none, in bytes. */
export const LONGEST_KEY = 16 * 1024;
export const KEY_BEGINS = '-----BEGIN ';
export const KEY_ENDS = /-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
