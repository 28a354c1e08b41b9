const MiB = 1024 * 1024;

/** What an operator might say about an agent, by name. Each agent of the suite gets all of them. */
export const PROFILES = {
  default: { approval: 'auto' },
  careful: { approval: 'ask' },
  hasty: { approval: 'ask', permission_timeout: '2s' },
  frugal: { approval: 'auto', budget: { tokens: 20_000 } },
  brief: { approval: 'auto', budget: { turns: 2 } },
  online: { approval: 'auto', network: ['registry.example.invalid'] },
  small: { approval: 'auto', limits: { processes: 120, disk: 64 * MiB } },
} as const;
export type ProfileName = keyof typeof PROFILES;

/** The executor id of a profile of an agent, as `list_executors` prints it. */
export const executorOf = (agent: string, profile: ProfileName): string => (profile === 'default' ? agent : `${agent}.${profile}`);
