import { join } from 'node:path';

/** The files of a connector's home. The folder is 0700; every file in it is 0600. */
export interface Files {
  readonly home: string;
  readonly key: string;
  /** The key that is to take the place of the other, from before the relay is asked until all is done. */
  readonly nextKey: string;
  readonly identity: string;
  readonly shares: string;
  readonly sharesLock: string;
  readonly status: string;
  readonly runLock: string;
}

export const filesIn = (home: string): Files => ({
  home,
  key: join(home, 'connector.key'),
  nextKey: join(home, 'connector.key.next'),
  identity: join(home, 'config.json'),
  shares: join(home, 'shares.json'),
  sharesLock: join(home, 'shares.lock'),
  status: join(home, 'status.json'),
  runLock: join(home, 'run.lock'),
});
