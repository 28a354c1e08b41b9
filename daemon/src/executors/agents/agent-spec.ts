import type { AgentDialect } from './dialect.ts';

/** How an agent's model is reached through us, so that the agent never holds the credential. */
export interface GatewayForm {
  /** Where its vendor serves it. */
  readonly upstream: string;
  /** The header that carries the credential. */
  header(secret: string): Readonly<Record<string, string>>;
  /** The variable in which the operator of a machine usually keeps the credential. */
  readonly variable: string;
}

/** What is known of one kind of agent. */
export interface AgentKind {
  readonly kind: 'claude' | 'codex' | 'acp';
  readonly title: string;
  /** Looked up on PATH unless the operator names another. */
  readonly program: string;
  readonly dialect: (now: () => number) => AgentDialect;
  readonly gateway: GatewayForm | undefined;
  /** Files below the operator's home that it signs in with. */
  readonly login: readonly string[];
  /** Hosts that it needs where it signs in by itself. */
  readonly vendor_hosts: readonly string[];
  readonly resumes: boolean;
}
